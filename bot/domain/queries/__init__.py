"""Answers to questions about the past and about a policy."""
