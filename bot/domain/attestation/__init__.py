"""Signed statements about decisions, and what the gate answers from them."""
