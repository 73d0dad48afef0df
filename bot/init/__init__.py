"""`countersign init`: from an empty directory to settings, a starter policy and keys.

`survey` finds what MLflow, Slack and Jira know, `proposals` says what would suit it, `interview` asks the rest, `folder` writes.
"""
