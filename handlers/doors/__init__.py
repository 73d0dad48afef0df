"""Where the outside comes in: HTTP, Slack and the clock."""
