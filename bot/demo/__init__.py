"""The demo: a whole installation on this machine, with sandboxes for Slack and Jira."""
