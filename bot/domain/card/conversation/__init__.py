"""The texts of a request's conversation: lines on the card, replies below it, comments on the ticket."""
