"""The sealed store: copying approved files there before a target moves, and comparing what is there with the ledger."""
