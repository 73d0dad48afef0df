"""What cards, messages and tickets say about a broken glass and its review."""
