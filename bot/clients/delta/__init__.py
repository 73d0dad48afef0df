"""Delta tables: `files` reads them where they are, `tables` copies one version."""
