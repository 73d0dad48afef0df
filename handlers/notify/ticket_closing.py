"""Closing a request's ticket: when, and where it goes. What else is written to it is in `ticket_writes`."""

from __future__ import annotations

import structlog

from bot.domain.break_glass.reviewing import wants_review
from bot.domain.card.sentences import CardContext
from bot.domain.events import TicketClosed
from bot.domain.model import Kind, State, TransitionRequest
from bot.domain.references import TicketMove, TicketPlan, TicketRef
from bot.domain.ticket_votes.history import same_status
from bot.errors import NoWay, without_replay
from bot.language import N_, _
from bot.services import Services
from bot.store.outbox import ended_by_restore
from bot.store.transaction import Transaction
from handlers.notify.outbox import Write
from handlers.notify.render_context import plan_of

log = structlog.get_logger()
STAYS = N_("This ticket should be at {status}, and could not be moved there: {why} Move it there by hand.")


def closing(request: TransitionRequest, context: CardContext, ticket: TicketRef, s: Services) -> Write:
    """Asks for the plan only when its turn has come: without one, all that goes before is sent all the same.

    A ticket that was closed after the backup from which the database was restored stays as it is.
    """
    stays: list[str] = []  # its status then

    def wanted() -> TicketMove:
        plan = plan_of(request, context)
        return plan.on_approval() if request.state is State.APPLIED else plan.on_rejection()

    def close() -> None:
        stays.extend(_closed_since_backup(request, ticket, plan_of(request, context), s))
        if not stays:
            stays.extend(_closed_at(request, ticket, wanted(), plan_of(request, context), s))

    def record(tx: Transaction) -> None:
        if not tx.requests.get(request.id, for_update=True).ticket_status:
            tx.record([TicketClosed(s.clock.now(), request.id, ticket, stays[0] if stays else wanted().to)])

    return Write(f"closing:{request.id}", close, record=record)


def _closed_since_backup(request: TransitionRequest, ticket: TicketRef, plan: TicketPlan, s: Services) -> list[str]:
    """The status of the ticket of a request that waited in the backup and was decided after it; else none."""
    if request.state not in (State.WITHDRAWN, State.STALE):
        return []
    with s.store.transaction() as tx:
        if not tx.outbox.is_sent(ended_by_restore(request.id)):
            return []
    status = s.tickets.get_ticket(ticket).status
    return [status] if status.lower() in (plan.approved.lower(), plan.rejected.lower()) else []


def _closed_at(
    request: TransitionRequest, ticket: TicketRef, to: TicketMove, plan: TicketPlan, s: Services
) -> list[str]:
    """The status in which it stays, if it cannot be moved from where people decide in it; else none. A comment then says so."""
    try:
        s.tickets.move(ticket, to)
    except NoWay as refusal:
        status = s.tickets.get_ticket(ticket).status
        if not plan.decides or not any(same_status(status, one) for one in (plan.decide_approve, plan.decide_reject)):
            raise
        if _went_round(request, ticket, status, to, s):
            return []
        log.warning("ticket_left_open", request=request.short_id, ticket=ticket.key, status=status)
        s.tickets.comment(ticket, f"stays:{request.id}", _(STAYS, status=to.to, why=without_replay(str(refusal))))
        return [status]
    return []


def _went_round(request: TransitionRequest, ticket: TicketRef, status: str, to: TicketMove, s: Services) -> bool:
    """By way of where the ticket was before somebody decided in it."""
    with s.store.transaction() as tx:
        before = [one.before for one in tx.ticket_acts.of(request.id) if one.before and same_status(one.after, status)]
    if not before:
        return False
    try:
        s.tickets.move(ticket, TicketMove(before[-1], path=(before[-1],)))
        s.tickets.move(ticket, to)
    except NoWay:
        return False
    return True


def is_finished(request: TransitionRequest) -> bool:
    """Nothing more will happen to it: the target has moved, or never will."""
    if request.state is State.APPROVED or wants_review(request):
        return False
    return not (request.state is State.REJECTED and request.kind is Kind.OBSERVED) or request.settled_at is not None
