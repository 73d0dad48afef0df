"""Which calls are on record: whom a message mentioned, and for what. Whether one is due is decided in `bot.domain.calm.mentions`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bot.domain.calm.grouping import is_listed
from bot.domain.calm.mentions import call_keys, calls
from bot.domain.card.context import CardContext
from bot.domain.model import TransitionRequest
from bot.store.outbox import SentRows
from bot.store.transaction import Transaction


def may_call(request: TransitionRequest, context: CardContext, tx: Transaction, *, is_grouped: bool = False) -> bool:
    """Whether the request's own message, its card or its details, mentions those whose votes are missing."""
    earlier = earlier_of(request, tx)
    noted = noted_calls(call_keys(request, earlier), tx)
    return calls(request, context, noted, earlier=earlier, is_grouped=is_grouped or is_listed(request))


def noted_calls(keys: Collection[str], tx: Transaction) -> frozenset[str]:
    return frozenset(SentRows(tx.connection).digests(keys))


def note_call(key: str, tx: Transaction, now: datetime) -> None:
    SentRows(tx.connection).put(key, "", now)


def call_key_of(request_id: str) -> str:
    """As `bot.domain.calm.mentions.call_key` has it for a card."""
    return f"called:{request_id}"


def earlier_of(request: TransitionRequest, tx: Transaction) -> list[TransitionRequest]:
    """The requests whose place this one took, the newest first."""
    found: list[TransitionRequest] = []
    one = request
    while one.follows is not None:
        before = tx.requests.get(one.follows)
        if not before.renewed or before.superseded_by != one.id:
            break
        found.append(before)
        one = before
    return found
