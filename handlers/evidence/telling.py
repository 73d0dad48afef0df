"""Says in the channels what was lost, found again, or could not be looked at. What comes together is one message.

It is also in the thread of each request that it is about: below its card, where those look who work with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.card.losses import Told, losses_card
from bot.domain.events import EvidenceFound, EvidenceLost, EvidenceOutOfSight
from bot.domain.model import TransitionRequest
from bot.domain.references import PostedCard
from bot.engine.lanes import Lane
from bot.errors import MessageGone
from bot.ids import new_id
from bot.services import Services
from bot.store.evidence_watch import EvidenceWatchRows, LossNote
from bot.store.transaction import Transaction
from handlers.evidence.watching import defer_telling
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_everyone

BELOW = "tell_losses_below"


def tell_losses(channel: str, s: Services) -> None:
    """Effect: one message with all that waits for the channel; if it is about one request alone, below its card and in the channel.

    What is in it is fixed first, so that a try after a stop adopts what was posted.
    """
    with s.store.transaction() as tx:
        batch, notes = EvidenceWatchRows(tx.connection).batch(channel, new_id())
        about = tx.requests.some({_request_id(note) for note in notes})
    if not notes:
        return
    is_alone = len(about) == 1
    below = {note.id: _request_id(note) for note in notes if _has_card(note, about)} if not is_alone else {}

    def record(tx: Transaction, _posted: PostedCard) -> None:
        if EvidenceWatchRows(tx.connection).sent(batch, channel, below):
            defer_telling(channel, tx)
        for request_id in dict.fromkeys(below.values()):
            tx.defer(BELOW, request_id, f"{Lane.NOTES}:losses-below:{request_id}", once=True)

    with for_everyone(s):
        card = losses_card(_told(notes, about))
        key, only = f"losses:{batch}", _card_of(about, s) if is_alone else None
        if only is None:
            post_once(key, channel, card, s, record=record)
            return
        try:
            post_once(key, only.channel, card, s, thread=only.root, broadcast=True, record=record)
        except MessageGone:
            post_once(f"{key}:alone", channel, card, s, record=record)


def tell_losses_below(request_id: str, s: Services) -> None:
    """Effect: one reply with all that is still to be said below the request's card. A card that was deleted has no thread."""
    with s.store.transaction() as tx:
        notes = EvidenceWatchRows(tx.connection).below(request_id)
        request = tx.requests.get(request_id)
    if not notes:
        return

    def forget(tx: Transaction) -> None:
        EvidenceWatchRows(tx.connection).said_below(notes)

    about = {request_id: request}
    card = _card_of(about, s)
    try:
        if card is not None:
            with for_everyone(s):
                said, key = losses_card(_told(notes, about)), f"losses-below:{notes[-1].id}:{request_id}"
                post_once(key, card.channel, said, s, thread=card.root, record=lambda tx, _posted: forget(tx))
            return
    except MessageGone:
        card = None
    with s.store.transaction() as tx:
        forget(tx)


def _has_card(note: LossNote, about: Mapping[str, TransitionRequest]) -> bool:
    request = about.get(_request_id(note))
    return request is not None and request.card is not None


def _card_of(about: Mapping[str, TransitionRequest], s: Services) -> PostedCard | None:
    """Of the only request that it is about, if the card is there."""
    cards = [one.card for one in about.values()]
    return cards[0] if len(cards) == 1 and cards[0] is not None and s.notifier.is_there(cards[0]) else None


def _told(notes: Sequence[LossNote], about: Mapping[str, TransitionRequest]) -> list[Told]:
    return [Told(note.event, about[_request_id(note)]) for note in notes if _request_id(note) in about]


def _request_id(note: LossNote) -> str:
    event = note.event
    if not isinstance(event, EvidenceLost | EvidenceFound | EvidenceOutOfSight):
        raise TypeError(f"a note about {type(event).__name__} is not about evidence")
    return event.request_id
