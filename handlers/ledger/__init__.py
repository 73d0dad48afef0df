"""Checkpoints of the ledger, and its audit."""
