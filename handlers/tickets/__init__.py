"""Decisions that people take in tickets: read, taken as votes, answered, looked for, and read again before anything rests on them."""
