"""Signing decisions, and whether an approval is still in force."""
