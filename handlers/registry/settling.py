"""Records around a move: the intent before it, the settling after it, the hold by a freeze, or the end as stale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.events import Event, MoveObserved
from bot.domain.model import DecidedBy, Kind, StaleCause, State, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.freezes import freeze_on
from bot.domain.registry.custody import custody_of
from bot.domain.registry.facts import Facts, Intent, copies_of
from bot.domain.request import lifecycle
from bot.engine.lanes import FollowUp, Lane
from bot.errors import Temporary
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.custody.facts import as_called_now, place_of
from handlers.custody.hidden import check_nothing_later_is_hidden
from handlers.registry.observed_moves import APPROVED
from handlers.registry.renewals import defer_renewals
from handlers.request.asking import open_new
from handlers.request.calling_off import end_approval, judge_anew
from handlers.request.guard import why_not_now


def announce(
    request: TransitionRequest,
    holder: VersionId | None,
    s: Services,
    *,
    to: VersionId | None = None,
    is_put_back: bool = False,
    found: Facts | None = None,
) -> bool:
    """Commits our intent to move, in one transaction with a last check of freezes and the kill switch; False when they forbid it.

    Reading artifacts may take minutes. A person who switches the fast track off waits for this transaction, or we see that it is off.
    `found` is what was read before the first move: if the version is there already, somebody brought it there by hand.
    """
    place, now = place_of(request), s.clock.now()
    is_copy = request.target.kind is TargetKind.MODEL  # a copy gets the next number
    leads_to = _number(to) if is_put_back else (None if is_copy else request.version.version)
    intent = Intent(request.id, place.workspace, place.model, request.target, _number(holder), leads_to, now)
    with s.store.transaction() as tx:
        locked = _locked(request, tx)
        if is_put_back:
            tx.registry.put_intent(intent)
            return True
        if locked.state is not State.APPROVED:
            return False  # it was ended while the place or the artifacts were read
        refusal = why_not_now(locked, tx, lock=True)
        has_begun = _has_begun(request.id, tx)
        freeze = None if has_begun else freeze_on(locked, tx.policy(), now)
        if not refusal and freeze is None:
            if found is not None:
                check_nothing_later_is_hidden(locked, found, tx)
                tx.record([] if has_begun else _moved_by_hand(request, found, (request.version,), now))
            tx.registry.put_intent(intent)
            return True
        if not refusal and freeze is not None:
            tx.record(lifecycle.hold(locked, freeze.name, freeze.until, now))
        tx.registry.close_intent(request.id, now)
    if refusal:
        go_stale(request, refusal, StaleCause.RULE, s)
    return False


def hold(request: TransitionRequest, freeze: str, until: datetime, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.record(lifecycle.hold(tx.requests.get(request.id, for_update=True), freeze, until, now))
        tx.registry.close_intent(request.id, now)


def settle(request: TransitionRequest, facts: Facts, s: Services, *, moved: bool) -> None:
    """Settles the request. If we did not move the target, the guard must still allow it."""
    now, place = s.clock.now(), place_of(request)
    is_copied = request.target.kind is TargetKind.MODEL and request.kind is not Kind.OBSERVED
    copies = copies_of(request, facts) if is_copied else ()
    ours = copies or (request.version,)
    with s.store.transaction() as tx:
        locked = _locked(request, tx)
        if locked.state is not State.APPROVED:
            tx.registry.close_intent(request.id, now)
            return  # it was ended while we moved it: the next look judges it as a move that no one approved
        refusal = "" if moved else why_not_now(locked, tx, lock=True)
        if not refusal:
            if request.kind is not Kind.OBSERVED:
                check_nothing_later_is_hidden(locked, facts, tx)
            previous = previous_of(request)
            on_record = [held for held in facts.seen if moved and held not in (*facts.holders, previous)]
            tx.record(_moved_by_hand(request, facts, ours, now) if not moved else [])
            tx.record(lifecycle.apply(locked, previous, now, moved=moved, besides=tuple(on_record), copies=copies))
            if copies:  # the version itself has its tags since the decision was signed
                tx.defer_for(FollowUp("sync_tags", Lane.TAGS), locked)
            _compare_with_the_fast_track(locked, tx, now)
            _take_the_buttons_away(locked, place.model, tx, now)
            since = tx.in_order(now, place.workspace, place.model)
            # Who came into a stage while we moved it is taken off the record, so that the next look judges them.
            stay = ours if moved and request.target.kind is TargetKind.STAGE else facts.holders
            tx.registry.place_ours(place.workspace, place.model, request.target, stay, ours, since, request.id)
            tx.registry.close_intents(place.workspace, place.model, request.target, now)
            defer_renewals(place, tx)
    if refusal:
        go_stale(request, refusal, StaleCause.RULE, s)


def record_put_back(
    request: TransitionRequest, facts: Facts, s: Services, *, moved: bool, denied: bool = False
) -> None:
    """`denied`: the version is a copy and stays, tagged; the gate denies it."""
    now, place, custody = s.clock.now(), place_of(request), custody_of(facts)
    holder = request.version if denied else _newest(facts.holders)
    back = custody.of(holder) if holder and not denied else None
    with s.store.transaction() as tx:
        locked = _locked(request, tx)
        tx.record(lifecycle.put_back(locked, holder, now, moved=moved))
        is_lawful, since = back is not None and back.basis.is_lawful, tx.in_order(now, place.workspace, place.model)
        if moved and (is_lawful or not facts.holders):  # else another version came since, and the next look judges it
            ours = (back.version,) if back else ()
            approval = back.approved_by if back else None
            tx.registry.place_ours(place.workspace, place.model, request.target, facts.holders, ours, since, approval)
        elif not denied and facts.holders and request.version not in facts.holders:
            # If it comes back, that is a move by hand again. That a place was emptied is for the next look to tell.
            tx.registry.place_ours(place.workspace, place.model, request.target, facts.holders, (), since, None)
        if moved:
            tx.registry.close_intents(place.workspace, place.model, request.target, now)
        else:
            tx.registry.close_intent(request.id, now)
        defer_renewals(place, tx)


def go_stale(request: TransitionRequest, why: str, cause: StaleCause, s: Services, *, reopen: bool = True) -> None:
    """The world changed between the decision and its application: nothing is applied, and a fresh request opens."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.requests.lock_model(request.version.workspace, request.version.model)
        events: list[Event] = lifecycle.mark_stale(tx.requests.get(request.id, for_update=True), why, cause, now)
        tx.record(events)
        tx.registry.close_intent(request.id, now)
        if request.kind is not Kind.OBSERVED:
            judge_anew(tx.requests.get(request.id), tx, now)
        rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
        if reopen and events and rule is not None:
            fresh = open_new(lifecycle.reopened(request), tx, now)
            tx.registry.hand_over_asks(request.id, fresh.id)


def end_with_its_ask(request: TransitionRequest, why: str, s: Services) -> None:
    """What asked for it was taken away, and the next look would see that: nothing is moved or settled until then."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.requests.lock_model(request.version.workspace, request.version.model)
        locked = tx.requests.get(request.id, for_update=True)
        if locked.state is State.APPROVED:
            end_approval(locked, "", why, tx, now)


def check_called_as(before: TransitionRequest, now: TransitionRequest) -> None:
    """Raises Temporary when their models have other names now than when the registry was read."""
    if (now.version, now.target) != (before.version, before.target):
        raise Temporary(f"{before.version} is called {now.version} now, for {now.target}")


def _locked(request: TransitionRequest, tx: Transaction) -> TransitionRequest:
    """As it is now, with the names that it is carried out under: what is recorded of a move names what was moved."""
    locked = as_called_now(tx.requests.get(request.id, for_update=True), tx)
    check_called_as(request, locked)
    return locked


def previous_of(request: TransitionRequest) -> VersionId | None:
    """The holder of the target when the evidence was frozen, lawful or not."""
    if request.kind is Kind.OBSERVED:
        return request.previous
    if request.found is not None:
        return _newest(request.found)
    return request.evidence.champion.version if request.evidence and request.evidence.champion else None


def _moved_by_hand(
    request: TransitionRequest, facts: Facts, ours: Sequence[VersionId], now: datetime
) -> list[MoveObserved]:
    """Somebody brought the version there before we did and before any look: a move by hand is told although it is approved."""
    if set(ours) & set(facts.seen):
        return []
    place, previous = place_of(request), max(facts.seen, key=lambda held: held.version, default=None)
    came = next((version for version in facts.holders if version in ours), None)
    return [MoveObserved(now, place.workspace, request.target, place.model, came, previous, APPROVED)] if came else []


def _has_begun(request_id: str, tx: Transaction) -> bool:
    """A move that is half done is finished, even if a freeze has begun since."""
    intent = tx.registry.find_intent(request_id)
    return intent is not None and intent.done_at is None


def _compare_with_the_fast_track(request: TransitionRequest, tx: Transaction, now: datetime) -> None:
    failed = tx.requests.failed(tx.requests.get(request.id))
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if failed is not None and rule is not None:
        tx.record(lifecycle.compare_taken_back(failed, rule, now))


def _take_the_buttons_away(request: TransitionRequest, model: str, tx: Transaction, now: datetime) -> None:
    """Removes the rollback button from the cards of former holders; our own card offers Undo only as long as the rule says."""
    for held in tx.registry.placements(request.version.workspace, model):
        if held.target == request.target and held.request_id not in (None, request.id):
            tx.defer("sync_card", str(held.request_id), f"{Lane.SLACK}:{held.request_id}")
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if request.decided_by is DecidedBy.FAST_TRACK and rule is not None and rule.fast_track is not None:
        tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}:undo", at=now + rule.fast_track.undo_for)


def _newest(holders: Sequence[VersionId]) -> VersionId | None:
    return holders[0] if holders else None


def _number(version: VersionId | None) -> int | None:
    return version.version if version else None
