"""A transition request: its life, its votes, the fast track and the way back."""
