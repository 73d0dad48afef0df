"""`sync_target`: applies a decision to the registry. Runs in a turn with the model (`bot.engine.turns`); running it again is always safe.

MLflow has no compare-and-swap. So the effect reads the facts, chooses the next step, commits the intent, moves the target and reads the
facts again. It settles only a target that is as it should be. The steps are chosen in `bot.domain.registry.decided`.
"""

from __future__ import annotations

from bot.domain.attestation.sealing import awaits_seal
from bot.domain.events import MoveReverted
from bot.domain.model import Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.registry import steps
from bot.domain.registry.arrivals import step_for_restore
from bot.domain.registry.custody import custody_of
from bot.domain.registry.decided import next_step
from bot.domain.registry.facts import Facts, Intent, copies_of
from bot.engine.lanes import FollowUp, Lane
from bot.errors import Permanent, Refused, Temporary
from bot.services import Services
from handlers.attestation.proven import check_may_be_carried_out
from handlers.custody.baselines import check_baseline_on_record
from handlers.custody.belief import check_believed, check_row_believed
from handlers.custody.facts import Place, as_called_now, facts_about, facts_of
from handlers.custody.hidden import check_none_is_hidden
from handlers.custody.on_record import check_on_record, check_restore_on_record
from handlers.custody.reading import read_model
from handlers.registry.renames import check_no_rename_waits
from handlers.registry.settling import (
    announce,
    check_called_as,
    end_with_its_ask,
    go_stale,
    hold,
    record_put_back,
    settle,
)
from handlers.request.guard import read_guard
from handlers.tickets.grounds import read_history_again

ARCHIVED = "Archived"
DENIED_TAG = "countersign.denied"


def sync_target(request_id: str, s: Services) -> None:
    """Brings the registry to what was decided, once that is signed."""
    with s.store.transaction() as tx:
        request = as_called_now(tx.requests.get(request_id), tx)
        if _is_unsigned(request):
            tx.defer_for(FollowUp("sign", Lane.EVIDENCE), request)  # it leads back here
            return
    is_due = request.settled_at is None and _has_consequences(request)
    if is_due:
        read_history_again(request_id, s)
    if not is_due or not check_may_be_carried_out(request_id, s):
        return
    with s.store.turns.take(request.version.workspace, request.target_model):
        _bring_about(request, s)


def _bring_about(before: TransitionRequest, s: Services) -> None:
    with s.store.transaction() as tx:
        recorded_as = tx.requests.get(before.id, for_update=True)  # again, because others have had their turn meanwhile
        check_on_record(recorded_as, tx)
        request = as_called_now(recorded_as, tx)
        check_called_as(before, request)
        registry = tx.trust.find(request.version.workspace)
    if request.settled_at is not None or not _has_consequences(request):
        return
    check_row_believed(registry, s)
    facts = _facts_about(request, s)
    step = next_step(request, facts, None)
    if isinstance(step, steps.CheckGuard) and _waits_for_seal(request, s):
        return
    guard = read_guard(request, s) if isinstance(step, steps.CheckGuard) else None
    if guard is not None:
        facts = _facts_about(request, s)  # reading the guard may have taken minutes
        step = next_step(request, facts, guard)
    if not _carry_out(step, request, facts, s):
        return
    facts = _facts_about(request, s)
    step = next_step(request, facts, guard)
    if isinstance(step, steps.Move | steps.PutBack):
        raise Temporary(f"{request.target} was changed for {request.version}, but the registry does not show it yet")
    _carry_out(step, request, facts, s)


def _facts_about(request: TransitionRequest, s: Services) -> Facts:
    facts = facts_about(request, s)
    is_away = request.target.kind is TargetKind.MODEL and not facts.holders
    if is_away or request.version not in facts.there:
        check_no_rename_waits(facts.workspace, {request.version.model, facts.model}, s)
    return facts


def restore_target(intent_id: str, s: Services) -> None:
    """Gives a target that was emptied by hand back to its lawful holder, unless a version holds it by now."""
    with s.store.transaction() as tx:
        intent = tx.registry.find_intent(intent_id)
    if intent is None:
        return
    with s.store.turns.take(intent.workspace, intent.model):
        _restore(intent_id, s)


def _restore(intent_id: str, s: Services) -> None:
    with s.store.transaction() as tx:
        intent = tx.registry.find_intent(intent_id)
    if intent is None or intent.to_version is None or intent.done_at is not None:
        return
    check_believed(intent.workspace, s)
    facts, step = _restoring(intent, s)
    if isinstance(step, steps.Restore):
        _check_held_by_right(step.to, facts, s)
        _set(facts, step.to, s)
        facts, step = _restoring(intent, s)
        if isinstance(step, steps.Restore):
            raise Temporary(f"{intent.target} was given back to {step.to}, but the registry does not show it there yet")
    now = s.clock.now()
    with s.store.transaction() as tx:
        if not isinstance(step, steps.Settle):
            tx.registry.close_intent(intent_id, now)  # the next look judges who holds it
        elif tx.registry.close_intents(intent.workspace, intent.model, intent.target, now):
            (lawful,) = facts.holders
            holding = custody_of(facts).of(lawful)
            approval = holding.approved_by if holding else None
            ours, since = (lawful,), tx.in_order(now, intent.workspace, intent.model)
            tx.registry.place_ours(intent.workspace, intent.model, intent.target, ours, ours, since, approval)
            tx.record([MoveReverted(now, intent.workspace, intent.target, intent.model, lawful)])


def _restoring(intent: Intent, s: Services) -> tuple[Facts, steps.Step]:
    model = read_model(intent.workspace, intent.model, s)
    place = Place(intent.workspace, intent.model, intent.target)
    with s.store.transaction() as tx:
        facts = facts_of(place, model, tx, s.clock.now())
    if custody_of(facts).way_back not in facts.there:
        check_no_rename_waits(facts.workspace, {facts.model}, s)
    return facts, step_for_restore(intent, facts)


def _waits_for_seal(request: TransitionRequest, s: Services) -> bool:
    """Whether its files have yet to be sealed: that leads back here. Under another rule than was decided under, nothing is sealed."""
    with s.store.transaction() as tx:
        policy = tx.policy()
        rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
        if rule is None or request.rule_hash not in policy.hashes(rule) or not awaits_seal(request, rule):
            return False
        tx.defer_for(FollowUp("seal", Lane.EVIDENCE), request)
    return True


def _is_unsigned(request: TransitionRequest) -> bool:
    return request.state in (State.APPROVED, State.REJECTED) and request.attested_at is None


def _has_consequences(request: TransitionRequest) -> bool:
    is_put_back = request.state is State.REJECTED and request.kind is Kind.OBSERVED
    return request.state is State.APPROVED or is_put_back


def _carry_out(step: steps.Step, request: TransitionRequest, facts: Facts, s: Services) -> bool:
    """True when the facts are to be read again."""
    match step:
        case steps.GoStale():
            go_stale(request, step.why, step.cause, s, reopen=step.reopen)
        case steps.CallOff():
            end_with_its_ask(request, step.why, s)
        case steps.Wait():
            hold(request, step.freeze, step.until, s)
        case steps.Settle():
            settle(request, facts, s, moved=step.moved)
        case steps.Move():
            return _move(step, request, facts, s)
        case steps.PutBack():
            return _put_back(step, request, facts, s)
        case steps.LeaveIt():
            record_put_back(request, facts, s, moved=step.moved)
        case steps.CallPeople():
            raise Permanent(step.why)
    return False


def _move(step: steps.Move, request: TransitionRequest, facts: Facts, s: Services) -> bool:
    """Does what is left to do: an earlier try may have done parts of it. False when the announcement was refused."""
    version, target = request.version, request.target
    if not announce(request, step.from_version, s, found=facts):
        return False
    if target.kind is TargetKind.MODEL:
        if not copies_of(request, facts):
            tags = {"countersign.request_id": request.id}
            s.registry_at(version.workspace).copy_version(version.model, version.version, target.name, tags)
    elif version not in facts.holders:
        _set(facts, version, s)
    for other in step.archive:
        s.registry_at(version.workspace).set_stage(version.model, other.version, ARCHIVED)
    return True


def _put_back(step: steps.PutBack, request: TransitionRequest, facts: Facts, s: Services) -> bool:
    """Puts the lawful holder back first: a failure in between must never leave the target empty."""
    away = step.away_from
    if step.how is steps.How.DENY:
        s.registry_at(away.workspace).tag_version(
            away.model, away.version, {DENIED_TAG: f"{request.id}: {request.outcome}"}
        )
        record_put_back(request, facts, s, moved=False, denied=True)
        return False
    _check_held_by_right(step.to, facts, s)
    announce(request, away, s, to=step.to, is_put_back=True)
    if step.how is steps.How.DELETE:
        s.registry_at(away.workspace).delete_version(away.model, away.version)
        return True
    if step.to is not None and step.to not in facts.holders:
        _set(facts, step.to, s)
    elif step.to is None and facts.target.kind is TargetKind.ALIAS:
        s.registry_at(facts.workspace).delete_alias(facts.model, facts.target.name)
    if facts.target.kind is TargetKind.STAGE:
        s.registry_at(away.workspace).set_stage(away.model, away.version, ARCHIVED)
    return True


def _check_held_by_right(version: VersionId | None, facts: Facts, s: Services) -> None:
    """Before the target is given back to it, or to no one. Raises Permanent when the ledger does not say what our rows say: what was there
    before, what was accepted after a restore, and what was decided since.
    """
    with s.store.transaction() as tx:
        check_restore_on_record(facts.workspace, tx)
        check_baseline_on_record(version, facts, tx)
        check_none_is_hidden(version, facts, tx)


def _set(facts: Facts, version: VersionId, s: Services) -> None:
    if facts.target.kind is TargetKind.ALIAS:
        s.registry_at(version.workspace).set_alias(facts.model, facts.target.name, version.version)
    elif facts.target.kind is TargetKind.STAGE:
        s.registry_at(version.workspace).set_stage(facts.model, version.version, facts.target.name)
    else:
        raise Refused(f"{facts.target} is no alias and no stage, so nothing can be set in it")
