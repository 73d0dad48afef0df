"""What cards and tickets say about a ticket that somebody names."""

from __future__ import annotations

from bot.domain.card.context import CardContext
from bot.domain.model import TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.references import NamedTicket, Relation
from bot.language import N_, _

RELATED = {
    Relation.SUBTASK: N_("this request's ticket is its sub-task"),
    Relation.LINK: N_("linked to this request's ticket"),
}


def named_text(named: NamedTicket, request: TransitionRequest, context: CardContext) -> str:
    """Who named it stands first: anyone who may ask, or may write in the registry, can write any name."""
    named_by = (
        _("by {person} in the request", person=_asker(request, context))
        if named.in_request
        else _("in the version's description, by someone with access to MLflow")
    )
    if named.relation is Relation.NONE:
        related = _("not related to this request's ticket: {why}", why=in_one_line(named.trouble))
    else:
        related = _(RELATED[named.relation])
    said = _("{ticket}, named {where}; {related}", ticket=in_one_line(named.key), where=named_by, related=related)
    if not named.refused:
        return said
    return _("{named}. Not related: {refused}", named=said, refused=in_one_line("; ".join(named.refused)))


def _asker(request: TransitionRequest, context: CardContext) -> str:
    """A request keeps the first comment, which may be of one who joined later: then no name is put to it."""
    if set(request.joined) - {request.requester}:
        return _("one of those who asked")
    return context.name(request.requester) if request.requester else _("someone unknown")
