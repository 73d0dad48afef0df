"""Break glass: offering it, recording it, telling everyone, and having it reviewed by somebody else."""
