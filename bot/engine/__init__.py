"""The job engine: deferring, running, retrying, parking and replaying jobs on procrastinate."""
