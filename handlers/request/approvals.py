"""Votes by button: who clicked, whether they may vote, and what follows. Recorded before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.card.sentences import button_labels, what_approve_does, what_reject_does
from bot.domain.events import Event, RequestApproved, RequestRejected, SelfApprovalRefused
from bot.domain.model import ENDED_UNDECIDED, DecidedBy, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import AlreadyDecided, OwnRequest
from bot.errors import Refused
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.request.absences import check_is_here
from handlers.request.askers import check_askers_are_known, void_votes_of_askers
from handlers.request.calling_off import judge_anew
from handlers.request.voters import POLICY_CHANGED, Voter, voter_for

VERDICTS = {"approve": Verdict.APPROVE, "reject": Verdict.REJECT}


@dataclass(frozen=True)
class Reply:
    """What only the person who clicked sees; empty when the card itself is the answer."""

    text: str = ""
    asked: bool = False
    refused: bool = False


def press(click: Click, s: Services) -> Reply:
    """A button on a card: a vote, or first the question why."""
    verdict = _verdict_of(click)
    with s.store.transaction() as tx:
        request = request_under(click, tx)
        rule = rule_of(request, tx)
    voter = voter_for(click.account, rule, request, s)

    if lifecycle.wants_reason(request, verdict, rule) and not click.reason:
        _check_may_vote(request, click, voter, rule, s)
        s.notifier.ask_reason(click, *_question(request, verdict))
        return Reply(asked=True)
    return cast_vote(click, voter, s)


def cast_vote(click: Click, voter: Voter, s: Services) -> Reply:
    """A verdict, with its reason if one was asked for."""
    now = s.clock.now()
    with _own_requests_noted(click, voter, s), s.store.transaction() as tx:
        known = tx.requests.get(click.value).version
        tx.requests.lock_model(known.workspace, known.model)
        request = tx.requests.get(click.value, for_update=True)
        rule = rule_of(request, tx)
        _check_is_still(voter, click, tx, now)
        vote, rule_hash = _vote_of(click, voter, now), tx.policy().rule_hash(rule)
        if rule_hash != voter.rule_hash:
            raise Refused(POLICY_CHANGED)
        tx.record(lifecycle.rebind(request, tx.policy().former_hash(rule), rule_hash, now))
        if vote.verdict is Verdict.APPROVE and request.votes:
            check_askers_are_known(request, tx)
        request = void_votes_of_askers(tx.requests.get(request.id), tx, now)
        try:
            events = lifecycle.cast_vote(request, vote, rule, rule_hash)
        except AlreadyDecided as late:
            raise Refused(who_decided(late.request, tx)) from None
        tx.record(events)
        if request.kind is not Kind.OBSERVED and any(isinstance(event, RequestRejected) for event in events):
            judge_anew(request, tx, now)  # it may have come there by hand since the last look

    return _reply_for(events)


def who_decided(request: TransitionRequest, tx: Transaction) -> str:
    if request.decided_by is DecidedBy.FAST_TRACK:
        return f"the fast track was quicker: {request.version} for {request.target} is approved. Your click changed nothing"
    if request.state is State.CALLED_OFF:
        return f"this approval was called off: {request.outcome}. Your click changed nothing"
    verdict = (
        None
        if request.state in ENDED_UNDECIDED
        else Verdict.REJECT
        if request.state is State.REJECTED
        else Verdict.APPROVE
    )
    names = tx.people.names([vote.person for vote in request.votes if vote.verdict is verdict])
    done = "approved" if verdict is Verdict.APPROVE else request.state
    when = f" on {request.decided_at:%Y-%m-%d at %H:%M} UTC" if request.decided_at else ""
    by = f" by {' and '.join(names.values())}" if names else ""
    return f"this was already {done}{by}{when}: {request.version} for {request.target}. Your click changed nothing"


def _vote_of(click: Click, voter: Voter, now: datetime) -> Vote:
    return Vote(
        person=voter.person.id,
        verdict=_verdict_of(click),
        reason=click.reason,
        at=now,
        groups=voter.groups,
        via="card",
        standing_in_for=voter.standing_in_for,
        also=voter.also,
    )


def _check_is_still(voter: Voter, click: Click, tx: Transaction, now: datetime) -> None:
    """After the account was looked up, an administrator may have unbound it, or the person declared an absence."""
    if tx.people.get(voter.person.id).account != click.account:
        raise Refused("whose account this is has changed just now. Nothing was recorded: press again")
    for person in (voter.person.id, *voter.also):
        check_is_here(person, tx, now)


def _verdict_of(click: Click) -> Verdict:
    if click.action not in VERDICTS:
        raise Refused(f'this button says "{click.action[:40]}", which Countersign does not know')
    return VERDICTS[click.action]


def request_under(click: Click, tx: Transaction) -> TransitionRequest:
    """The button's id must be of the very message that we posted: team, app, channel and message all agree."""
    request = tx.requests.get(click.value)
    card = request.card
    here = (click.team, click.app, click.channel, click.message)
    if card is None:
        raise Refused("the card has only just been posted and is still being recorded. Press again in a moment")
    if here != (card.team, card.app, card.channel, card.message):
        raise Refused(
            "this button is not on the message that Countersign posted for the request. Use the original card"
        )
    return request


def rule_of(request: TransitionRequest, tx: Transaction) -> Rule:
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        raise Refused(f"no rule in the policy speaks of {request.target} for {request.version.model} any more")
    return rule


def _check_may_vote(request: TransitionRequest, click: Click, voter: Voter, rule: Rule, s: Services) -> None:
    """Checked before the form for a reason is opened, so that no one writes a reason that is then refused."""
    now = s.clock.now()
    with _own_requests_noted(click, voter, s), s.store.transaction() as tx:
        _check_is_still(voter, click, tx, now)
        vote = replace(_vote_of(click, voter, now), rule_hash=tx.policy().rule_hash(rule))
        try:
            lifecycle.check_may_vote(request, vote, rule)
        except AlreadyDecided as late:
            raise Refused(who_decided(late.request, tx)) from None


@contextmanager
def _own_requests_noted(click: Click, voter: Voter, s: Services) -> Iterator[None]:
    """Records the attempt to approve one's own request, for the digest; the refusal goes on to the person who clicked."""
    try:
        yield
    except OwnRequest:
        if _verdict_of(click) is Verdict.APPROVE:
            _note_self_approval(click.value, voter.person.id, s)
        raise


def _note_self_approval(request_id: str, person: str, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        if tx.outbox.is_new_tick("self_approval", f"{request_id}/{person}/{now:%Y-%m-%d}", now):
            tx.record([SelfApprovalRefused(now, request_id, person)])


def _question(request: TransitionRequest, verdict: Verdict) -> tuple[str, str]:
    """The form also says what will happen: it replaces the confirmation dialog."""
    happens = what_approve_does(request) if verdict is Verdict.APPROVE else what_reject_does(request)
    approve, reject = button_labels(request)
    if verdict is Verdict.APPROVE and request.failed_before:
        happens = f"{happens} It was {request.failed_before}."
    prompt = f"{happens} Why? Your reason goes on the card, into the ticket and into the ledger."
    return (approve if verdict is Verdict.APPROVE else reject), prompt


def _reply_for(events: list[Event]) -> Reply:
    if any(isinstance(event, RequestApproved | RequestRejected) for event in events):
        return Reply()
    return Reply("Your vote is recorded. The card shows what is still missing.")
