"""What may be asked, answered, handed over and put on record about a request, and by whom. Pure."""
