"""Stories of a transition request between being asked for and being decided."""
