"""Planted bugs: small changes of the product, each of which a named test must notice. `make mutants` runs them."""
