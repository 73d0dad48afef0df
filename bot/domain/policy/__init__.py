"""The rules of an organisation, their calendars and their changes."""
