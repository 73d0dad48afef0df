"""Asking people to approve what is in place already, without an approval."""

from __future__ import annotations

from bot.domain.model import Ask, AskKind, Kind, State, TargetKind, TransitionRequest
from bot.domain.request.lifecycle import NewRequest
from bot.ports.progress import Report, silent
from bot.services import Services
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.request.asking import open_new


def adopt(s: Services, report: Report = silent) -> list[TransitionRequest]:
    """Turns targets that are held without an approval into requests to ratify them."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        adopted, without = list[TransitionRequest](), _without_approval(tx)
        for place, held in enumerate(without, start=1):
            report(f"asking about target {place:,} of {len(without):,}")
            new = NewRequest(held.version, held.target, Ask(AskKind.ADOPTED), kind=Kind.OBSERVED)
            adopted.append(open_new(new, tx, now))
    return adopted


def to_adopt(s: Services) -> list[Placement]:
    """The targets that `adopt` would ask about now."""
    with s.store.transaction() as tx:
        return _without_approval(tx)


def _without_approval(tx: Transaction) -> list[Placement]:
    """What is held without a request, where a rule applies."""
    policy = tx.policy()
    return [
        held
        for held in tx.registry.placements()
        if held.version.workspace in policy.places and held.request_id is None
        if policy.rule_for(held.version.workspace, held.version.model, held.target)
        if not _is_denied(held, tx)
    ]


def _is_denied(held: Placement, tx: Transaction) -> bool:
    """A copy that was denied stays where it is; the decision on it has been carried out."""
    asked = [one for one in tx.requests.find(version=held.version, target=held.target) if one.kind is Kind.OBSERVED]
    is_settled_no = bool(asked) and asked[-1].state is State.REJECTED and asked[-1].settled_at is not None
    return is_settled_no and held.target.kind is TargetKind.MODEL
