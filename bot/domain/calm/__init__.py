"""Fewer messages for people: shared cards, one call for each event, one message of reminders for each person, and a note of the day."""
