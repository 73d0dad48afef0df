"""The registry: is it the one that we know, what does it hold, what is new in it, and the moves that the bot makes."""
