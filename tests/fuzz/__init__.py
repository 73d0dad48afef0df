"""Hostile input for every parser of what comes from outside: short in the suite, with coverage in `make fuzz`."""
