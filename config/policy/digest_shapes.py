"""The shape of `digest`: when the weekly digest is due, and who gets it. When a cron fires is in `handlers.digest.schedule`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field, Strict, model_validator

from bot.domain.policy.rules import DigestPlan
from config.policy.ticket_shapes import TicketFields, as_ticket_fields
from config.policy.times import WEEKDAYS, Duration, TimeZone
from config.policy.values import Channel, Email, ProjectKey, Shape, Text, different

EVERY_MONDAY = "0 9 * * mon"
ADDRESSES_LIMIT = 20
A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 1461  # 28 years, in which every date falls on every day of the week
A_WEEK = timedelta(weeks=1)
NUMBERS = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?(,(\*|\d+(-\d+)?)(/\d+)?)*")
MONTHS = re.compile(r"[\w*/,-]+")
DAY = "|".join(WEEKDAYS)
DAYS = re.compile(rf"\*|({DAY})(-({DAY}))?(,({DAY})(-({DAY}))?)*")
FORMS = (NUMBERS, NUMBERS, NUMBERS, MONTHS, DAYS)
NAMES = ("minute", "hour", "day", "month", "day of the week")


def _cron(text: str) -> str:
    fields = text.lower().split()
    if len(fields) != 5:
        raise ValueError(
            f'must be a cron of five fields, minute, hour, day, month and day of the week, such as "{EVERY_MONDAY}"'
        )
    days = fields[4]
    if "#" in days:
        day = days.partition("#")[0] or "mon"
        raise ValueError(
            f'names one week of a month, "{days[:20]}", and each week has its digest. Write the day alone: {day[-3:]}'
        )
    if any(letter.isdigit() for letter in days):
        raise ValueError(
            f'gives the day of the week as a number, "{days[:20]}", and programs do not agree which day that is. '
            "Write its name: mon, tue, wed, thu, fri, sat, sun"
        )
    trigger = _trigger(fields)
    if (fields[2], fields[3]) != ("*", "*"):
        _refuse_silent_weeks(trigger)
    return " ".join(fields)


def _trigger(fields: list[str]) -> CronTrigger:
    try:
        _check_forms(fields)
        return CronTrigger.from_crontab(" ".join(fields), timezone=UTC)
    except ValueError as mistake:
        said = str(mistake).rstrip(".")
        raise ValueError(f'is no cron. {said}. Write one such as "{EVERY_MONDAY}"') from None


def _check_forms(fields: list[str]) -> None:
    """APScheduler looks at the beginning of a field alone, so that `mon#1` would pass for mon."""
    for name, form, field in zip(NAMES, FORMS, fields, strict=True):
        if not form.fullmatch(field):
            raise ValueError(f'The {name} is "{field[:20]}", which means nothing there')


def _refuse_silent_weeks(trigger: CronTrigger) -> None:
    """Day and month narrow it further, and a week in which it does not fire at all would have no digest."""
    for monday in (A_MONDAY + number * A_WEEK for number in range(WEEKS)):
        fire = trigger.get_next_fire_time(None, monday)
        if fire is None or fire >= monday + A_WEEK:
            year, week, _ = monday.isocalendar()
            raise ValueError(
                f"does not fire in every week, for example not in {year}-W{week:02}, and each week has its digest. "
                f'Leave day and month as *, as in "{EVERY_MONDAY}"'
            )


class DigestNotifyShape(Shape):
    """Where the digest is posted."""

    slack: Channel
    """A channel, for example "#compliance". Keep the quotes: # begins a comment."""


class DigestTicketShape(Shape):
    """The Jira ticket that each digest gets, with the report attached."""

    project: ProjectKey
    """The key of the Jira project."""
    type: Text
    """The issue type, for example Task."""
    fields: TicketFields = Field(default_factory=dict)
    """What else to fill in when the ticket is opened, by a field's name or id in Jira."""


class DigestShape(Shape):
    """The weekly digest for compliance: when it is due, and who gets it."""

    cron: Annotated[str, AfterValidator(_cron)] = EVERY_MONDAY
    """When the digest of the week before is due: minute, hour, day, month, day of the week by name."""
    timezone: TimeZone | None = None
    """The time zone of the cron and of the weeks, which begin on Monday at midnight; without it, the calendar's."""
    notify: DigestNotifyShape | None = None
    """Where the digest is posted; without it, nowhere."""
    ticket: DigestTicketShape | None = None
    """The ticket that each digest gets; without it, none."""
    email: Annotated[
        tuple[Email, ...], Strict(False), Field(max_length=ADDRESSES_LIMIT), AfterValidator(different)
    ] = ()
    """The addresses that it is sent to; this needs SMTP_URL."""
    sign_off: Text | None = None
    """A group from `groups`, one of whose members signs each digest off; without it, no one needs to."""
    sign_off_within: Duration = Field(default=timedelta(days=7), json_schema_extra={"default": "7d"})
    """A digest that is not signed off this long after its closing needs attention in the next one."""

    @model_validator(mode="after")
    def _reaches_somebody(self) -> Self:
        if self.notify is None and self.ticket is None and not self.email:
            raise ValueError("has nobody who gets it. Add notify, ticket or email")
        return self

    @model_validator(mode="after")
    def _somebody_signs(self) -> Self:
        if "sign_off_within" in self.model_fields_set and self.sign_off is None:
            raise ValueError(
                "says by when a digest is signed off, and not by which group. Add sign_off, or remove sign_off_within"
            )
        return self

    def as_plan(self, timezone: str) -> DigestPlan:
        """`timezone` applies unless the digest sets one."""
        return DigestPlan(
            cron=self.cron,
            timezone=self.timezone or timezone,
            channel=None if self.notify is None else self.notify.slack,
            ticket=None if self.ticket is None else (self.ticket.project, self.ticket.type),
            email=self.email,
            ticket_fields=() if self.ticket is None else as_ticket_fields(self.ticket.fields),
            sign_off=self.sign_off,
            sign_off_within=self.sign_off_within,
        )
