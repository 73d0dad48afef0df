"""Looking after an installation: jobs, backups and whether the registry is believed."""
