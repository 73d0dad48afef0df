"""Effect: the reply in a card's thread that has everything the card leaves out, once for each card."""

from __future__ import annotations

from functools import partial

from bot.domain.card.details import details_card
from bot.domain.card.request_card import mentions_of
from bot.domain.model import ENDED_UNDECIDED, TransitionRequest
from bot.domain.references import PostedCard
from bot.services import Services
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction
from handlers.notify.calls import call_key_of, may_call, note_call
from handlers.notify.card_and_ticket import card_of
from handlers.notify.grouped.places import is_kept_short
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import context_for


def show_details(request_id: str, s: Services) -> None:
    """Replies under the card once its evidence is there. If the card came before the vote was open, it calls those who are to vote."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if request.card is None or is_kept_short(request, tx) or not _is_due(request, request.card, tx):
            return
        context = context_for(request, tx, s.clock.now())
        calls = may_call(request, context, tx)
    posted = card_of(request, context, s)
    if posted is not None:
        with for_everyone(s):
            card = details_card(request, context, mentions_of(request, context) if calls else ())
            record = partial(_record, request_id, s, called=bool(card.mentions))
            post_once(_key(request_id, posted), posted.channel, card, s, thread=posted.root, record=record)


def _is_due(request: TransitionRequest, card: PostedCard, tx: Transaction) -> bool:
    if request.evidence is None or request.state in ENDED_UNDECIDED:
        return False
    key = _key(request.id, card)
    return key not in SentRows(tx.connection).digests([key])


def _key(request_id: str, card: PostedCard) -> str:
    return f"details:{request_id}:{card.message}"


def _record(request_id: str, s: Services, tx: Transaction, _reply: PostedCard, *, called: bool) -> None:
    if called:
        note_call(call_key_of(request_id), tx, s.clock.now())
