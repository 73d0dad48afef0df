"""Who may promote at once under a rule, without its votes, and who must look at it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class BreakGlass:
    """A member of `group` promotes at once; within `review_within` another person, a member of `reviewers`, must look at it."""

    group: str
    reviewers: str
    review_within: timedelta
