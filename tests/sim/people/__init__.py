"""What people and the world do in a run, as the seed says."""
