"""How the bot does with large registries, long histories and many requests: short forms as tests, the whole as `make scale`."""
