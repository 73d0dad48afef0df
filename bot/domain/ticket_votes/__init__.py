"""Decisions that people take in a ticket: what its history has, and which entries of it are votes."""
