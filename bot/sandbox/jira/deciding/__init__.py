"""What a decision in a ticket takes: the changelog, approvals of Jira Service Management, and times in JQL."""
