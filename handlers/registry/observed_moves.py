"""Moves by hand: ratified, put back or reported, as the rule says. What is lawful is judged in `bot.domain.registry`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bot.domain.events import MoveObserved
from bot.domain.model import OPEN, Ask, AskKind, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.policy.rules import Observed, Policy
from bot.domain.registry import steps
from bot.domain.registry.arrivals import step_for_arrival, step_when_emptied
from bot.domain.registry.custody import way_back_from
from bot.domain.registry.diff import Left, Move
from bot.domain.registry.facts import RESTORE, Facts, Handling, Intent
from bot.domain.registry.snapshot import ModelSnapshot
from bot.domain.registry.steps import Step
from bot.domain.registry.watch_events import HolderLeft
from bot.domain.request import lifecycle
from bot.domain.request.askers import asked_in_words
from bot.domain.request.lifecycle import NewRequest
from bot.engine.lanes import move_lane
from bot.language import recorded
from bot.store.requests import new_request_id
from bot.store.transaction import Transaction
from handlers.custody.baselines import is_right_off_record
from handlers.custody.facts import Place, facts_of, handling_of
from handlers.custody.on_record import check_id_on_record
from handlers.registry.renewals import defer_renewals
from handlers.request.asking import open_new

APPROVED = "approved"  # what a ledger entry says of a move by hand to a version that was approved
BY_RULE = recorded("outcome", "the rule puts back what was moved without an approval")


def judge(
    move: Move, seen: ModelSnapshot, tx: Transaction, now: datetime, *, under: Handling | None = None
) -> str | None:
    """A target moved. Returns the request that approved the version for it, when somebody has only moved it by hand.

    `under` is how the rule handled moves until now, where it is stricter since the last look.
    """
    place = Place(seen.workspace, seen.name, move.target)
    about = [version for version in (move.version, move.previous) if version is not None]
    facts = facts_of(place, seen, tx, now, about=about)
    if under is not None:
        facts = replace(facts, handling=under)
    step = _step(move, facts, now)
    if isinstance(step, steps.Report) and _is_off_record(step, move, facts, tx):
        step = steps.Ask(recorded("outcome", "what the database says about its approval is not what the ledger says"))
    defer_renewals(place, tx)
    if isinstance(step, steps.Resume):
        effect = "restore_target" if step.restores else "sync_target"
        tx.defer(effect, step.request_id, move_lane(step.request_id))
        return None
    if isinstance(step, steps.Nothing):
        return None
    handling = _handling(step, facts, is_emptied=move.version is None)
    tx.record([MoveObserved(now, seen.workspace, move.target, seen.name, move.version, move.previous, handling)])
    fulfilled = _end_overtaken(move, seen, tx, now)
    if isinstance(step, steps.Report):
        return _applied(step.approval, tx)
    if isinstance(step, steps.Restore):
        _restore(step.to, move.target, seen, tx, now)
    elif isinstance(step, steps.Ask | steps.PutBack) and move.version is not None:
        _ask(move.version, step, facts, fulfilled, tx, now)
    return None


def note_departures(left: Iterable[Left], seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime) -> None:
    """Versions that left a stage or a target model by hand while others stayed. What we move out ourselves is announced."""
    for one in left:
        ours = tx.registry.open_intents(seen.workspace, seen.name, one.target)
        place = Place(seen.workspace, seen.name, one.target)
        if ours or handling_of(place, policy) is Handling.IGNORE:
            continue
        tx.record([HolderLeft(now, seen.workspace, one.target, seen.name, one.version, one.stays)])


def _is_off_record(step: steps.Report, move: Move, facts: Facts, tx: Transaction) -> bool:
    """Whether nothing would be asked about the move by a right that the ledger does not bear out.

    Raises Permanent when that right is an approval: people cannot be asked beside it, and no entry may say that it approved the move.
    """
    if move.version is None:
        return False
    if step.approval:
        check_id_on_record(step.approval, tx)
    return facts.handling in (Handling.ASK, Handling.REVERT) and is_right_off_record(move.version, facts, tx)


def _step(move: Move, facts: Facts, now: datetime) -> Step:
    if move.version is None:
        return step_when_emptied(move.previous, facts, now)
    return step_for_arrival(move.version, move.previous, facts, now)


def _handling(step: Step, facts: Facts, *, is_emptied: bool) -> str:
    """How the move is handled. A rule that would put it back and cannot asks people instead; a lawful holder is reported."""
    if isinstance(step, steps.Report) and step.approval:
        return APPROVED
    if isinstance(step, steps.Report) and not is_emptied:
        return Observed.REPORT
    is_left_to_people = isinstance(step, steps.Report | steps.Ask) and facts.handling is Handling.REVERT
    return Observed.ASK if is_left_to_people else facts.handling


def _ask(
    version: VersionId,
    step: steps.Ask | steps.PutBack,
    facts: Facts,
    fulfilled: TransitionRequest | None,
    tx: Transaction,
    now: datetime,
) -> None:
    new = NewRequest(
        version,
        facts.target,
        Ask(AskKind.OBSERVED),
        kind=Kind.OBSERVED,
        previous=way_back_from(version, facts),
        comment=step.why if isinstance(step, steps.Ask) else "",
        follows=fulfilled.id if fulfilled else None,
    )
    request = open_new(new, tx, now)
    if isinstance(step, steps.PutBack):
        tx.record(lifecycle.reject_by_rule(request, BY_RULE, request.rule_hash, now))


def _applied(approval: str, tx: Transaction) -> str | None:
    """A request that waits for a freeze has not moved the version yet, although somebody has by hand."""
    found = tx.requests.get(approval) if approval else None
    return found.id if found is not None and found.state is State.APPLIED else None


def _restore(lawful: VersionId, target: Target, seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    """The rule gives an emptied target back to its lawful holder; the intent says so before anything moves."""
    intent = Intent(RESTORE + new_request_id(), seen.workspace, seen.name, target, None, lawful.version, now)
    tx.registry.put_intent(intent)
    tx.defer("restore_target", intent.request_id, move_lane(intent.request_id))


def _end_overtaken(move: Move, seen: ModelSnapshot, tx: Transaction, now: datetime) -> TransitionRequest | None:
    """Ends the requests that the move makes pointless; returns the ask that it has fulfilled without an approval, if any.

    Such an ask is opened again when the version is moved away by hand.
    """
    target = str(move.target)
    if move.version:
        why = recorded(
            "outcome",
            "{target} was moved again without asking: {version} was put there",
            target=target,
            version=str(move.version),
        )
    else:
        why = recorded("outcome", "{target} was moved again without asking: nobody holds it now", target=target)
    fulfilled = None
    for request in _overtaken_by(move, seen, tx):
        tx.record(lifecycle.withdraw(request, why, now))
        if request.kind is Kind.PROMOTION:
            fulfilled = request
        elif request.version != move.version:
            _ask_again(request, seen, tx, now)
    return fulfilled


def _ask_again(left: TransitionRequest, seen: ModelSnapshot, tx: Transaction, now: datetime) -> None:
    """A version that was moved there and back by hand asks as it did before."""
    there = seen.version(left.version.version)
    if there is None or there.id != left.version:
        return
    if left.follows is None:
        _ask_at_last(left, tx, now)
        return
    asked = tx.requests.get(left.follows)
    if asked.kind is not Kind.PROMOTION or asked.state is not State.WITHDRAWN:
        return
    if not asked_in_words(asked) and not tx.registry.still_asked(asked.id):
        return
    fresh = open_new(lifecycle.continued(asked, now), tx, now)
    tx.registry.hand_over_asks(asked.id, fresh.id)


def _ask_at_last(left: TransitionRequest, tx: Transaction, now: datetime) -> None:
    """A version that began to ask when it was in the target already had nothing to ask for; now it has."""
    standing = tx.registry.asks_with_requests(left.version.workspace, left.version.model)
    unasked = [ask for ask, by in standing if by is None and (ask.version, ask.target) == (left.version, left.target)]
    if unasked:
        request = open_new(NewRequest(left.version, left.target, unasked[0].ask), tx, now)
        tx.registry.asked_by(unasked, request.id)


def _overtaken_by(move: Move, seen: ModelSnapshot, tx: Transaction) -> list[TransitionRequest]:
    """Open requests that this move makes pointless: earlier moves of the target, and an ask that it has fulfilled."""
    here = tx.requests.find(workspace=seen.workspace, model=seen.name, target=move.target, states=OPEN, for_update=True)
    stay = seen.holders(move.target)
    return [
        request
        for request in here
        if request.version == move.version or (request.kind is Kind.OBSERVED and request.version not in stay)
    ]
