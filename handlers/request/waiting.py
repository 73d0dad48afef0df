"""A request whose evidence cannot be read, or not any more: its card says so, and the evidence is retried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bot.domain.model import Kind, State, TransitionRequest
from bot.domain.names import storable
from bot.domain.request import lifecycle
from bot.engine.lanes import FollowUp, Lane
from bot.errors import OutsideError, Permanent, Temporary
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.notify.render_context import unread_key
from handlers.request.absences import show_who_is_left

# How long a passing failure stays off the card: one sweep of all models.
A_WHILE = timedelta(minutes=1)
EVERY_MINUTE = timedelta(minutes=10)  # how long it is tried every minute; after that every ten, for files may be large
LOOKS_BACK = timedelta(days=7)  # for absences that have ended, perhaps while no worker ran
REASON_LIMIT = 500  # characters


@contextmanager
def telling_if_unreadable(request: TransitionRequest, s: Services) -> Iterator[None]:
    """Re-raises every error. The card says it at once if there is no retry within a minute, else after a minute."""
    try:
        yield
    except OutsideError as trouble:
        now = s.clock.now()
        with s.store.transaction() as tx:
            locked = tx.requests.get(request.id, for_update=True)
            since = locked.decided_at or locked.opened_at
            if locked.kind is Kind.OBSERVED or lasts(trouble) or now - since >= A_WHILE:
                tx.record(lifecycle.cannot_read(locked, reason_of(trouble), now))
        raise


def tell_waiting(_: str, s: Services) -> None:
    """Once a minute: says on the card that the evidence is still missing, and retries it if no job does; watches that of open votes."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        _watch_open_votes(tx, now)
        waiting = [one for one in tx.requests.find(states=(State.COLLECTING,)) if now - one.opened_at >= A_WHILE]
        busy = tx.unfinished("freeze_evidence") if waiting else frozenset()
        for request in waiting:
            if request.card is None:
                tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)
            if request.id not in busy and _is_due(request, tx, now):
                tx.defer_for(FollowUp("freeze_evidence", Lane.EVIDENCE, takes_turns=True), request)


def _watch_open_votes(tx: Transaction, now: datetime) -> None:
    """Every ten minutes one look at the evidence of each open vote, which costs the registry a call or two; and who is back may vote."""
    back = [f"{one.person}/{one.until.isoformat()}" for one in tx.absences.over_since(now - LOOKS_BACK, now)]
    if [one for one in back if tx.outbox.is_new_tick("absence_over", one, now)]:
        show_who_is_left(tx)
    for request in tx.requests.find(states=(State.PENDING,)):
        period = (now - request.opened_at) // EVERY_MINUTE
        if period > 0 and tx.outbox.is_new_tick("evidence_seen", f"{request.id}/{period}", now):
            tx.defer_for(FollowUp("look_at_evidence", Lane.EVIDENCE), request)


def look_at_evidence(request_id: str, s: Services) -> None:
    """Says on the card of an open vote that its evidence can no longer be read, and no longer says so once it can. Files are not read."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
    if request.state is not State.PENDING:
        return
    trouble = ""
    try:
        s.registry_at(request.version.workspace).read_metrics(request.version)
    except OutsideError as error:
        if not lasts(error):
            raise
        trouble = reason_of(error)
    with s.store.transaction() as tx:
        key = unread_key(request)
        if SentRows(tx.connection).digests([key]).get(key, "") != trouble:
            SentRows(tx.connection).put(key, trouble, s.clock.now())
            tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)


def _is_due(request: TransitionRequest, tx: Transaction, now: datetime) -> bool:
    age = now - request.opened_at
    return age < EVERY_MINUTE or tx.outbox.is_new_tick("evidence_again", f"{request.id}/{age // EVERY_MINUTE}", now)


def lasts(trouble: OutsideError) -> bool:
    """It will still be there in a minute."""
    waits = trouble.retry_after if isinstance(trouble, Temporary) else 0.0
    return isinstance(trouble, Permanent) or waits >= A_WHILE.total_seconds()


def reason_of(trouble: OutsideError) -> str:
    """On one line, as the ledger and cards can hold it."""
    return storable(" ".join(str(trouble).split()))[:REASON_LIMIT]
