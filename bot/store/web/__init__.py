"""What the pages read and write in the database: sessions, and searches over requests."""
