"""The life of a transition request."""
