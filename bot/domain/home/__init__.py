"""A person's own page, the form in which they ask, and what is shown of a link: what they say. Who sees what is decided in handlers."""
