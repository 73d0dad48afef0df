"""How often the fast track and people agree: what a team looks at before it switches the fast track on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    AGREED = "agreed"
    FALSE_PASS = "false_pass"
    FALSE_HOLD = "false_hold"


def compare(would_pass: bool, approved: bool) -> Outcome:
    """A false pass is what the fast track would have let through and people rejected; a false hold is the reverse."""
    if would_pass == approved:
        return Outcome.AGREED
    return Outcome.FALSE_PASS if would_pass else Outcome.FALSE_HOLD


@dataclass(frozen=True)
class Agreement:
    """Counts of versions that both the fast track has judged and people have decided."""

    agreed: int
    false_passes: int
    false_holds: int

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Agreement:
        """`counts` has a number for each Outcome that occurred."""
        return cls(*(counts.get(outcome, 0) for outcome in Outcome))

    @property
    def decided(self) -> int:
        return self.agreed + self.false_passes + self.false_holds

    @property
    def rate(self) -> float | None:
        """The share, 0 to 1, in which both said the same; None before people have decided any."""
        return self.agreed / self.decided if self.decided else None
