"""Handing a request to another person who may decide it: the form, the record, and the message to that person (effect `hand_over`)."""

from __future__ import annotations

from datetime import datetime

from bot.domain.card.conversation.replies import handed_over_card
from bot.domain.conversation import reassignment
from bot.domain.conversation.reassignment import Candidate
from bot.domain.conversation.speakers import Speaker
from bot.domain.model import TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.text import target_label, version_name
from bot.errors import OutsideError, Refused
from bot.language import _, sentences
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.conversation.presses import late_presses_answered, locked_card, speaker_of
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account
from handlers.notify.render_context import context_for
from handlers.request.approvals import pressed_card
from handlers.request.casting import Reply
from handlers.request.voters import Voter, VoterUnknown, voter_for


def reassign(click: Click, s: Services) -> Reply:
    """Hand over, in the menu of a card: asks to whom, then records it."""
    request, rule = pressed_card(click, s)
    voter = voter_for(click.account, rule, request, s)
    to = _picked(click.chosen, rule, request, s) if click.is_form else None
    now = s.clock.now()
    with s.store.transaction() as tx, late_presses_answered(tx):
        request, rule, rule_hash = locked_card(click, voter, tx, now)
        if to is not None:
            candidate = _candidate(to, tx, now)
            tx.record(
                reassignment.reassign(request, speaker_of(voter), candidate, click.reason, (rule, rule_hash), now)
            )
            return Reply()
        reassignment.check_may_hand_over(request, speaker_of(voter), rule, now)
    with for_account(click.account, s):
        s.notifier.ask_person(click, _("Hand over"), _to_whom(request))
    return Reply(asked=True)


def hand_over(request_id: str, s: Services) -> None:
    """One direct message for each hand-over, unless it is over by the time that it is sent."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        handover = reassignment.in_charge(request)
        key = f"handed-over:{request_id}:{len(request.conversation.handovers)}"
        if handover is None or tx.outbox.is_sent(key):
            return
        person = tx.people.get(handover.to)
    found = None if person.account else s.notifier.find_account(person.email)
    account = person.account or (found.id if found else None)
    if account is not None:  # gone from the workspace since: the card still says whom it was handed to
        with for_account(account, s):
            post_once(key, account, handed_over_card(request, handover, context), s)


def _picked(account_id: str, rule: Rule, request: TransitionRequest, s: Services) -> Voter:
    """The person who was picked, as a voter. Raises Refused with their fault, not with the one of who picked them."""
    try:
        return voter_for(account_id, rule, request, s)
    except (VoterUnknown, OutsideError):
        raise
    except Refused as refusal:
        raise Refused(
            _("the person whom you picked cannot decide this: {why}. Pick another", why=refusal.args[0])
        ) from None


def _candidate(to: Voter, tx: Transaction, now: datetime) -> Candidate:
    ids = (to.person.id, *to.also)
    absence = next(filter(None, (tx.absences.find(person, now) for person in ids)), None)
    delegate = tx.people.get(absence.delegate).name if absence else ""
    speaker = Speaker(to.person.id, to.groups, to.also)
    return Candidate(speaker, to.person.name, absence.until if absence else None, delegate)


def _to_whom(request: TransitionRequest) -> str:
    return sentences(
        _(
            "Who is to decide on {version} for {target}?",
            version=version_name(request.version),
            target=target_label(request),
        ),
        _("They get a direct message and the next reminder. Others may still vote."),
    )
