"""Putting a policy in force, and the fast track's kill switch."""
