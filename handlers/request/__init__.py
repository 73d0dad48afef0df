"""Asking, voting, deadlines and rollbacks."""
