"""The form was sent: the deed is recorded with the signed request that it came in, and a request opens that it decides."""

from __future__ import annotations

from datetime import datetime

from bot.domain.break_glass.breaking import VIA, break_glass
from bot.domain.break_glass.offer import Offer, read_offer
from bot.domain.model import Ask, AskKind, StaleCause, State, TransitionRequest, Verdict, Vote
from bot.domain.request import lifecycle
from bot.domain.request.opening import NewRequest
from bot.domain.text import target_label
from bot.errors import Refused
from bot.language import N_, _, recorded
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.break_glass.offering import Pressed, Wanted, check_not_under_way, live_ones, look
from handlers.request.asking import opened
from handlers.request.calling_off import judge_anew
from handlers.request.casting import Reply
from handlers.request.voters import POLICY_CHANGED, Voter

RECORDED_BEFORE = N_("this form was sent before, and it was recorded then")


def send(click: Click, s: Services) -> Reply:
    """The form of break glass. Raises Refused, with nothing recorded."""
    offer = read_offer(click.value)
    if click.signed is None or not click.is_form:
        raise Refused(_("send the form again: it came without a signature of Slack's"))
    version = offer.version
    pressed = look(click.account, Wanted(version.workspace, version.model, version.version, offer.target), s)
    if pressed.version != version:
        raise Refused(
            _("{version} was deleted and created again since the form was opened. Begin again", version=str(version))
        )
    now = s.clock.now()
    with s.store.transaction() as tx:
        request = _record(click, offer, pressed, tx, now)
    said = _(
        "Recorded. {version} goes to {target} as soon as its evidence is frozen. "
        "The channel and the ticket say that you broke the glass, and a member of {group} has to review it.",
        version=str(request.version),
        target=target_label(request),
        group=request.glass.reviewers if request.glass else "",
    )
    return Reply(said, title=_("The glass is broken"), waits=True)


def _record(click: Click, offer: Offer, pressed: Pressed, tx: Transaction, now: datetime) -> TransitionRequest:
    version = offer.version
    tx.requests.lock_model(version.workspace, version.model)
    rule = tx.policy().rule_for(version.workspace, version.model, offer.target)
    if rule is None or tx.policy().rule_hash(rule) != offer.rule_hash:
        raise Refused(_(POLICY_CHANGED))
    if tx.people.get_and_hold(pressed.voter.person.id).account != click.account:
        raise Refused(_("whose account this is has changed just now. Nothing was recorded: press again"))
    if tx.requests.some([offer.request_id]):
        raise Refused(_(RECORDED_BEFORE))
    live = live_ones(version, offer.target, tx, for_update=True)
    check_not_under_way(live, tx)
    _end(live, tx, now)
    follows = live[-1].id if live else None
    ask = Ask(AskKind.BREAK_GLASS)
    person = pressed.voter.person
    new = NewRequest(version, offer.target, ask, requester=person.id, comment=click.reason, follows=follows)
    request = opened(new, offer.request_id, tx, now)
    deed = _deed_of(click, offer, pressed.voter, now)
    if click.signed is not None and not tx.signed_requests.keep(click.signed, request.id, deed):
        raise Refused(_(RECORDED_BEFORE))
    tx.record(break_glass(request, deed, rule, offer.despite, now))
    for one in live:
        tx.registry.hand_over_asks(one.id, request.id)
    return tx.requests.get(request.id)


def _end(live: list[TransitionRequest], tx: Transaction, now: datetime) -> None:
    """What waits for votes, or for the end of a freeze, gives way: the new request has a card and a ticket of its own."""
    for one in live:
        why = recorded("outcome", "the glass was broken for {version}", version=str(one.version))
        tx.record(lifecycle.withdraw(one, why, now))
        if one.state is State.APPROVED:
            tx.record(lifecycle.mark_stale(one, why, StaleCause.OVERTAKEN, now))
            tx.registry.close_intent(one.id, now)
            judge_anew(one, tx, now)


def _deed_of(click: Click, offer: Offer, voter: Voter, now: datetime) -> Vote:
    return Vote(
        person=voter.person.id,
        verdict=Verdict.APPROVE,
        reason=click.reason,
        at=now,
        groups=voter.groups,
        via=VIA,
        rule_hash=offer.rule_hash,
        also=voter.also,
        team=click.team,
        account=click.account,
        signed_request=click.signed.digest if click.signed else "",
        signed_by=click.signed.signed_by if click.signed else "",
    )
