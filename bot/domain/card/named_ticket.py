"""What cards and tickets say about a ticket that somebody names."""

from __future__ import annotations

from bot.domain.card.context import CardContext
from bot.domain.model import TransitionRequest
from bot.domain.references import NamedTicket, Relation


def named_text(named: NamedTicket, request: TransitionRequest, context: CardContext) -> str:
    """Who named it stands first: anyone who may ask, or may write in the registry, can write any name."""
    asker = _asker(request, context)
    where = (
        f"by {asker} in the request"
        if named.in_request
        else "in the version's description, by someone with access to MLflow"
    )
    done = {
        Relation.SUBTASK: "this request's ticket is its sub-task",
        Relation.LINK: "linked to this request's ticket",
        Relation.NONE: f"not related to this request's ticket: {named.trouble}",
    }
    return f"{named.key}, named {where}; {done[named.relation]}"


def _asker(request: TransitionRequest, context: CardContext) -> str:
    """A request keeps the first comment, which may be of one who joined later: then no name is put to it."""
    if set(request.joined) - {request.requester}:
        return "one of those who asked"
    return context.name(request.requester) if request.requester else "someone unknown"
