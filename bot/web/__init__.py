"""The HTTP server in front of the doors: waitress, with deadlines, places for connections, and pools of threads."""
