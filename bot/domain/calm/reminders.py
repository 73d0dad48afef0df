"""One message of reminders for each person: when it is due, and what it lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.card.card import Card, Item, Link
from bot.domain.card.context import CardContext
from bot.domain.card.needs import needs_text
from bot.domain.card.titles import short_version
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.calendars import WorkingHours
from bot.domain.policy.rules import Rule
from bot.domain.request.opening import waits_since
from bot.domain.text import IN_PROSE, duration_text, target_label
from bot.language import _, ngettext, sentences

LINES = 25


@dataclass(frozen=True)
class Waits:
    """An open vote that a person's own would bring forward, with the rule that it is cast under."""

    request: TransitionRequest
    context: CardContext

    @property
    def rule(self) -> Rule | None:
        return self.context.rule


def is_due(waiting: Sequence[Waits], last: datetime | None, calendar: WorkingHours, now: datetime) -> bool:
    """Whether a reminder of one of these came due since the person's last message, and that is at least the rule's pause ago.

    A last message that is ahead was noted while the clock was fast, and holds up none.
    """
    return any(_is_due(one, last, calendar, now) for one in waiting)


def _is_due(one: Waits, last: datetime | None, calendar: WorkingHours, now: datetime) -> bool:
    reminded, rule = one.request.reminded_at, one.rule
    if one.request.state is not State.PENDING or reminded is None or rule is None or rule.remind_after is None:
        return False
    return last is None or last > now or (reminded > last and calendar.elapsed(last, now) >= rule.remind_after)


def reminders_card(waiting: Sequence[Waits], now: datetime) -> Card:
    """A direct message: everything that waits for this person's vote, the longest first."""
    title = ngettext("{count} request waits for you", "{count} requests wait for you", len(waiting))
    said = _("Your vote would bring each of them forward. Open a card to vote.")
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), said),
        paragraphs=(said, *more_than(LINES, len(waiting))),
        items=tuple(line_of(one, now) for one in by_age(waiting)[:LINES]),
    )


def by_age(waiting: Sequence[Waits]) -> list[Waits]:
    return sorted(waiting, key=lambda one: ((waits_since(one.request) or one.request.opened_at), one.request.id))


def more_than(shown: int, all_: int) -> list[str]:
    """Says how many are left out."""
    if all_ <= shown:
        return []
    return [
        ngettext(
            "And {count} more: countersign requests list has all.",
            "And {count} more: countersign requests list has all.",
            all_ - shown,
        )
    ]


def line_of(one: Waits, now: datetime) -> Item:
    request = one.request
    since = waits_since(request)
    age = _("Waits for {duration}.", duration=duration_text(now - since, IN_PROSE)) if since else ""
    card = Link(_("Open the card"), request.card.url) if request.card else None
    return Item(name_of(request), sentences(age, needs_text(request, one.context)), link=card)


def name_of(request: TransitionRequest) -> str:
    return _("{version} → {target}", version=short_version(request.version), target=target_label(request))
