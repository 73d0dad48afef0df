"""Questions and answers, hand-overs and comments on record: what people do about a request beside voting."""
