"""The job engine, and what keeps its jobs apart."""
