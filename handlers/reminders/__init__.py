"""What waits for one person: reminders as one message, and the note of the day for who wants it."""
