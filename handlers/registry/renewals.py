"""Renews open requests whose target changed hands: their comparison is outdated, and votes on it cannot lead to a move."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.model import OPEN, Kind, TargetKind, TransitionRequest
from bot.domain.registry.comparisons import why_outdated
from bot.domain.request import lifecycle
from bot.engine.lanes import FollowUp, Lane, lane_of
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.belief import check_believed
from handlers.custody.facts import Place, facts_about
from handlers.request.asking import open_in_place_of

RENEWAL = FollowUp("renew_comparison", Lane.EVIDENCE)
ROUNDS = 3  # renewals of one request within WITHIN; then it waits, because each makes a card and a ticket
WITHIN = timedelta(hours=1)


def defer_renewals(place: Place, tx: Transaction) -> None:
    """To be called when a target may have changed hands. In the lane of the evidence: what is being collected is judged after that."""
    model = None if place.target.kind is TargetKind.MODEL else place.model
    for request in tx.requests.find(workspace=place.workspace, model=model, target=place.target, states=OPEN):
        if request.kind is not Kind.OBSERVED:
            tx.defer_for(RENEWAL, request)


def renew_comparison(request_id: str, s: Services) -> None:
    """Ends the request and opens it again with a new comparison, if its target changed hands since its evidence was frozen."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
    if not request.state.is_open:
        return
    with s.store.turns.take(request.version.workspace, request.target_model):
        check_believed(request.version.workspace, s)
        why = why_outdated(request, facts_about(request, s))
        if why:
            _renew(request, why, s)


def _renew(request: TransitionRequest, why: str, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.requests.lock_model(request.version.workspace, request.version.model)
        locked = tx.requests.get(request.id, for_update=True)
        if locked.evidence != request.evidence:
            return  # somebody else renewed it
        again = _again_at(locked, tx)
        if locked.kind is Kind.ROLLBACK:
            tx.record(lifecycle.withdraw(locked, why, now))
        elif again is not None and again > now:
            tx.defer(RENEWAL.effect, locked.id, lane_of(RENEWAL.lane, locked), at=again)
        elif tx.policy().rule_for(locked.version.workspace, locked.version.model, locked.target) is not None:
            open_in_place_of(locked, why, tx, now)


def _again_at(request: TransitionRequest, tx: Transaction) -> datetime | None:
    """When it may be renewed again, if it has been often: another program may move the target back and forth for ever."""
    one = request
    for _ in range(ROUNDS - 1):
        if one.follows is None:
            return None
        one = tx.requests.get(one.follows)
    earlier = tx.requests.get(one.follows) if one.follows is not None else None
    return one.opened_at + WITHIN if earlier is not None and earlier.renewed else None
