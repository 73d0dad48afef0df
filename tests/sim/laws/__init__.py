"""What must hold, whatever people, vendors and deaths do: looked at in the moment of a move, after each sweep, and in the end."""
