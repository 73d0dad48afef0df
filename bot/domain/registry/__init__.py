"""What the model registry holds, and what is new in it."""
