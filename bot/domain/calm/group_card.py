"""The card that several requests share: a line for each, with what it needs and a button that opens its own card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.calm.grouping import Member
from bot.domain.card.card import Button, Card, Item, Lead, Link, Mark, Mention, Weight
from bot.domain.card.context import CardContext
from bot.domain.card.risk import risk_of
from bot.domain.card.sentences import status_sentence
from bot.domain.card.titles import short_version, title_of
from bot.domain.model import State, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.text import target_label
from bot.language import _, count_text, ngettext, sentences

OPEN_CARD = "open_card"
WAITING_SHOWN = 30
OVER_SHOWN = 12
LINE_LIMIT = 260  # characters of what a line says below its title


@dataclass(frozen=True)
class Shown:
    """A request with what its line needs beside it."""

    request: TransitionRequest
    context: CardContext


@dataclass(frozen=True)
class Counts:
    """How many requests of the group wait for votes, are being prepared, and are over."""

    waiting: int
    preparing: int
    over: int

    @property
    def all(self) -> int:
        return self.waiting + self.preparing + self.over

    @property
    def open(self) -> int:
        return self.waiting + self.preparing


def group_card(
    rule: str, shown: Sequence[Shown], counts: Counts, mentions: tuple[Mention, ...] = (), more: Link | None = None
) -> Card:
    """`shown` are those with a line, open ones first; `more` leads to all of them."""
    title = _title(rule, counts)
    said = _how_far(counts)
    left_out = counts.all - len(shown)
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), said),
        mark=Mark.OPEN if counts.open else Mark.OVER,
        lead=Lead(said, Weight.LOW),
        paragraphs=tuple(_around(counts, left_out)),
        items=tuple(_line(one) for one in shown),
        links=(more,) if more and left_out else (),
        mentions=mentions,
    )


def call_card(rule: str, counts: Counts, mentions: tuple[Mention, ...]) -> Card:
    """A reply below the list, when the first vote opens after the list was posted."""
    title = _("Votes are open: {rule}", rule=in_one_line(rule))
    said = _how_far(counts)
    return Card(title, sentences(_("{said}.", said=title), said), paragraphs=(said,), mentions=mentions)


def with_a_line(members: Sequence[Member]) -> list[str]:
    """The ids of those that are shown: open votes first, then what is being prepared, then what was decided last."""
    waiting = [one.id for one in members if one.state is State.PENDING]
    preparing = [one.id for one in members if one.state is State.COLLECTING]
    over = sorted((one for one in members if not one.state.is_open), key=_ended, reverse=True)
    return [*[*waiting, *preparing][:WAITING_SHOWN], *(one.id for one in over[:OVER_SHOWN])]


def count(members: Sequence[Member]) -> Counts:
    states = [one.state for one in members]
    waiting, preparing = states.count(State.PENDING), states.count(State.COLLECTING)
    return Counts(waiting, preparing, len(states) - waiting - preparing)


def _ended(member: Member) -> tuple[datetime, str]:
    return member.decided_at or member.opened_at, member.id


def _title(rule: str, counts: Counts) -> str:
    shown = in_one_line(rule)
    if not counts.open:
        return ngettext(
            "{count} request, decided: {rule}", "{count} requests, all decided: {rule}", counts.all, rule=shown
        )
    return ngettext(
        "Approval needed: {count} request, {rule}", "Approval needed: {count} requests, {rule}", counts.open, rule=shown
    )


def _how_far(counts: Counts) -> str:
    """In figures, which read alike for one and for many."""
    return _(
        "Waiting for votes: {waiting} of {all}. Being prepared: {preparing}. Over: {over}.",
        waiting=count_text(counts.waiting),
        all=count_text(counts.all),
        preparing=count_text(counts.preparing),
        over=count_text(counts.over),
    )


def _around(counts: Counts, left_out: int) -> list[str]:
    if not counts.open:
        return []
    where = _("Each request has its own card in this thread, and votes are cast there. Open shows it to you.")
    if not left_out:
        return [where]
    more = ngettext(
        "And {count} more request is not on this list.", "And {count} more requests are not on this list.", left_out
    )
    return [sentences(more, where)]


def _line(one: Shown) -> Item:
    request, context = one.request, one.context
    name = _("{version} → {target}", version=short_version(request.version), target=target_label(request))
    if not request.state.is_open:
        return Item(name, title_of(request, is_rolled_back=bool(context.rolled_back)), is_over=True)
    risk = risk_of(request, context) if request.state is State.PENDING else None
    said = status_sentence(request, context)
    text = sentences(_("{said}.", said=risk.text.rstrip(".")), said) if risk else said
    return Item(name, text[:LINE_LIMIT], Button(OPEN_CARD, _("Open"), request.id))
