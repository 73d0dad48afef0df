"""Closing a week, and delivering its digest."""
