"""How commands print: tables, records, colours, progress and questions. What they print comes from the command."""
