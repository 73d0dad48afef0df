"""`make soak`: the real processes under load while they, their database and their vendors fail."""
