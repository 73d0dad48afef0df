"""The slow sweep: whether what approvals rest on is still there. It moves no target and changes no decision.

Each sweep looks at some targets of each workspace, those that were looked at longest ago first. It takes each in a transaction of its own
and records it in another: a sweep that is cut short leaves the rest due, and the one at which it ended waits its turn. A registry that is
not believed is not asked, for what it lacks may only be lacking in it; and one that does not answer at all is reported elsewhere, so its
targets are only left for a later sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from bot.domain.events import Event
from bot.domain.evidence.losses import Found, Kept, Part, judge, looks_in_a_sweep, next_look
from bot.domain.policy.evidence_watch import EvidenceWatch
from bot.engine.lanes import Lane
from bot.errors import OutsideError
from bot.services import Services
from bot.store.evidence_watch import EvidenceWatchRows, WatchedPlace
from bot.store.transaction import Transaction
from handlers.custody.belief import check_believed, is_doubted
from handlers.evidence.approvals import Resting, resting_at
from handlers.evidence.looking import Asked, Looked, ask_at_once, look_at

log = structlog.get_logger()
TELLING = "tell_losses"
UNREAD = Found(unread="the look has not ended")
GIVES_UP_AFTER = (
    3  # questions of a sweep that a registry or its store did not answer: the rest is left for the next sweep
)


def look_after_evidence(_: str, s: Services) -> None:
    """Effect of the clock."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        rows, plan = EvidenceWatchRows(tx.connection), tx.policy().evidence_watch
        rows.forget_left(now)
        due = {
            workspace: rows.due(now, workspace, looks_in_a_sweep(rows.count_places(workspace), plan.every))
            for workspace in tx.places()
            if not is_doubted(workspace, tx)
        }
    for workspace, places in due.items():
        if places:
            _look_in(workspace, places, plan, s)


def _look_in(workspace: str, places: Sequence[WatchedPlace], plan: EvidenceWatch, s: Services) -> None:
    with s.store.transaction() as tx:
        stores = tx.policy().artifact_stores
        resting = {place: resting_at(place, plan.ways_back, tx) for place in places}
    asked = Asked(stores)
    try:
        check_believed(workspace, s)
        registry = s.registry_at(workspace)
        ask_at_once((one for approvals in resting.values() for one in approvals), registry, asked, s)
    except OutsideError as trouble:
        _leave_for_later(workspace, trouble)
        return
    for due, approvals in resting.items():
        place = _taken(due, plan, s)
        if place is None:
            continue
        looked = [look_at(one, registry, asked, s) for one in approvals]
        if _has_lost(looked) and not _is_still_believed(workspace, s):
            return
        _record(place, approvals, looked, plan, s)
        if asked.troubles >= GIVES_UP_AFTER:
            return


def _taken(place: WatchedPlace, plan: EvidenceWatch, s: Services) -> WatchedPlace | None:
    """Puts its next look behind others before this one, which may end in an error that nobody foresaw: the next sweep begins with others.

    None when another worker looks at it already.
    """
    now = s.clock.now()
    with s.store.transaction() as tx:
        return EvidenceWatchRows(tx.connection).put_behind(place, now, next_look((UNREAD,), now, plan.every))


def _is_still_believed(workspace: str, s: Services) -> bool:
    """Another registry may have taken its place, or it may have stopped answering, while we looked."""
    try:
        check_believed(workspace, s)
    except OutsideError as doubt:
        _leave_for_later(workspace, doubt)
        return False
    return True


def _leave_for_later(workspace: str, doubt: OutsideError) -> None:
    log.warning("evidence_not_looked_after", workspace=workspace, error=str(doubt), next="the next sweep tries again")


def _has_lost(looked: Iterable[Looked]) -> bool:
    return any(found.gone for one in looked for found in one.found.values())


def _record(
    place: WatchedPlace, approvals: Sequence[Resting], looked: Sequence[Looked], plan: EvidenceWatch, s: Services
) -> None:
    """Once for each look, whoever else looks at the same time."""
    now = s.clock.now()
    everything = [found for one in looked for found in one.found.values()]
    with s.store.transaction() as tx:
        rows = EvidenceWatchRows(tx.connection)
        if not rows.claim(place, now, next_look(everything, now, plan.every)):
            return
        looked_after = [one.request.id for one in approvals]
        kept = rows.parts(looked_after)
        rows.look_after_only(place, looked_after, now)
        for one, seen in zip(approvals, looked, strict=True):
            happened = _judged(one, seen, kept, rows, place, s)
            tx.record(happened)
            _say(one.channel, happened, rows, tx)


def _judged(
    one: Resting,
    looked: Looked,
    kept: Mapping[tuple[str, Part], Kept],
    rows: EvidenceWatchRows,
    place: WatchedPlace,
    s: Services,
) -> list[Event]:
    happened: list[Event] = []
    for part, found in looked.found.items():
        before = kept.get((one.request.id, part)) or _new(one, part)
        after, events = judge(before, found, s.clock.now())
        known = looked.known if part is Part.DATA else ()
        rows.put(replace(after, known=known or after.known), place)
        happened += events
    if Part.DATA not in looked.found and looked.known:  # not looked after, but known where it is
        rows.put(replace(kept.get((one.request.id, Part.DATA)) or _new(one, Part.DATA), known=looked.known), place)
    return happened


def _new(one: Resting, part: Part) -> Kept:
    """All of it was there when the vote opened: that is when the evidence was frozen."""
    return Kept(one.request.id, part, one.request.pending_since or one.request.opened_at)


def _say(channel: str, happened: Sequence[Event], rows: EvidenceWatchRows, tx: Transaction) -> None:
    """In the channel of the rule in force; without a rule only the digest has it."""
    if channel and happened:
        for event in happened:
            rows.add_note(channel, event)
        defer_telling(channel, tx)


def defer_telling(channel: str, tx: Transaction) -> None:
    tx.defer(TELLING, channel, f"{Lane.NOTES}:losses:{channel}", once=True)
