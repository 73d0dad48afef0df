"""A version's and a run's files: opening where they are, reading them once, and what is made of them."""
