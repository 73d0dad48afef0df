"""Read-only answers: a version's description, a model's history, a policy explained or replayed."""
