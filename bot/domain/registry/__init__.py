"""What the registry holds, and whether it may: facts about a place, what each holder is, and the next step. Pure."""
