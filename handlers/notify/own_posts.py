"""A press on a message of ours that is not on record: its worker has only just posted it, or died before it could record it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bot.domain.references import PostedCard
from bot.errors import Permanent, Refused
from bot.ports import Click
from bot.services import Services
from bot.store.transaction import Transaction

T = TypeVar("T")


@dataclass(frozen=True)
class MayBe:
    """What the pressed message may be: one that is posted under `key`, in a thread where one is named. `record` puts it on record."""

    key: str
    record: Callable[[Transaction, PostedCard, datetime], None]
    thread: str = ""


class NotOnRecord(Refused):
    """The message that was pressed is not on record, and is perhaps one of these."""

    def __init__(self, said: str, *may_be: MayBe) -> None:
        super().__init__(said)
        self.may_be = may_be


def pressed(press: Callable[[Click, Services], T], click: Click, s: Services) -> T:
    """What `press` answers. A press on a message that is ours and not yet on record counts, and puts it there."""
    try:
        return press(click, s)
    except NotOnRecord as refusal:
        if not any(_adopt(one, click, s) for one in refusal.may_be):
            raise
    return press(click, s)


def _adopt(one: MayBe, click: Click, s: Services) -> bool:
    try:
        posted = s.notifier.own_post(click.channel, click.message, one.key, one.thread)
    except Permanent:  # a channel that the bot cannot see, so none of ours is there
        return False
    if posted is None:
        return False
    now = s.clock.now()
    with s.store.transaction() as tx:
        tx.outbox.complete(one.key, now)
        one.record(tx, posted, now)
    return True
