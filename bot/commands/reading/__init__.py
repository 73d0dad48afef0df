"""Looking up what is on record: requests, placements, a version's origin and its history."""
