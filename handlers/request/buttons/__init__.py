"""What the buttons on cards do, beside Approve and Reject (`handlers.request.approvals`)."""
