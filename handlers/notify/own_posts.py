"""A press on a message of ours that is not on record: its worker has only just posted it, or died before it could record it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from bot.domain.references import PostedCard
from bot.errors import Refused
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction

T = TypeVar("T")
Record = Callable[[Transaction, PostedCard, datetime], None]


class NotOnRecord(Refused):
    """The message that was pressed is not on record. It may be one of `may_be`: by the key that it was posted under, what records it.

    `thread` is the one in which they are posted, if any.
    """

    def __init__(self, said: str, may_be: Mapping[str, Record], thread: str = "") -> None:
        super().__init__(said)
        self.may_be = may_be
        self.thread = thread


def pressed(press: Callable[[Click, Services], T], click: Click, s: Services) -> T:
    """What `press` answers. A press on a message that is ours and not yet on record counts, and puts it there."""
    try:
        return press(click, s)
    except NotOnRecord as refusal:
        own = s.notifier.own_post(click.channel, click.message, refusal.thread)
        if own is None or own.key not in refusal.may_be:
            raise
        now = s.clock.now()
        with s.store.transaction() as tx:
            tx.outbox.complete(own.key, now)
            refusal.may_be[own.key](tx, own.posted, now)
    return press(click, s)
