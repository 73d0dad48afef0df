"""Deadlines: reminders in working hours, escalation to a second group, the end of a freeze, expiry, and pruning of old rows."""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.domain.events import Event
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.freezes import freeze_on
from bot.domain.policy.rules import Policy, Rule
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import FAR_AHEAD
from bot.domain.request.opening import waits_since
from bot.engine.lanes import FollowUp, Lane, lane_of
from bot.services import Services
from bot.store.transaction import Transaction
from bot.store.web.homes import HomeRows
from bot.store.web.sessions import SessionRows
from handlers.custody.facts import as_called_now
from handlers.custody.on_record import is_on_record
from handlers.request.askers import are_looked_up, void_votes_of_askers

log = structlog.get_logger()
SYNC_CARD = FollowUp("sync_card", Lane.SLACK)


def remind_people(_: str, s: Services) -> None:
    """Reminds those who can decide, in working hours, and escalates to a second group when the rule's time is up."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        waiting = tx.requests.find(states=(State.PENDING,)) if policy.calendar.is_open(now) else []
    for request in waiting:
        rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
        if rule is None or not (_is_due(request, rule, policy, now) or _is_to_escalate(request, rule, policy, now)):
            continue
        with s.store.transaction() as tx:
            locked = tx.requests.get(request.id, for_update=True)
            if _is_to_escalate(locked, rule, policy, now):
                if are_looked_up(locked, tx):
                    continue
                locked = void_votes_of_askers(locked, tx, now)
                tx.record(lifecycle.escalate(locked, rule, policy.rule_hash(rule), now))
            elif _is_due(locked, rule, policy, now):
                tx.record(lifecycle.remind(locked, now))


def resume_after_freeze(_: str, s: Services) -> None:
    """Approvals that a freeze held back are applied when it is over, or when the policy has shortened it; open cards say that one is on."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        policy = tx.policy()
        _show_freezes(policy, tx, now)
        held = [request for request in tx.requests.find(states=(State.APPROVED,)) if request.frozen_until is not None]
    for request in held:
        with s.store.transaction() as tx:
            locked = tx.requests.get(request.id, for_update=True)
            if is_on_record(locked, tx):
                tx.record(_hold_or_thaw(as_called_now(locked, tx), policy, now))
            else:  # and must not keep the others frozen
                log.warning("approval_changed_beside_the_ledger", request=request.id, next="countersign audit verify")


def _show_freezes(policy: Policy, tx: Transaction, now: datetime) -> None:
    """Once when a freeze begins, and once when it ends: an open card says whether an approval would be applied at once."""
    for request in tx.requests.find(states=(State.PENDING,)):
        freeze = freeze_on(request, policy, now)
        if freeze is None:
            continue
        is_near = freeze.until - now <= FAR_AHEAD
        until = f"{freeze.until:%Y-%m-%dT%H:%M}" if is_near else "far ahead"
        if tx.outbox.is_new_tick("freeze_shown", f"{request.id}/{freeze.name}/{until}", now):
            tx.defer_for(SYNC_CARD, request)
            if is_near:
                lane = f"{lane_of(SYNC_CARD.lane, request)}:thaw"  # a job for later holds up its lane until then
                tx.defer(SYNC_CARD.effect, request.id, lane, at=freeze.until)


def _hold_or_thaw(request: TransitionRequest, policy: Policy, now: datetime) -> list[Event]:
    """Another freeze may have begun meanwhile: then the card says when that one ends."""
    freeze = freeze_on(request, policy, now)
    if freeze is None:
        return lifecycle.thaw(request, now)
    return lifecycle.hold(request, freeze.name, freeze.until, now)


def _is_due(request: TransitionRequest, rule: Rule, policy: Policy, now: datetime) -> bool:
    since = request.reminded_at or waits_since(request)
    if rule.remind_after is None or since is None or request.conversation.is_stopped(now):
        return False
    return request.conversation.waited(since, now, policy.calendar.elapsed) >= rule.remind_after


def _is_to_escalate(request: TransitionRequest, rule: Rule, policy: Policy, now: datetime) -> bool:
    since = waits_since(request)
    is_over = request.escalated_at is not None or request.conversation.is_stopped(now)
    if rule.escalate is None or since is None or is_over:
        return False
    return request.conversation.waited(since, now, policy.calendar.elapsed) >= rule.escalate.after


def expire_requests(_: str, s: Services) -> None:
    """Ends requests that are past their rule's `expire_after`, and notifies the requester.

    Nothing expires in a registry that is doubted: a request must not end because its evidence could not be read.
    """
    now = s.clock.now()
    with s.store.transaction() as tx:
        doubted = [row.workspace for row in tx.trust.doubted()]
        due = tx.requests.due(now, doubted)
    for request_id in due:
        with s.store.transaction() as tx:
            tx.record(lifecycle.expire(tx.requests.get(request_id, for_update=True), now))


def prune(_: str, s: Services) -> None:
    """Deletes rows that nothing needs any more, and logs how many: delivery ids, clock periods, what was sent, ended sessions and pages."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        deleted = tx.outbox.prune(now)
        tx.pace.prune()
        deleted["pending_enrolments"] = tx.passkeys.forget_enrolments(now)
        deleted["web_sessions"] = SessionRows(tx.connection).forget_ended(now)
        deleted["registry_writes"] = tx.writes.prune(now)
        deleted["homes"] = HomeRows(tx.connection).forget_old(now)
        deleted["readings"] = tx.readings.forget_ended()
    if any(deleted.values()):
        log.info("old_rows_deleted", **deleted)
