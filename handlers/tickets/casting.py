"""A move of a ticket, or an approver's answer in it, as the vote of the person who made it. The rules are those of a vote by button."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.model import State, TransitionRequest, Verdict
from bot.domain.policy.rules import Rule
from bot.domain.references import TicketRef
from bot.domain.request.quorum import wants_passkey
from bot.domain.request.shown import shown_on
from bot.domain.ticket_votes.history import TICKET, Text, TicketAct, TicketHistory, text_at
from bot.errors import Refused
from bot.language import N_, _
from bot.ports import Click
from bot.ports.ticket_decisions import CastInTicket
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.tickets import Outcome, ReadAct
from bot.store.transaction import Transaction
from handlers.notify.outbox import digest_of
from handlers.notify.ticket_writes import shown_key
from handlers.request.approvals import own_requests_noted
from handlers.request.casting import open_ballot, record_vote, rule_of, vote_of
from handlers.request.voters import voter_elsewhere
from handlers.tickets.accounts import account_behind, person_behind

TEXT_EDITED = N_(
    "the title or the text of the ticket was edited by hand before, so it may not have said what is asked. Countersign has written it "
    "again: read it, then move the ticket again"
)
TEXT_RENEWED = N_(
    "the policy has changed since, or the ticket's text was written again. Read it, then move the ticket again"
)
TEXT_UNDATED = N_(
    "the title or the text of the ticket was written after this approval was opened, and the ticket system does not say when an approver "
    "answered, so the answer may be about an earlier text. Read the ticket, then decide on the card: {card}"
)
PASSKEY = N_("this approval needs your passkey, which a ticket cannot ask for. Press Approve on the card: {card}")


def cast_in_ticket(act: TicketAct, verdict: Verdict, history: TicketHistory, request_id: str, s: Services) -> None:
    """Records the vote, and with it that the act was read. Raises Refused with the sentence that the ticket then says, VoterUnknown."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        rule = rule_of(request, tx)
        shown = _shown(act, history, request, rule, tx) if request.state is State.PENDING else ""
    account = account_behind(act.account, s)
    person = person_behind(account, s)
    voter = voter_elsewhere(person, account.email, rule, request, s)
    click = _click_of(act, verdict, request, shown, s)

    now = s.clock.now()
    with own_requests_noted(click, voter, s), s.store.transaction() as tx:
        ballot = open_ballot(click, voter, tx, now)
        vote = replace(vote_of(click, voter, now), rule_hash=ballot.rule_hash)
        if wants_passkey(vote, ballot.rule):
            raise Refused(_(PASSKEY, card=request.card.url if request.card else ""))
        read = ReadAct(request_id, act.id, Outcome.CAST, str(verdict), act.before, act.after, "", now)
        if tx.ticket_acts.add(read):
            record_vote(ballot, vote, click, tx, now)


def _shown(act: TicketAct, history: TicketHistory, request: TransitionRequest, rule: Rule, tx: Transaction) -> str:
    """What the ticket's text was about when the person decided. Raises Refused unless it is what the request is about now."""
    said = text_at(act, history)
    if said is Text.EDITED:
        raise Refused(_(TEXT_EDITED))
    if said is Text.UNDATED:
        raise Refused(_(TEXT_UNDATED, card=request.card.url if request.card else ""))
    shown = shown_on(request, tx.policy().rule_hash(rule))
    key = shown_key(request)
    if said is Text.RENEWED or SentRows(tx.connection).digests([key]).get(key) != digest_of(shown):
        raise Refused(_(TEXT_RENEWED))
    return shown


def _click_of(act: TicketAct, verdict: Verdict, request: TransitionRequest, shown: str, s: Services) -> Click:
    """The same that a button would have brought, with the sealed entry in the place of the signed request."""
    ticket = _ticket_of(request)
    reason = s.decisions.words_with(ticket, act)
    cast = CastInTicket(request.id, ticket.id, act, verdict, reason, shown)
    return Click(
        team=TICKET,
        app="",
        channel=ticket.id,
        message=act.id,
        account=act.account,
        action=str(verdict),
        value=request.id,
        trigger="",
        reason=reason,
        signed=s.decisions.seal(cast, s.clock.now()),
        shown=shown,
    )


def _ticket_of(request: TransitionRequest) -> TicketRef:
    if request.ticket is None:
        raise Refused(_("the request has no ticket yet. Move it again in a moment"))
    return request.ticket
