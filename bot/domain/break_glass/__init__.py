"""Break glass: one person of a named group promotes at once, and somebody else reviews it."""
