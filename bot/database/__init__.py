"""Connecting to PostgreSQL, and the embedded PostgreSQL that pip installs."""
