"""Read-only answers: describe, history, reports."""
