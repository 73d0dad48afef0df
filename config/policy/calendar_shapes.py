"""The shape of `calendar` and `freezes`: when people are at work, and when no approval is applied.

Checks across freezes and rules are in `config.policy.checks`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from bot.domain.policy.calendars import Dated, Freeze, Weekly, WorkingHours
from bot.domain.policy.calendars import Window as DomainWindow
from config.policy.times import MIDNIGHT, CalendarDay, Hours, Moment, TimeZone, Weekday, as_weekdays
from config.policy.values import Shape, different

Weekdays = Annotated[tuple[Weekday, ...], Strict(False), Field(min_length=1), AfterValidator(different)]
WHOLE_DAY = (0, MIDNIGHT)
WINDOWS_LIMIT = 20  # of either kind; all of them are looked at for each day that a freeze may last


class CalendarShape(Shape):
    """When people are at work: reminders and escalation count only this time."""

    timezone: TimeZone = "UTC"
    """The time zone of the hours, for example Europe/Madrid."""
    days: Weekdays = ("mon", "tue", "wed", "thu", "fri")
    """The days of the week on which people work."""
    hours: Hours = Field(default=(9 * 60, 18 * 60), json_schema_extra={"default": "09:00-18:00"})
    """From when to when, for example "09:00-18:00"."""
    holidays: Annotated[tuple[CalendarDay, ...], Strict(False), AfterValidator(different)] = ()
    """Days on which nobody works, for example 2026-12-25."""

    def as_calendar(self) -> WorkingHours:
        return WorkingHours(self.timezone, as_weekdays(self.days), *self.hours, self.holidays)


class WindowShape(Shape):
    """Either from one moment to another, or the same hours every week."""

    begins: Annotated[Moment | None, Field(alias="from")] = None
    """The first moment, for example "2026-12-18 18:00"."""
    until: Moment | None = None
    """The moment at which it is over."""
    days: Weekdays | None = None
    """These days of every week."""
    hours: Hours | None = None
    """On these days only from when to when, for example "14:00-24:00"; without it, all day."""

    @model_validator(mode="after")
    def _dated_or_weekly(self) -> Self:
        dated = {"begins", "until"} & self.model_fields_set
        weekly = {"days", "hours"} & self.model_fields_set
        if bool(dated) is bool(weekly):
            raise ValueError("needs either from and until, or days and hours")
        if dated == {"begins"}:
            raise ValueError(f"begins at {_written(self.begins)} and has no until: a freeze without end. Add until")
        if dated == {"until"}:
            raise ValueError("has an until and no from. Say from when")
        if weekly == {"hours"}:
            raise ValueError("has hours and no days. Name the days, for example [sat, sun]")
        if self.begins and self.until and self.begins >= self.until:
            raise ValueError(f"begins at {_written(self.begins)}, which is not before {_written(self.until)}")
        return self

    def as_window(self) -> DomainWindow:
        if self.begins is not None and self.until is not None:
            return Dated(self.begins, self.until)
        return Weekly(as_weekdays(self.days or ()), *(self.hours or WHOLE_DAY))


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(" ", "minutes")


Windows = Annotated[tuple[WindowShape, ...], Strict(False), Field(max_length=WINDOWS_LIMIT)]


class FreezeShape(Shape):
    """When an approval is not applied but waits: in every deny window, and outside of all allow windows. Deny wins."""

    timezone: TimeZone | None = None
    """The time zone of the windows; without it, the calendar's."""
    deny: Windows = ()
    """Nothing is applied in these windows."""
    allow: Windows = ()
    """When there are any, approvals are applied in these windows only."""

    @model_validator(mode="after")
    def _has_windows(self) -> Self:
        if not self.deny and not self.allow:
            raise ValueError("needs at least one window in deny or in allow")
        return self

    def as_freeze(self, name: str, timezone: str) -> Freeze:
        """`timezone` applies unless the freeze sets one."""
        deny = tuple(window.as_window() for window in self.deny)
        return Freeze(name, self.timezone or timezone, deny, tuple(window.as_window() for window in self.allow))
