"""Effect `look_at_tickets`: the clock looks for tickets that changed, for webhooks that were lost or never set up.

One search for each project in which people decide, and a look at each request whose ticket changed. When the last search is long ago, or
there never was one, every open request's ticket is looked at.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.domain.model import OPEN
from bot.engine.lanes import Lane
from bot.errors import OutsideError, Refused
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.tickets.looking import plan_for

log = structlog.get_logger()
OVERLAP = timedelta(minutes=10)  # clocks differ, and a search may not have what was written just now
LONGEST = timedelta(days=2)


def look_at_tickets(_: str, s: Services) -> None:
    """Looks for decisions in tickets that no webhook brought. A project that cannot be searched does not hold up the others."""
    troubles: list[OutsideError] = []
    with s.store.transaction() as tx:
        projects = _projects(tx)
    for project in projects:
        try:
            _look_in(project, s)
        except OutsideError as trouble:
            log.warning("tickets_not_searched", project=project, why=str(trouble))
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


def _projects(tx: Transaction) -> tuple[str, ...]:
    try:
        rules = tx.policy().rules
    except Refused:
        return ()  # no policy is in force yet
    return tuple(dict.fromkeys(rule.ticket.project for rule in rules if rule.ticket and rule.ticket.decides))


def _look_in(project: str, s: Services) -> None:
    now, key = s.clock.now(), f"tickets-searched:{project}"
    with s.store.transaction() as tx:
        last = SentRows(tx.connection).digests([key]).get(key, "")
    since = now - datetime.fromisoformat(last) + OVERLAP if last else LONGEST
    is_known = OVERLAP <= since < LONGEST  # below, the clock went back since
    changed = s.decisions.changed_since(project, int(since.total_seconds() // 60) + 1) if is_known else None
    with s.store.transaction() as tx:
        for request_id in _open_in(project, tx) if changed is None else _with_tickets(changed, tx):
            tx.defer("look_at_ticket", request_id, f"{Lane.JIRA}:{request_id}", once=True)
        SentRows(tx.connection).put(key, now.isoformat(), now)


def _open_in(project: str, tx: Transaction) -> list[str]:
    open_ones = [one for one in tx.requests.find(states=OPEN) if one.ticket is not None]
    plans = [(one.id, plan_for(one, tx)) for one in open_ones]
    return [id_ for id_, plan in plans if plan is not None and plan.decides and plan.project == project]


def _with_tickets(changed: tuple[str, ...], tx: Transaction) -> list[str]:
    found = (tx.requests.with_ticket(one) for one in changed)
    return [one for one in found if one is not None]
