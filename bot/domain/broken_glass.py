"""That a person broke the glass: promoted at once, without the votes that the rule demands, and what came of the review of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GlassReview:
    """What somebody else said about it afterwards. Not `is_confirmed`: the reviewer has asked for the way back, for this `reason`."""

    person: str
    at: datetime
    is_confirmed: bool
    reason: str = ""


@dataclass(frozen=True)
class BrokenGlass:
    """`person` did it as a member of `group`, for this `reason`, under the rule with that hash. `also` are their other ids.

    `account` in `team` sent the form; `signed_request` is the digest of the kept request and `signed_by` says who signed it. `despite` is
    the digest of the earlier rejections that the person was shown and overrode, empty when there were none. `held_by` says why it decided
    nothing by itself, and `passed` what it was done in spite of. `review` is due at `review_by`, by a member of `reviewers`.
    """

    person: str
    reason: str
    at: datetime
    group: str
    reviewers: str
    review_by: datetime
    rule_hash: str
    also: tuple[str, ...] = ()
    team: str = ""
    account: str = ""
    signed_request: str = ""
    signed_by: str = ""
    despite: str = ""
    held_by: str = ""
    passed: tuple[str, ...] = ()
    reminders: int = 0
    reminded_at: datetime | None = None
    review: GlassReview | None = None

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.person, *self.also))

    def is_overdue(self, now: datetime) -> bool:
        return self.review is None and now >= self.review_by
