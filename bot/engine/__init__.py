"""The job engine (procrastinate), and what keeps its jobs in order."""
