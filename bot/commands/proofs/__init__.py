"""Keys, signed approvals and the ledger."""
