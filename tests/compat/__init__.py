"""Countersign with the MLflow servers that it supports: `make compat` takes three, the suite only the oldest, in a short form."""
