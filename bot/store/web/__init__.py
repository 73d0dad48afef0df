"""What doors and pages read and write in the database beside `bot.store`: webhooks, sessions, and searches over requests."""
