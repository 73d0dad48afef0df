"""Effect `look_at_ticket`: reads what people did to a request's ticket since the last look, takes it as votes, and answers.

A webhook says no more than that something happened. What happened, and who did it, is read in the ticket's own history.
"""

from __future__ import annotations

from bot.domain.card.ticket import ticket_card
from bot.domain.model import State, TransitionRequest, Verdict
from bot.domain.references import TicketPlan, TicketRef
from bot.domain.request.quorum import under
from bot.domain.ticket_votes.history import TICKET, TicketAct, TicketHistory, edit_by_hand, unread, verdict_of
from bot.engine.lanes import FollowUp, Lane
from bot.errors import Refused, Temporary
from bot.language import N_, _
from bot.services import Services
from bot.store.tickets import Outcome, ReadAct
from bot.store.transaction import Transaction
from handlers.notify import card_and_ticket
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import context_for
from handlers.request.casting import rule_of
from handlers.request.voters import VoterUnknown
from handlers.tickets.answering import answer_acts
from handlers.tickets.casting import cast_in_ticket

REOPENED = N_(
    "This request is decided, so moving its ticket changes nothing. To go back, use Roll back on the card; to try again, ask again."
)
EDITED = N_(
    "The title or the text of this ticket was edited by hand, and people decide here by what it says. Countersign has written it again."
)


def look_at_ticket(request_id: str, s: Services) -> None:
    """Where people decide in tickets, takes their moves as votes, and answers; elsewhere a comment says that a move decides nothing."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        plan = plan_for(request, tx)
    if request.ticket is None:
        return
    if plan is None or not plan.decides:
        card_and_ticket.look_at_ticket(request_id, s)
        return
    with for_everyone(s):
        history = s.decisions.history_of(request.ticket, approvals=plan.approvals)
        for act in unread(history, _read_before(request_id, s)):
            _read(act, history, request_id, plan, s)
        _keep_text(request_id, request.ticket, history, s)
        answer_acts(request_id, plan, s)


def plan_for(request: TransitionRequest, tx: Transaction) -> TicketPlan | None:
    """The ticket settings of the rule in force."""
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    return rule.ticket if rule else None


def _read_before(request_id: str, s: Services) -> frozenset[str]:
    with s.store.transaction() as tx:
        return frozenset(one.act for one in tx.ticket_acts.of(request_id))


def _read(act: TicketAct, history: TicketHistory, request_id: str, plan: TicketPlan, s: Services) -> None:
    verdict = verdict_of(act, plan)
    if verdict is None:
        _note(act, Outcome.NO_VOTE, None, _about_reopening(act, request_id, s), request_id, s)
        return
    if _has_voted_so(act, verdict, request_id, s):
        _note(act, Outcome.CAST if act.after else Outcome.NO_VOTE, verdict, "", request_id, s)
        return
    try:
        cast_in_ticket(act, verdict, history, request_id, s)
    except VoterUnknown as slow:
        raise Temporary(f"who moved the ticket could not be looked up now: {slow}") from None
    except Refused as why:
        _note(act, Outcome.REFUSED, verdict, str(why), request_id, s)


def _has_voted_so(act: TicketAct, verdict: Verdict, request_id: str, s: Services) -> bool:
    """An approver's answer that completes an approval also moves the ticket: both are one vote. One under an earlier rule has lapsed."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        counted = under(request, tx.policy().rule_hash(rule_of(request, tx))).votes
    return any((vote.via, vote.account, vote.verdict) == (TICKET, act.account, verdict) for vote in counted)


def _about_reopening(act: TicketAct, request_id: str, s: Services) -> str:
    """Only for a ticket that the bot has closed: before that, people move it about as they like."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
    return _(REOPENED) if request.ticket_status and act.after else ""


def _note(act: TicketAct, outcome: Outcome, verdict: Verdict | None, said: str, request_id: str, s: Services) -> None:
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.ticket_acts.add(ReadAct(request_id, act.id, outcome, str(verdict or ""), act.before, act.after, said, now))
        if outcome is Outcome.REFUSED:  # perhaps because the text is not what it should be
            tx.defer_for(FollowUp("sync_ticket", Lane.JIRA), tx.requests.get(request_id))


def _keep_text(request_id: str, ticket: TicketRef, history: TicketHistory, s: Services) -> None:
    """While people may decide by what the ticket says, it says what the bot wrote."""
    edit = edit_by_hand(history)
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if edit is None or request.state is not State.PENDING:
            return
        context = context_for(request, tx, s.clock.now())
        tx.defer_for(FollowUp("sync_ticket", Lane.JIRA), request)
    s.decisions.describe(ticket, ticket_card(request, context))
    s.tickets.comment(ticket, f"edited:{request_id}:{edit.id}", _(EDITED))
