"""Whether the rows tell what the ledger tells of a place since a version came there. The bot's database role may change or delete rows, and
no entry: a decision that is missing from the rows would make an older holder the lawful one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from bot.domain.events import RequestApproved, RequestOpened, TargetMoved
from bot.domain.model import State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry.custody import brought_by
from bot.domain.registry.facts import Facts, is_a_no, last_word, when
from bot.domain.registry.names import former_names
from bot.domain.text import format_utc
from bot.errors import Permanent, Temporary
from bot.store.audit import event_of
from bot.store.custody import READ_BACK
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, decisions_for, ids_of_decisions
from handlers.custody.on_record import check_id_on_record


def check_none_is_hidden(version: VersionId | None, facts: Facts, tx: Transaction) -> None:
    """`version` is to be given the place, or compared with, by the facts: what brought it there, what was moved there later and whether
    people rejected it later is in the rows as in the ledger; for None, as no version has a right to it, all that was moved there. Raises
    Permanent when it is not, and Temporary when it has changed meanwhile.
    """
    brought = brought_by(version, facts) if version else None
    _check_since(brought, version, (version.version,) if version else (), facts, tx)


def is_any_hidden(version: VersionId, facts: Facts, tx: Transaction) -> bool:
    """For what people can decide instead. Raises Temporary as above."""
    try:
        check_none_is_hidden(version, facts, tx)
    except Permanent:
        return True
    return False


def is_any_hidden_since(approved: TransitionRequest, version: VersionId, facts: Facts, tx: Transaction) -> bool:
    """As `is_any_hidden`, since `approved` moved there; rejections of all versions count, as another may have the same content."""
    try:
        _check_since(approved, version, None, facts, tx)
    except Permanent:
        return True
    return False


def check_nothing_later_is_hidden(request: TransitionRequest, facts: Facts, tx: Transaction) -> None:
    """Before `request` moves the target: a later approval there would take its place, and its row may be hidden. Raises Permanent."""
    own = tx.ledger.about(request.id)
    since = max((one.seq for one in own if one.kind == RequestApproved.__name__), default=own[0].seq)
    entries = tx.ledger.entries_after(RequestApproved.__name__, since)
    approved = {event.request_id for entry in entries if isinstance(event := event_of(entry), RequestApproved)}
    here = {event.request_id for event in _at_place(_names(facts, tx), 0, facts, tx)} if approved else set()
    check_all_on_record(approved & here, tx)


def _check_since(
    brought: TransitionRequest | None,
    version: VersionId | None,
    asked_about: Collection[int] | None,
    facts: Facts,
    tx: Transaction,
) -> None:
    """`asked_about`: the numbers of the versions whose rejections count; None for all."""
    since = _moved_at(brought, facts, tx) if brought else 0
    moved, asked = list[str](), list[str]()
    for event in _at_place(_names(facts, tx), since, facts, tx):
        if isinstance(event, TargetMoved):
            moved.append(event.request_id)
        elif asked_about is None or event.version.version in asked_about:
            asked.append(event.request_id)
    newest, counted = set(moved[-READ_BACK:]), _counted(facts, when(brought) if brought else None)
    of_brought = (brought.id,) if brought else ()
    check_all_on_record((*of_brought, *newest, *asked, *(one.id for one in counted)), tx)
    if brought is not None:
        _check_times(brought, {*newest, *asked}, facts)
    place = Place(facts.workspace, facts.model, facts.target)
    now = {one.id: one for one in decisions_for(place, tx, (version,) if version else ())}
    missing = newest - {one.id for one in facts.decisions}
    if missing & now.keys() or any(_said(one) != _said(now.get(one.id, one)) for one in counted):
        raise Temporary(f"what was decided about {facts.target} of {facts.model} has changed since it was read")
    if missing:  # they count for nothing under its present name, or forged rows have taken their room
        check_all_on_record(ids_of_decisions(place, tx), tx)


def _check_times(brought: TransitionRequest, later: Collection[str], facts: Facts) -> None:
    """The facts order decisions by their times, and a clock may have been set back between two of them."""
    for one in facts.decisions:
        if one.id in later and (one.state is State.APPLIED or is_a_no(one)) and last_word(one) < when(brought):
            raise Permanent(
                f"request {one.short_id} decided about {facts.target} of {facts.model} after request {brought.short_id}, by the ledger, "
                "and before it, by their times: a clock was set back. Nothing is moved. Once the database's clock has passed "
                f"{format_utc(when(brought))}, ask for the version that belongs there: `countersign request-transition`"
            )


def check_all_on_record(request_ids: Iterable[str], tx: Transaction) -> None:
    for request_id in sorted(set(request_ids)):
        check_id_on_record(request_id, tx)


def _moved_at(brought: TransitionRequest, facts: Facts, tx: Transaction) -> int:
    """The number of the entry by which it moved the target."""
    moves = [one.seq for one in tx.ledger.about(brought.id) if one.kind == TargetMoved.__name__]
    if not moves or (brought.target_model, brought.target) != (facts.model, facts.target):
        raise Permanent(
            f"{facts.target} of {facts.model} was changed beside the ledger: request {brought.short_id} has not moved it. Nothing is "
            "moved. Run `countersign audit verify`, and find out who can write to the database"
        )
    return max(moves)


def _names(facts: Facts, tx: Transaction) -> tuple[str, ...]:
    return (facts.model, *former_names(facts.model, tx.custody.renames(facts.workspace)))


def _at_place(names: Sequence[str], since: int, facts: Facts, tx: Transaction) -> Iterator[RequestOpened | TargetMoved]:
    for entry in tx.ledger.at_places(names, since):
        event = event_of(entry)
        if isinstance(event, RequestOpened | TargetMoved) and _is_there(event, names, facts):
            yield event


def _is_there(event: RequestOpened | TargetMoved, names: Sequence[str], facts: Facts) -> bool:
    if event.version.workspace != facts.workspace or event.target.kind is not facts.target.kind:
        return False
    if facts.target.kind is TargetKind.MODEL:
        return event.target.name in names
    return event.target == facts.target and event.version.model in names


def _counted(facts: Facts, since: datetime | None) -> list[TransitionRequest]:
    """By which the facts say that something was moved or rejected there since: a row may be forged as well."""
    count = (one for one in facts.decisions if one.state is State.APPLIED or is_a_no(one))
    return [one for one in count if since is None or max(one.opened_at, last_word(one)) >= since]


def _said(one: TransitionRequest) -> tuple[object, ...]:
    return one.version, one.copies, one.away_from, one.kind, one.state, when(one), last_word(one), is_a_no(one)
