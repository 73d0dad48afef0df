"""The guard before an approval is applied: is the world still the one that was decided on, and is now the time?"""

from __future__ import annotations

from datetime import datetime

from bot.domain import evidence, lifecycle
from bot.domain.model import DecidedBy, Kind, TransitionRequest
from bot.domain.policy import Policy
from bot.domain.wording import FreezeNow
from bot.services import Services


def is_held_by_freeze(request: TransitionRequest, s: Services) -> bool:
    """Records until when an approval waits. A freeze never keeps anybody from going back."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        freeze = freeze_on(request, tx.policy(), now)
        if freeze is not None:
            locked = tx.get_request(request.id, for_update=True)
            tx.record(lifecycle.hold(locked, freeze.name, freeze.until, now))
    return freeze is not None


def freeze_on(request: TransitionRequest, policy: Policy, now: datetime) -> FreezeNow | None:
    """The one of the rule's freezes that is on and ends last."""
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None or request.kind is not Kind.PROMOTION:
        return None
    ends = [(freeze.until(now), freeze.name) for freeze in policy.freezes_of(rule)]
    on = [FreezeNow(name, until) for until, name in ends if until is not None]
    return max(on, key=lambda freeze: freeze.until, default=None)


def what_changed(request: TransitionRequest, s: Services) -> str:
    """Why the approval no longer speaks of what is there; empty when it does. The champion is compared where the target is moved."""
    with s.store.transaction() as tx:
        policy = tx.policy()
        is_on = tx.switches.fast_track_is_on()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return "no rule in the policy speaks of the target any more"
    if policy.rule_hash(rule) != request.rule_hash:
        return "the rule, or a group that it names, is another one than was decided under"
    if request.decided_by is DecidedBy.FAST_TRACK and not is_on:
        return "the fast track was switched off before its decision was applied"
    if request.evidence is None:
        return ""
    seen = s.registry.read_evidence(request.version, None, policy.artifact_stores)
    return "; ".join(evidence.changes(request.evidence, seen))
