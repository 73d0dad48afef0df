"""Tables, the rows of each subject, and the one transaction that writes them."""
