"""Requests as the rows of a page. All that they need is read in a few statements, however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.card.context import CardContext
from bot.domain.card.sentences import status_sentence
from bot.domain.card.titles import title_of
from bot.domain.model import OPEN, DecidedBy, State, TransitionRequest, VersionId
from bot.domain.policy.freezes import freeze_on
from bot.domain.queries.description import decided_by
from bot.domain.request.counting import rule_of_decision
from bot.domain.request.needed import Electorate
from bot.domain.text import duration_text, person_name
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.notify.render_context import people_of, progress_text, unread_key

WAITING = (*OPEN, State.APPROVED)


@dataclass(frozen=True)
class Row:
    """A request as one row. `decided_by` are printed names, or what decided without people, and then `people` is empty.

    `needs` says what it waits for, empty when it does not wait.
    """

    id: str
    version: VersionId
    target: str
    title: str
    requester: str
    decided_by: str
    people: str
    opened_at: datetime
    decided_at: datetime | None
    ticket: str
    ticket_url: str
    age: str
    needs: str = ""


def rows_of(
    requests: Sequence[TransitionRequest], tx: Transaction, now: datetime, names: Mapping[str, str]
) -> tuple[Row, ...]:
    """In their order. `names` are those of all people."""
    contexts = _contexts([one for one in requests if one.state in WAITING], tx, now, names)
    taken_back = _taken_back(requests, tx)
    return tuple(_row(one, contexts.get(one.id), tx, now, names, is_back=one.id in taken_back) for one in requests)


def _row(
    request: TransitionRequest,
    context: CardContext | None,
    tx: Transaction,
    now: datetime,
    names: Mapping[str, str],
    *,
    is_back: bool,
) -> Row:
    decider = decided_by(request, names, rule_of_decision(request, tx.policy()))
    return Row(
        request.id,
        request.version,
        str(request.target),
        title_of(request, is_rolled_back=is_back),
        person_name(request.requester, names) if request.requester else "",
        decider,
        decider if request.decided_by in (None, DecidedBy.PEOPLE) else "",
        request.opened_at,
        request.ended_at or request.decided_at,
        request.ticket.key if request.ticket else "",
        request.ticket.url if request.ticket else "",
        duration_text(now - request.opened_at),
        status_sentence(request, context) if context else "",
    )


def _contexts(
    waiting: Sequence[TransitionRequest], tx: Transaction, now: datetime, names: Mapping[str, str]
) -> dict[str, CardContext]:
    """By id, what the sentence about a request that waits needs; a card needs more (`handlers.notify.render_context`)."""
    if not waiting:
        return {}
    policy = tx.policy()
    unread = SentRows(tx.connection).digests([unread_key(one) for one in waiting if one.state is State.PENDING])
    readings = tx.readings.some([one.id for one in waiting if one.state is State.COLLECTING])
    emails, away = people_of(waiting, policy, tx, now)
    found = {}
    for one in waiting:
        rule = policy.rule_for(one.version.workspace, one.version.model, one.target)
        found[one.id] = CardContext(
            names,
            rule,
            policy.rule_hash(rule) if rule else "",
            freeze=freeze_on(one, policy, now),
            groups=policy.groups_of(rule) if rule else (),
            progress=progress_text(readings.get(one.id)),
            unread=unread.get(unread_key(one), ""),
            addresses=frozenset(emails[party] for party in one.parties if party in emails),
            electorate=Electorate(policy.groups_of(rule), emails, away) if rule else None,
        )
    return found


def _taken_back(requests: Sequence[TransitionRequest], tx: Transaction) -> frozenset[str]:
    """The ids of those that were applied and whose version was rolled back from the target since."""
    applied = [one for one in requests if one.state is State.APPLIED]
    rollbacks = tx.requests.rollbacks_of({(one.version.workspace, one.version.model) for one in applied})

    def is_away(back: TransitionRequest, one: TransitionRequest) -> bool:
        later = (back.settled_at or back.opened_at) >= (one.settled_at or one.opened_at)
        return back.away_from == one.version and back.target == one.target and later

    return frozenset(one.id for one in applied if any(is_away(back, one) for back in rollbacks))
