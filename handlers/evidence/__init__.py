"""Whether what approvals rest on is still there: looked after slowly, and told when it is not."""
