"""The shape of a rule's `break_glass`: who may promote at once, and who must look at it afterwards."""

from __future__ import annotations

from bot.domain.policy.break_glass import BreakGlass
from config.policy.times import Duration
from config.policy.values import Shape, Text


class ReviewShape(Shape):
    """Who must look at it afterwards."""

    group: Text
    """A group from `groups`; one of them who neither broke the glass nor asked for the version or trained it."""
    within: Duration
    """How long they have. After that they are reminded every day, and the digest lists it as overdue."""


class BreakGlassShape(Shape):
    """Who may promote a version at once, without the rule's votes and during a freeze. Everyone is told."""

    group: Text
    """A group from `groups`; one of its members is enough, with a reason."""
    review: ReviewShape

    def as_break_glass(self) -> BreakGlass:
        return BreakGlass(self.group, self.review.group, self.review.within)
