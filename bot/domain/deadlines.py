"""What a request keeps of the deadlines of the one whose place it takes: changes in the registry do not begin them again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Deadlines:
    """`since`: when the first vote opened, None if none did. `expires_at` is None where nothing expires.

    The time in which no request was open is not counted: the moments are later by it.
    """

    since: datetime | None = None
    expires_at: datetime | None = None
    reminders: int = 0
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
