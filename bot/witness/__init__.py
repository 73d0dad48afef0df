"""A witness of ledgers, for a machine of another team: it needs its own key and one file, and neither database nor settings."""
