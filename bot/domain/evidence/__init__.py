"""What a vote is based on: metrics, parameters, lineage and files."""
