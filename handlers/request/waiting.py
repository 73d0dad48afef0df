"""A request that waits for its evidence: the card says so after a minute, and the evidence is retried."""

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
from bot.store.transaction import Transaction

# How long a passing failure stays off the card: one sweep of all models.
A_WHILE = timedelta(minutes=1)
EVERY_MINUTE = timedelta(minutes=10)  # how long it is tried every minute; after that every ten, for files may be large
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
    """Once a minute: says on the card that the evidence is still missing, and retries it if no job does."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        waiting = [one for one in tx.requests.find(states=(State.COLLECTING,)) if now - one.opened_at >= A_WHILE]
        busy = tx.unfinished("freeze_evidence") if waiting else frozenset()
        for request in waiting:
            if request.card is None:
                tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)
            if request.id not in busy and _is_due(request, tx, now):
                tx.defer_for(FollowUp("freeze_evidence", Lane.EVIDENCE), request)


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
