"""The facts about a place, and whether the registry is believed: read by all other subjects."""
