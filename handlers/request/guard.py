"""The guard before an approval is applied: is the world still the one that was decided on, and is now the time?"""

from __future__ import annotations

from bot.domain.evidence.changes import changes
from bot.domain.model import DecidedBy, TransitionRequest
from bot.services import Services
from bot.store.transaction import Transaction


def what_changed(request: TransitionRequest, s: Services) -> str:
    """Why the approval no longer speaks of what is there; empty when it does. The champion is compared where the target is moved."""
    with s.store.transaction() as tx:
        refusal = why_not_now(request, tx)
        stores = tx.policy().artifact_stores
    if refusal or request.evidence is None:
        return refusal
    return "; ".join(changes(request.evidence, s.registry.read_evidence(request.version, None, stores)))


def why_not_now(request: TransitionRequest, tx: Transaction, *, lock: bool = False) -> str:
    """What the house itself says against an approval that was given earlier; `lock` makes whoever switches the fast track wait."""
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return "no rule in the policy speaks of the target any more"
    if policy.rule_hash(rule) != request.rule_hash:
        return "the rule, or a group that it names, is another one than was decided under"
    if request.decided_by is DecidedBy.FAST_TRACK and not tx.switches.fast_track_is_on(lock=lock):
        return "the fast track was switched off before its decision was applied"
    return ""
