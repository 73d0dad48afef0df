"""Cards that several requests share: where a request's card is posted, and the list that leads to it."""
