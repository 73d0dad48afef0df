"""The guard before an approval is applied: has anything changed since the decision, and may it be applied now?"""

from __future__ import annotations

from bot.domain.evidence.changes import are_other_files, changes
from bot.domain.model import DecidedBy, Kind, StaleCause, TransitionRequest
from bot.domain.policy.freezes import freeze_on
from bot.domain.registry.steps import Guard
from bot.language import recorded
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.request.waiting import telling_if_unreadable


def read_guard(request: TransitionRequest, s: Services) -> Guard:
    """Reads everything that may block an approval now. Reading the artifacts may take minutes."""
    objection, cause = what_changed(request, s)
    with s.store.transaction() as tx:
        freeze = freeze_on(request, tx.policy(), s.clock.now())
    return Guard(objection, cause, freeze.name, freeze.until) if freeze else Guard(objection, cause)


def what_changed(request: TransitionRequest, s: Services) -> tuple[str, StaleCause]:
    """Why the approval no longer matches the registry; empty when it does. The champion is compared where the target is moved."""
    with s.store.transaction() as tx:
        refusal = why_not_now(request, tx)
        stores = tx.policy().artifact_stores
    if refusal or request.evidence is None:
        return refusal, StaleCause.RULE
    with (
        s.store.turns.let_go(),  # reading the files may take minutes, or fail for days
        s.store.readers.take(is_way_back=request.kind is Kind.ROLLBACK),
        telling_if_unreadable(request, s),
    ):
        registry = s.registry_at(request.version.workspace)
        seen = registry.read_evidence(request.version, None, stores, known=request.evidence)
    cause = StaleCause.FILES if are_other_files(request.evidence, seen) else StaleCause.EVIDENCE
    return "; ".join(changes(request.evidence, seen)), cause


def why_not_now(request: TransitionRequest, tx: Transaction, *, lock: bool = False) -> str:
    """What blocks an earlier approval on our side: a freeze or the kill switch. With `lock`, a person who flips the switch waits."""
    policy = tx.policy()
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return recorded("outcome", "no rule in the policy speaks of the target any more")
    if request.rule_hash not in policy.hashes(rule):
        return recorded("outcome", "the rule, or a group that it names, is another one than was decided under")
    if request.decided_by is DecidedBy.FAST_TRACK and not tx.switches.fast_track_is_on(lock=lock):
        return recorded("outcome", "the fast track was switched off before its decision was applied")
    return ""
