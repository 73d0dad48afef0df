"""The weekly digest: its periods, figures, findings and sentences."""
