"""Rows of shared cards and of notes of the day."""
