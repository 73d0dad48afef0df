"""A bounded model checker that explores the real domain functions: what custody decides, however people, jobs and crashes interleave."""
