"""Who held each target of a model at a past moment, and on whose approval. Read from the ledger; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.events import BaselineTaken
from bot.domain.model import DEFAULT_WORKSPACE
from bot.domain.queries.description import Held, approval_text
from bot.domain.registry.holders import KINDS, Place, concerns, places_at
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.ledger import read_event
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.custody.facts import behind


@dataclass(frozen=True)
class PastHolders:
    """`unknown` says what is not known of that moment; empty when all of it is."""

    model: str
    at: datetime
    held: tuple[Held, ...]
    unknown: str


def held_at(model: str, at: datetime, s: Services, workspace: str = DEFAULT_WORKSPACE) -> PastHolders:
    """Raises Refused for a moment that has not come yet."""
    if at > s.clock.now():
        raise Refused(_("{when} has not come yet. Leave the day away to see who holds what now", when=at))
    with s.store.transaction() as tx:
        names = tx.people.all_names()
        entries = tx.ledger.entries(*(kind.__name__ for kind in KINDS))
        places = places_at((read_event(entry.kind, entry.body) for entry in entries), at)
        mine = [place for place in places if place.workspace == workspace and concerns(place, model)]
        held = [_held(place, tx, names) for place in mine]
        held += [
            _since_the_beginning(place) for place in _never_moved(workspace, model, places, tx) if place.since <= at
        ]
        unknown = _unknown(workspace, at, tx)
    return PastHolders(model, at, tuple(sorted(held, key=lambda one: one.target)), unknown)


def _held(place: Place, tx: Transaction, names: Mapping[str, str]) -> Held:
    request = tx.requests.get(place.request_id) if place.request_id else None
    ticket = request.ticket.key if request and request.ticket else ""
    approval = approval_text(behind(request, tx), names) if place.since else _("nothing is recorded of an approval")
    url = request.ticket.url if request and request.ticket else ""
    return Held(place.target, place.version, place.since, approval, ticket, place.request_id, url)


def _never_moved(workspace: str, model: str, places: Sequence[Place], tx: Transaction) -> Iterator[Placement]:
    """What was there at the baseline and has stayed: the ledger counts it, the registry's record names it."""
    told = {place.target for place in places if (place.workspace, place.model) == (workspace, model)}
    for placement in tx.registry.placements(workspace, model):
        if placement.target not in told:
            yield placement


def _since_the_beginning(placement: Placement) -> Held:
    return Held(placement.target, placement.version, placement.since, _("there since before the baseline"))


def _unknown(workspace: str, at: datetime, tx: Transaction) -> str:
    """Before the first baseline nothing was watched."""
    taken = (read_event(entry.kind, entry.body) for entry in tx.ledger.entries(BaselineTaken.__name__))
    baselines = [one for one in taken if isinstance(one, BaselineTaken) and one.workspace == workspace]
    if not baselines:
        return _("Countersign has taken no baseline yet, so it knows of no target before its first sweep.")
    if at < baselines[0].at:
        return _(
            "Countersign began to watch on {when}. Of a time before that it knows only who was found on a target that has been moved "
            "since.",
            when=baselines[0].at,
        )
    return ""
