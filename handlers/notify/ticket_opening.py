"""Opens a request's ticket, as a sub-task of the ticket that somebody names where the rule says so. An ordinary ticket is opened otherwise.

What is named is looked up only when the ticket is opened, so that a name written later moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from bot.domain.card.sentences import CardContext
from bot.domain.card.ticket import ticket_card
from bot.domain.model import TransitionRequest
from bot.domain.references import NamedTicket, Relation, TicketPlan
from bot.domain.request.named_tickets import chosen, names_in, related
from bot.errors import Permanent, without_replay
from bot.ports import Ticket
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.notify.outbox import open_ticket_once
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import plan_of

Record = Callable[[Transaction, Ticket, NamedTicket | None], None]


def open_ticket(request: TransitionRequest, context: CardContext, s: Services, record: Record) -> None:
    """Raises OutsideError. A sub-task that Jira refuses becomes an ordinary ticket, which says so."""
    plan = plan_of(request, context)
    named = _named(request, plan, s)
    try:
        _open(request, named, context, s, record)
    except Permanent as refusal:
        if named is None or named.relation is not Relation.SUBTASK:
            raise
        ordinary = replace(named, relation=Relation.NONE, trouble=without_replay(str(refusal)).rstrip("."))
        _open(request, ordinary, context, s, record)


def _open(
    request: TransitionRequest, named: NamedTicket | None, context: CardContext, s: Services, record: Record
) -> None:
    plan, parent = _plan_for(request, context), ""
    if named is not None and named.relation is Relation.SUBTASK:
        plan, parent = replace(plan, type=plan.relation_type), named.key
    with for_everyone(s):
        card = ticket_card(replace(request, named=named), context)
        noted = partial(_noted, record=record, named=named)
        open_ticket_once(f"countersign-{request.id}", plan, card, s, record=noted, parent=parent)


def _plan_for(request: TransitionRequest, context: CardContext) -> TicketPlan:
    """After break glass the ticket may be of another type."""
    plan = plan_of(request, context)
    return replace(plan, type=plan.break_glass_type) if request.glass and plan.break_glass_type else plan


def _noted(tx: Transaction, ticket: Ticket, *, record: Record, named: NamedTicket | None) -> None:
    record(tx, ticket, named)


def _named(request: TransitionRequest, plan: TicketPlan, s: Services) -> NamedTicket | None:
    """Of those in a project that is there: what only looks like a ticket is in none."""
    return chosen(_found(request, plan, s)) if plan.relation else None


def _found(request: TransitionRequest, plan: TicketPlan, s: Services) -> Iterator[NamedTicket]:
    for name, in_request in names_in(request):
        seen = s.tickets.look_up(name)
        if seen.has_project:
            yield related(plan, seen, in_request=in_request)
