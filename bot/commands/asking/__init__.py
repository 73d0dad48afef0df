"""Asking for a move: register a version, request a transition, roll back, adopt, and calling an approval off."""
