"""`sync_target`: what a decision makes true in the registry. Runs in the registered model's lane; running it again is always safe.

MLflow has no compare-and-swap. So: the intent is committed, the target compared with it, moved, read back, and recorded. A repeat that
finds neither the intent's `from` nor its `to` knows that somebody else came since, and leaves their change alone.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import Event, MoveReverted
from bot.domain.model import DecidedBy, Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.freezes import freeze_on
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import lifecycle
from bot.errors import Permanent, Temporary
from bot.services import Services
from bot.store.registry import Intent
from bot.store.requests import target_model
from bot.store.transaction import FollowUp, Lane, Transaction
from handlers.request.asking import open_new
from handlers.request.guard import what_changed, why_not_now

ARCHIVED = "Archived"


def sync_target(request_id: str, s: Services) -> None:
    """Brings the registry to what was decided, once that is signed."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if _is_unsigned(request):
            tx.defer_for(FollowUp("sign", Lane.EVIDENCE), request)  # it leads back here
            return
    if request.settled_at is not None:
        return
    if request.state is State.APPROVED and request.kind is Kind.OBSERVED:
        _ratify(request, s)
    elif request.state is State.APPROVED:
        _promote(request, s)
    elif request.state is State.REJECTED and request.kind is Kind.OBSERVED:
        _put_back(request, s)


def _is_unsigned(request: TransitionRequest) -> bool:
    return request.state in (State.APPROVED, State.REJECTED) and request.attested_at is None


def restore_target(intent_id: str, s: Services) -> None:
    """Gives a target that was emptied without asking back to its last lawful holder, unless somebody holds it by now."""
    with s.store.transaction() as tx:
        intent = tx.registry.find_intent(intent_id)
    if intent is None or intent.to_version is None or intent.done_at is not None:
        return
    model = s.registry.find_model(intent.workspace, intent.model)
    lawful = model.version(intent.to_version) if model else None
    holders = model.holders(intent.target) if model else ()
    if lawful is None or holders not in ((), (lawful.id,)):
        return  # the next look judges who holds it
    if not holders and intent.target.kind is TargetKind.ALIAS:
        s.registry.set_alias(intent.model, intent.target.name, intent.to_version)
    elif not holders:
        s.registry.set_stage(intent.model, intent.to_version, intent.target.name)
    now = s.clock.now()
    with s.store.transaction() as tx:
        if tx.registry.close_intents(intent.workspace, intent.model, intent.target, now):
            approval = tx.requests.last_approval(lawful.id, intent.target)
            tx.registry.put_placements(intent.workspace, intent.model, intent.target, (lawful.id,), now, approval)
            tx.record([MoveReverted(now, intent.workspace, intent.target, intent.model, lawful.id)])


def _promote(request: TransitionRequest, s: Services) -> None:
    model = s.registry.find_model(request.version.workspace, request.version.model)
    if not _is_there(request.version, model):
        _go_stale(request, f"{request.version} was deleted, or deleted and created again", s, reopen=False)
        return
    is_copy = request.target.kind is TargetKind.MODEL
    holders = _holders(request, s) if is_copy or model is None else model.holders(request.target)
    others = tuple(holder for holder in holders if holder != request.version)
    intent = _find_open_intent(request, s)
    if intent is None and request.version in holders and not others:
        _settle(request, holders, (request.version,), s, moved=False)
        return
    if intent is not None and _somebody_came(request, intent, holders, s):
        _go_stale(request, f"{request.target} was moved by somebody else while Countersign was moving it", s)
        return
    if intent is None or _is_untouched(
        request, intent, holders, s
    ):  # a word of an earlier try spares no look at the world
        champion = request.evidence.champion.version if request.evidence and request.evidence.champion else None
        if _newest(others) != champion:
            _go_stale(request, _changed_hands(request.target, champion, _newest(others)), s)
            return
        changed = what_changed(request, s)
        if changed:
            _go_stale(request, changed, s)
            return
        # A copy gets whatever number comes next, so only the others can name the one they lead to.
        to = None if request.target.kind is TargetKind.MODEL else request.version.version
        intent = _commit_intent_unless_held(request, champion, to, s)
        if intent is None:
            return

    _move(request, intent, holders, s)
    after, ours = _holders(request, s), _copies(request, intent, s) if is_copy else (request.version,)
    if not ours or not set(ours) <= set(after):
        raise Temporary(f"{request.target} was set to {request.version}, but the registry does not show it there yet")
    _settle(request, after, ours, s, moved=True)


def _ratify(request: TransitionRequest, s: Services) -> None:
    """The version is there already: what was decided is that it may stay, as it is."""
    holders = _holders(request, s)
    if request.version not in holders:
        _go_stale(request, f"{request.version} no longer holds {request.target}", s, reopen=False)
        return
    changed = what_changed(request, s)
    if changed:
        _go_stale(request, changed, s)
        return
    _settle(request, holders, (request.version,), s, moved=False)


def _put_back(request: TransitionRequest, s: Services) -> None:
    holders = _holders(request, s)
    if request.is_adopted or _was_approved_since(request, s):
        _record_put_back(request, holders, s, moved=False)
        return
    if request.version not in holders:
        intent = _find_intent(request, s)
        is_ours = intent is not None and intent.done_at is None  # a word that was settled since speaks of nothing here
        _record_put_back(request, holders, s, moved=is_ours and request.previous in (*holders, None))
        return
    needs_previous = request.previous is not None and request.target.kind is not TargetKind.MODEL
    if request.previous and needs_previous and not _is_there(request.previous, _find_target_model(request, s)):
        raise Permanent(
            f"{request.target} cannot go back to {request.previous}, which is no longer in the registry. "
            "Request another version for it with `countersign request-transition`, then drop this job"
        )
    _commit_intent(request, request.version, _number(request.previous), s)
    _move_back(request, s)
    _record_put_back(request, _holders(request, s), s, moved=True)


def _somebody_came(request: TransitionRequest, intent: Intent, holders: tuple[VersionId, ...], s: Services) -> bool:
    """On a repeat: the target is neither where the intent found it nor where it leads to."""
    if request.version in holders or _copies(request, intent, s):
        return False
    return _number(_newest(holders)) != intent.from_version


def _is_untouched(request: TransitionRequest, intent: Intent, holders: tuple[VersionId, ...], s: Services) -> bool:
    """On a repeat: nothing of the move has been done yet, so it can still be called off."""
    return request.version not in holders and not _copies(request, intent, s)


def _move(request: TransitionRequest, intent: Intent, holders: tuple[VersionId, ...], s: Services) -> None:
    """Does what is still to do; each step may have been done by an earlier try."""
    version, target = request.version, request.target
    if target.kind is TargetKind.MODEL:
        if not _copies(request, intent, s):
            tags = {"countersign.request_id": request.id}
            s.registry.copy_version(version.model, version.version, target.name, tags)
        return
    if version not in holders and target.kind is TargetKind.ALIAS:
        s.registry.set_alias(version.model, target.name, version.version)
    elif version not in holders:
        s.registry.set_stage(version.model, version.version, target.name)
    if target.kind is TargetKind.STAGE:
        for other in holders:  # `models:/name/Stage` means the highest number there, so whoever held it must leave
            if other != version and other.version <= (intent.from_version or 0):
                s.registry.set_stage(version.model, other.version, ARCHIVED)


def _move_back(request: TransitionRequest, s: Services) -> None:
    """The lawful holder first: a failure in between must never leave the target to nobody."""
    version, target, previous = request.version, request.target, request.previous
    if target.kind is TargetKind.MODEL:
        s.registry.delete_version(version.model, version.version)
    elif target.kind is TargetKind.STAGE:
        if previous is not None:
            s.registry.set_stage(previous.model, previous.version, target.name)
        s.registry.set_stage(version.model, version.version, ARCHIVED)
    elif previous is not None:
        s.registry.set_alias(previous.model, target.name, previous.version)
    else:
        s.registry.delete_alias(version.model, target.name)


def _was_approved_since(request: TransitionRequest, s: Services) -> bool:
    """A parked put-back that is replayed late must not undo what was ratified or approved meanwhile."""
    with s.store.transaction() as tx:
        approved = tx.requests.find(
            version=request.version, target=request.target, states=(State.APPROVED, State.APPLIED)
        )
    return any(other.opened_at > request.opened_at for other in approved)


def _copies(request: TransitionRequest, intent: Intent, s: Services) -> tuple[VersionId, ...]:
    """What an earlier try has copied already: a version from our source, newer than the newest at the time of the intent."""
    if request.target.kind is not TargetKind.MODEL:
        return ()
    model = _find_target_model(request, s)
    source = f"models:/{request.version.model}/{request.version.version}"
    newer = (seen for seen in (model.versions if model else ()) if seen.id.version > (intent.from_version or 0))
    return tuple(seen.id for seen in newer if seen.source == source)


def _settle(
    request: TransitionRequest,
    holders: tuple[VersionId, ...],
    ours: tuple[VersionId, ...],
    s: Services,
    *,
    moved: bool,
) -> None:
    now = s.clock.now()
    model, workspace = target_model(request), request.version.workspace
    with s.store.transaction() as tx:
        locked = tx.requests.get(request.id, for_update=True)
        on_record = [held.version for held in tx.registry.placements(workspace, model) if held.target == request.target]
        previous = _previous_of(request)
        besides = tuple(version for version in on_record if moved and version not in (*holders, previous))
        tx.record(lifecycle.apply(locked, previous, now, moved=moved, besides=besides))
        _take_the_buttons_away(locked, model, tx, now)
        tx.registry.place_ours(workspace, model, request.target, holders, ours, now, request.id)
        tx.registry.close_intents(workspace, model, request.target, now)


def _take_the_buttons_away(request: TransitionRequest, model: str, tx: Transaction, now: datetime) -> None:
    """Cards of those who held the target offer no way back any more; our own offers Undo only for as long as the rule says."""
    for held in tx.registry.placements(request.version.workspace, model):
        if held.target == request.target and held.request_id not in (None, request.id):
            tx.defer("sync_card", str(held.request_id), f"{Lane.SLACK}:{held.request_id}")
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if request.decided_by is DecidedBy.FAST_TRACK and rule is not None and rule.fast_track is not None:
        tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}:undo", at=now + rule.fast_track.undo_for)


def _record_put_back(request: TransitionRequest, holders: tuple[VersionId, ...], s: Services, *, moved: bool) -> None:
    now = s.clock.now()
    model, workspace = target_model(request), request.version.workspace
    holder = _newest(holders)
    ours = tuple(held for held in holders if held == request.previous)
    with s.store.transaction() as tx:
        locked = tx.requests.get(request.id, for_update=True)
        tx.record(lifecycle.put_back(locked, holder, now, moved=moved))
        if moved and (ours or not holders):  # else somebody else came since, and the next look judges them
            approval = tx.requests.last_approval(holder, request.target) if holder else None
            tx.registry.place_ours(workspace, model, request.target, holders, ours, now, approval)
        tx.registry.close_intents(workspace, model, request.target, now)


def _go_stale(request: TransitionRequest, why: str, s: Services, *, reopen: bool = True) -> None:
    """The world changed between the decision and its application: nothing is applied, and a fresh request opens."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.requests.lock_model(request.version.workspace, request.version.model)
        events: list[Event] = lifecycle.mark_stale(tx.requests.get(request.id, for_update=True), why, now)
        tx.record(events)
        tx.registry.close_intents(request.version.workspace, target_model(request), request.target, now)
        rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
        if reopen and events and rule is not None:
            fresh = open_new(lifecycle.reopened(request), tx, now)
            tx.registry.hand_over_asks(request.id, fresh.id)


def _commit_intent(request: TransitionRequest, holder: VersionId | None, to: int | None, s: Services) -> Intent:
    intent = Intent(
        request.id,
        request.version.workspace,
        target_model(request),
        request.target,
        _number(holder),
        to,
        s.clock.now(),
    )
    with s.store.transaction() as tx:
        tx.registry.put_intent(intent)
    return intent


def _commit_intent_unless_held(
    request: TransitionRequest, holder: VersionId | None, to: int | None, s: Services
) -> Intent | None:
    """Our word that we are about to move, in one transaction with a last look at what can say no at any moment; None when it does.

    Reading artifacts may take minutes. Whoever switches the fast track off waits for this transaction, or we see that it is off.
    """
    model, now = target_model(request), s.clock.now()
    intent = Intent(request.id, request.version.workspace, model, request.target, _number(holder), to, now)
    with s.store.transaction() as tx:
        locked = tx.requests.get(request.id, for_update=True)
        refusal = why_not_now(locked, tx, lock=True)
        freeze = freeze_on(locked, tx.policy(), now)
        if freeze is not None and not refusal:
            tx.record(lifecycle.hold(locked, freeze.name, freeze.until, now))
        if refusal or freeze is not None:
            tx.registry.close_intents(intent.workspace, model, request.target, now)
        else:
            tx.registry.put_intent(intent)
            return intent
    if refusal:
        _go_stale(request, refusal, s)
    return None


def _find_open_intent(request: TransitionRequest, s: Services) -> Intent | None:
    """A word that was called off, because of a freeze, means nothing any more."""
    intent = _find_intent(request, s)
    return intent if intent is not None and intent.done_at is None else None


def _find_intent(request: TransitionRequest, s: Services) -> Intent | None:
    with s.store.transaction() as tx:
        return tx.registry.find_intent(request.id)


def _find_target_model(request: TransitionRequest, s: Services) -> ModelSnapshot | None:
    return s.registry.find_model(request.version.workspace, target_model(request))


def _holders(request: TransitionRequest, s: Services) -> tuple[VersionId, ...]:
    model = _find_target_model(request, s)
    return model.holders(request.target) if model else ()


def _is_there(version: VersionId, model: ModelSnapshot | None) -> bool:
    seen = model.version(version.version) if model else None
    return seen is not None and seen.id == version


def _previous_of(request: TransitionRequest) -> VersionId | None:
    if request.kind is Kind.OBSERVED:
        return request.previous
    return request.evidence.champion.version if request.evidence and request.evidence.champion else None


def _changed_hands(target: Target, before: VersionId | None, now: VersionId | None) -> str:
    was, is_now = (str(holder) if holder else "nobody" for holder in (before, now))
    return f"{target} is held by {is_now} now; when the evidence was frozen it was held by {was}"


def _newest(holders: tuple[VersionId, ...]) -> VersionId | None:
    return holders[0] if holders else None


def _number(version: VersionId | None) -> int | None:
    return version.version if version else None
