"""A seeded simulation of the whole product: its own handlers and PostgreSQL, under a clock, vendors, deaths and people of a seed."""
