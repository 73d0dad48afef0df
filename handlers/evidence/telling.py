"""Says in the channels what was lost, found again, or could not be looked at. What comes together is one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.card.losses import Told, losses_card
from bot.domain.events import EvidenceFound, EvidenceLost, EvidenceOutOfSight
from bot.domain.model import TransitionRequest
from bot.domain.references import PostedCard
from bot.errors import MessageGone
from bot.ids import new_id
from bot.services import Services
from bot.store.evidence_watch import EvidenceWatchRows, LossNote
from bot.store.transaction import Transaction
from handlers.evidence.watching import defer_telling
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_everyone


def tell_losses(channel: str, s: Services) -> None:
    """Effect: one message with all that waits for the channel; below the card and in the channel, if it is about one request alone.

    What is in it is fixed first, so that a try after a stop adopts what was posted.
    """
    with s.store.transaction() as tx:
        batch, notes = EvidenceWatchRows(tx.connection).batch(channel, new_id())
        requests = tx.requests.some({_request_id(note) for note in notes})
    if not notes:
        return

    def record(tx: Transaction, _posted: PostedCard) -> None:
        if EvidenceWatchRows(tx.connection).sent(batch, channel):
            defer_telling(channel, tx)

    with for_everyone(s):
        card = losses_card(_told(notes, requests))
        key, below = f"losses:{batch}", _card_of(requests, s)
        if below is None:
            post_once(key, channel, card, s, record=record)
            return
        try:
            post_once(key, below.channel, card, s, thread=below.root, broadcast=True, record=record)
        except MessageGone:
            post_once(f"{key}:alone", channel, card, s, record=record)


def _card_of(requests: Mapping[str, TransitionRequest], s: Services) -> PostedCard | None:
    """Of the only request that it is about, if the card is there."""
    cards = [one.card for one in requests.values()]
    return cards[0] if len(cards) == 1 and cards[0] is not None and s.notifier.is_there(cards[0]) else None


def _told(notes: Sequence[LossNote], requests: Mapping[str, TransitionRequest]) -> list[Told]:
    return [Told(note.event, requests[_request_id(note)]) for note in notes if _request_id(note) in requests]


def _request_id(note: LossNote) -> str:
    event = note.event
    if not isinstance(event, EvidenceLost | EvidenceFound | EvidenceOutOfSight):
        raise TypeError(f"a note about {type(event).__name__} is not about evidence")
    return event.request_id
