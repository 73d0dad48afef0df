"""A person's Home tab in Slack, the form in which they ask, and link previews: what they look like, and what Slack sends of them."""
