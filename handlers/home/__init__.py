"""A person's own page at the notifier, the form in which they ask, and what is shown of links."""
