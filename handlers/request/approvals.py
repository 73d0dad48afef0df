"""Votes by button: who clicked, whether they may vote, and what follows. Recorded before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot.domain.card.context import CardContext
from bot.domain.card.needs import button_labels
from bot.domain.card.outcomes import what_reject_does
from bot.domain.card.risk import approval_text
from bot.domain.events import SelfApprovalRefused
from bot.domain.model import TransitionRequest, Verdict
from bot.domain.policy.rules import Rule
from bot.domain.request import lifecycle
from bot.domain.request.lifecycle import AlreadyDecided, OwnRequest
from bot.domain.request.quorum import wants_passkey
from bot.domain.text import version_name
from bot.engine.lanes import Lane
from bot.errors import Refused
from bot.language import _, sentences
from bot.ports import Click
from bot.services import Services
from handlers.notify.readers import for_account
from handlers.notify.render_context import context_for
from handlers.request.casting import (
    OLD_CARD,
    check_evidence_is_readable,
    check_is_still,
    open_ballot,
    record_vote,
    reply_for,
    request_under,
    rule_of,
    shows_something_else,
    verdict_of,
    vote_of,
    who_decided,
)
from handlers.request.casting import Reply as Reply
from handlers.request.confirming import ask_for_passkey
from handlers.request.voters import Voter, voter_for


def press(click: Click, s: Services) -> Reply:
    """A button on a card: a vote, or first the question why."""
    verdict = verdict_of(click)
    request, rule = pressed_card(click, s)
    voter = voter_for(click.account, rule, request, s)

    if lifecycle.wants_reason(request, verdict, rule) and not click.reason:
        _check_may_vote(request, click, voter, rule, s)
        with for_account(click.account, s):
            s.notifier.ask_reason(click, *_question(request, verdict, _context(request, s)))
        return Reply(asked=True)
    return cast_vote(click, voter, s)


def pressed_card(click: Click, s: Services) -> tuple[TransitionRequest, Rule]:
    """What a button on a card is about. Raises Refused; a card that shows something else is renewed first."""
    with s.store.transaction() as tx:
        request = request_under(click, tx)
        rule = rule_of(request, tx)
        is_old = shows_something_else(click, request, rule, tx)
        if is_old:
            tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)
    if is_old:
        raise Refused(_(OLD_CARD))
    return request, rule


def cast_vote(click: Click, voter: Voter, s: Services) -> Reply:
    """A verdict, with its reason if one was asked for. An approval that takes a passkey waits for it on the bot's page."""
    now = s.clock.now()
    with own_requests_noted(click, voter, s), s.store.transaction() as tx:
        ballot = open_ballot(click, voter, tx, now)
        vote = replace(vote_of(click, voter, now), rule_hash=ballot.rule_hash)
        if wants_passkey(vote, ballot.rule):
            return ask_for_passkey(ballot, vote, click, tx, s)
        events = record_vote(ballot, vote, click, tx, now)
    return reply_for(events)


def _check_may_vote(request: TransitionRequest, click: Click, voter: Voter, rule: Rule, s: Services) -> None:
    """Checked before the form for a reason is opened, so that no one writes a reason that is then refused."""
    now = s.clock.now()
    with own_requests_noted(click, voter, s), s.store.transaction() as tx:
        check_is_still(voter, click, tx, now)
        check_evidence_is_readable(request, click, tx)
        vote = replace(vote_of(click, voter, now), rule_hash=tx.policy().rule_hash(rule))
        try:
            lifecycle.check_may_vote(request, vote, rule)
        except AlreadyDecided as late:
            raise Refused(who_decided(late.request, tx)) from None


@contextmanager
def own_requests_noted(click: Click, voter: Voter, s: Services) -> Iterator[None]:
    """Records the attempt to approve one's own request, for the digest; the refusal goes on to the person who clicked."""
    try:
        yield
    except OwnRequest:
        if verdict_of(click) is Verdict.APPROVE:
            _note_self_approval(click.value, voter.person.id, s)
        raise


def _note_self_approval(request_id: str, person: str, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        if tx.outbox.is_new_tick("self_approval", f"{request_id}/{person}/{now:%Y-%m-%d}", now):
            tx.record([SelfApprovalRefused(now, request_id, person)])


def _context(request: TransitionRequest, s: Services) -> CardContext:
    """As the card's own, so that the form never names a lower risk than the card."""
    with s.store.transaction() as tx:
        return context_for(request, tx, s.clock.now())


def _question(request: TransitionRequest, verdict: Verdict, context: CardContext) -> tuple[str, str]:
    """The form also says the risk and what will happen: it replaces the confirmation dialog."""
    approve, reject = button_labels(request)
    where = _("Your reason goes on the card, into the ticket and into the ledger.")
    if verdict is Verdict.APPROVE:
        return approve, sentences(approval_text(request, context), _("Why are you approving it?"), where)
    why = _("Why are you rejecting {version}?", version=version_name(request.version))
    return reject, sentences(what_reject_does(request), why, where)
