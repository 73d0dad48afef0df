"""Whom a list still has to call: everyone whose vote a request on it lacks, whenever that joins, and each of them once in a round of votes.

Who is called is reserved before anything is posted, and the same call is finished before another begins. So of a message whose answer was
lost, or whose process died, it is known whom it mentions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.calm.group_card import Shown
from bot.domain.calm.grouping import Member
from bot.domain.calm.mentions import ListCall, call_keys, calls, calls_on_list, list_calls
from bot.domain.card.card import Mention
from bot.domain.model import State
from bot.store.calm.groups import GroupRows
from bot.store.transaction import Transaction
from handlers.notify.calls import call_key_of, earlier_of, note_call, noted_calls
from handlers.notify.outbox import digest_of
from handlers.notify.render_context import context_for


@dataclass(frozen=True)
class Call:
    """`made` are mentioned together in one message. `heard` are the requests of which everyone then knows."""

    made: tuple[ListCall, ...] = ()
    heard: tuple[str, ...] = ()

    @property
    def mentions(self) -> tuple[Mention, ...]:
        return tuple(dict.fromkeys(one.mention for one in self.made))

    @property
    def key(self) -> str:
        """Of the reply that makes it: no other call mentions the same in the same round."""
        return f"group-call:{digest_of(','.join(sorted(one.key for one in self.made)))}"


def plan_call(
    group_id: str, members: Sequence[Member], shown: Mapping[str, Shown], tx: Transaction, now: datetime
) -> Call:
    """Reserves the next call, or finds the one that was begun. Those without a line on the list are called too."""
    GroupRows(tx.connection).lock_calls(group_id)
    waiting = {call_key_of(one.id): one.id for one in members if one.state is State.PENDING}
    noted = noted_calls(waiting, tx)
    due: dict[str, tuple[ListCall, ...]] = {}
    for request_id in (id_ for key, id_ in waiting.items() if key not in noted):
        needed = _needed(group_id, request_id, shown.get(request_id), tx, now)
        if needed is not None:
            due[request_id] = needed
    made = noted_calls({one.key for needed in due.values() for one in needed}, tx)
    wanted = {one.key: one for needed in due.values() for one in needed if one.key not in made}
    begun = tx.outbox.unfinished(list_calls(group_id))
    if not begun:
        tx.outbox.reserve_new(wanted, now)
    planned = {key: wanted.get(key) or ListCall.parse(key) for key in begun or wanted}
    heard = [id_ for id_, needed in due.items() if all(one.key in made or one.key in planned for one in needed)]
    return Call(tuple(planned.values()), tuple(heard))


def note_made(call: Call, tx: Transaction, now: datetime) -> None:
    """For the list, and for each request, so that no other message calls the same people for it."""
    for key in dict.fromkeys(key for one in call.made for key in one.keys):
        note_call(key, tx, now)
    for request_id in call.heard:
        note_call(call_key_of(request_id), tx, now)


def _needed(
    group_id: str, request_id: str, shown: Shown | None, tx: Transaction, now: datetime
) -> tuple[ListCall, ...] | None:
    """None while there is nothing to vote on; empty when those who are to vote know of it already."""
    if shown is None:
        request = tx.requests.get(request_id)
        shown = Shown(request, context_for(request, tx, now))
    request, context = shown.request, shown.context
    earlier = earlier_of(request, tx)
    if calls(request, context, (), earlier=earlier):
        is_known = bool(noted_calls(call_keys(request, earlier), tx))
        return () if is_known else calls_on_list(group_id, request, context, earlier)
    return None
