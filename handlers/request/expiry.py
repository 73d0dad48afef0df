"""Stories that only the passing of time tells: requests that nobody decided, and rows that nobody needs any more."""

from __future__ import annotations

from bot.domain.request import lifecycle
from bot.services import Services


def expire_requests(_: str, s: Services) -> None:
    """Nothing waits for ever: what is past its rule's `expire_after` ends, and the one who asked is told.

    While the registry is doubted nothing ends: what could not be read because of it would be lost for no reason of its own.
    """
    now = s.clock.now()
    with s.store.transaction() as tx:
        due = [] if tx.trust.doubted() else tx.requests.due(now)
    for request_id in due:
        with s.store.transaction() as tx:
            tx.record(lifecycle.expire(tx.requests.get(request_id, for_update=True), now))


def prune(_: str, s: Services) -> None:
    """Delivery ids and clock periods are kept for a week; the ledger for ever."""
    with s.store.transaction() as tx:
        tx.outbox.prune(s.clock.now())
