"""Reconciling with the registry: sweeps, observed moves, and our own moves."""
