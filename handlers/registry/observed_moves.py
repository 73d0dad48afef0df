"""Stories of moves that nobody asked for: ratify, put back, report, as the rule says."""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import MoveObserved
from bot.domain.model import OPEN, Ask, AskKind, Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Observed, Policy, Unruled
from bot.domain.registry.diff import Move
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import NewRequest
from bot.store.registry import Intent
from bot.store.requests import new_request_id
from bot.store.transaction import Transaction, registry_lane
from handlers.request.asking import open_new

UNRATIFIED = (State.COLLECTING, State.PENDING, State.REJECTED, State.EXPIRED, State.WITHDRAWN)
RESTORE = "restore:"  # begins the id of an intent that no request stands behind


def judge(move: Move, seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime) -> str | None:
    """A target moved. It is ours if it equals an intent; else the rule says what to make of it.

    Returns the request that approved the version for this target before, when somebody has only put it back by hand.
    """
    intent = _find_intent_of(move, seen, tx)
    if intent is not None:
        effect = "restore_target" if intent.request_id.startswith(RESTORE) else "sync_target"
        tx.defer(effect, intent.request_id, registry_lane(seen.workspace, seen.name))
        return None
    if move.version and tx.requests.find(version=move.version, target=move.target, states=(State.APPROVED,)):
        return None  # by hand, but approved: `sync_target` is on its way and will find it done
    rule = policy.rule_for(seen.workspace, seen.name, move.target)
    if rule is None and policy.default is Unruled.IGNORE:
        return None
    handling = rule.observed if rule else Observed.REPORT
    tx.record([MoveObserved(now, seen.workspace, move.target, seen.name, move.version, move.previous, handling)])
    _end_overtaken(_overtaken_by(move, seen, tx), move, tx, now)
    if rule is None or handling is Observed.REPORT:
        return None
    lawful = _last_lawful(move.previous or _owed_to(move.target, seen, tx), move.target, tx)
    if move.version is None:
        if handling is Observed.REVERT and lawful is not None and move.target.kind is not TargetKind.MODEL:
            _restore(lawful, move.target, seen, tx, now)
        return None
    if lawful == move.version:
        return tx.requests.last_approval(move.version, move.target)
    new = NewRequest(move.version, move.target, Ask(AskKind.OBSERVED), kind=Kind.OBSERVED, previous=lawful)
    request = open_new(new, tx, now)
    if handling is Observed.REVERT:
        reason = "the rule puts back what was moved without an approval"
        tx.record(lifecycle.reject_by_rule(request, reason, request.rule_hash, now))
    return None


def _restore(lawful: VersionId, target: Target, seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    """The rule gives an emptied target back to its last lawful holder; the intent says so before anything moves."""
    intent = Intent(RESTORE + new_request_id(), seen.workspace, seen.name, target, None, lawful.version, now)
    tx.registry.put_intent(intent)
    tx.defer("restore_target", intent.request_id, registry_lane(seen.workspace, seen.name))


def _owed_to(target: Target, seen: ModelSnapshot, tx: Transaction) -> VersionId | None:
    """Whom an emptied target is being given back to, when somebody was quicker and set it to another version."""
    for intent in tx.registry.open_intents(seen.workspace, seen.name, target):
        if intent.request_id.startswith(RESTORE) and intent.to_version is not None:
            lawful = seen.version(intent.to_version)
            return lawful.id if lawful else None
    return None


def _find_intent_of(move: Move, seen: ModelSnapshot, tx: Transaction) -> Intent | None:
    is_copy = move.target.kind is TargetKind.MODEL
    number = move.version.version if move.version and not is_copy else None
    previous = move.previous.version if move.previous else None
    intent = tx.registry.find_open_intent(seen.workspace, seen.name, move.target, previous, number)
    if intent is None or not is_copy or move.version is None:
        return intent
    # A copy gets whatever number comes next, so the intent cannot name it; its source does.
    original, arrived = tx.requests.get(intent.request_id).version, seen.version(move.version.version)
    is_ours = arrived is not None and arrived.source == f"models:/{original.model}/{original.version}"
    return intent if is_ours else None


def _last_lawful(version: VersionId | None, target: Target, tx: Transaction) -> VersionId | None:
    """Where a target goes back to: past every holder that was moved there without asking and has not been ratified."""
    while version is not None:
        requests = tx.requests.find(version=version, target=target)
        last = requests[-1] if requests else None
        if last is None or last.kind is not Kind.OBSERVED or last.state not in UNRATIFIED:
            return version
        if last.ask.kind is AskKind.ADOPTED and last.state is not State.REJECTED:
            return version  # it was there before the baseline, and nobody has objected
        version = last.previous
    return None


def _overtaken_by(move: Move, seen: ModelSnapshot, tx: Transaction) -> list[TransitionRequest]:
    """Open requests that this move leaves without an object: earlier moves of the target, and a wish it has fulfilled."""
    here = tx.requests.find(workspace=seen.workspace, model=seen.name, target=move.target, states=OPEN, for_update=True)
    stay = seen.holders(move.target)
    return [
        request
        for request in here
        if request.version == move.version or (request.kind is Kind.OBSERVED and request.version not in stay)
    ]


def _end_overtaken(overtaken: list[TransitionRequest], move: Move, tx: Transaction, now: datetime) -> None:
    where = f"{move.version} was put there" if move.version else "nobody holds it now"
    for request in overtaken:
        tx.record(lifecycle.withdraw(request, f"{move.target} was moved again without asking: {where}", now))
