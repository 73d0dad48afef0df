"""Effects: the list of a group's requests, one message that is always up to date. Running one again is always safe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from bot.domain.calm.group_card import Shown, call_card, count, group_card, with_a_line
from bot.domain.calm.grouping import CardGroup, Member
from bot.domain.card.card import Card, Link
from bot.domain.model import ENDED_UNDECIDED, TransitionRequest
from bot.domain.references import PostedCard
from bot.engine.lanes import Lane, Urgency
from bot.errors import MessageGone
from bot.language import _
from bot.language.catalogues import in_language
from bot.services import Services
from bot.store.calm.groups import GroupRows
from bot.store.transaction import Transaction
from handlers.notify.grouped.list_calls import Call, note_made, plan_call
from handlers.notify.grouped.places import group_lane as group_lane
from handlers.notify.outbox import begin_update, post_once
from handlers.notify.own_posts import NotOnRecord
from handlers.notify.readers import for_everyone
from handlers.notify.render_context import context_for

log = structlog.get_logger()


@dataclass(frozen=True)
class Listed:
    """A group as it is now. `call` is what its message, or else a reply to it, still has to make."""

    group: CardGroup
    members: list[Member]
    card: Card
    call: Call


def sync_group(group_id: str, s: Services) -> None:
    """One message for each group: posted before the cards of its requests, then always as they are now."""
    with s.store.transaction() as tx:
        listed = _read(group_id, tx, s, calls=True)
        posted = listed.group.posted
        if posted is None and all(one.state in ENDED_UNDECIDED for one in listed.members):
            return
        if not listed.call.made:
            note_made(listed.call, tx, s.clock.now())
        if posted is None:
            GroupRows(tx.connection).move_to(group_id, listed.group.channel)
        update = begin_update(f"group-shown:{group_id}", posted, listed.card, tx, s) if posted else None
    if posted is None:
        _post(listed, s)
        return
    try:
        with for_everyone(s):
            if update is not None:
                update.send(s)
            if listed.call.made:
                _call(listed, posted, s)
    except MessageGone:
        put_back(group_id, posted, s)


def look_at_group(group_id: str, s: Services) -> None:
    """Posts the list again when it was deleted while requests on it are open."""
    with s.store.transaction() as tx:
        group = GroupRows(tx.connection).get(group_id)
        members = GroupRows(tx.connection).members(group_id)
    is_live = any(one.state.is_open for one in members)
    if group.posted is not None and is_live and not s.notifier.is_there(group.posted):
        put_back(group_id, group.posted, s)


def put_back(group_id: str, gone: PostedCard, s: Services) -> None:
    """Once for each list that was deleted. The cards that were in its thread stay; those that are still to come are below the new one."""
    log.warning("list_deleted", group=group_id, message=gone.message)
    with s.store.transaction() as tx:
        listed = _read(group_id, tx, s)
    if listed.group.posted == gone:
        _post(listed, s)


def list_not_on_record(said: str, group: CardGroup, s: Services) -> NotOnRecord:
    """The message may be the group's list: the first one, or the one that follows a deleted one."""

    def record(tx: Transaction, posted: PostedCard, _now: datetime) -> None:
        listed = _read(group.id, tx, s, calls=group.posted is None)
        if listed.group.posted == group.posted:
            _record(listed, s, tx, posted)

    return NotOnRecord(said, {_key(group): record})


def _key(group: CardGroup) -> str:
    return f"group:{group.id}:after:{group.posted.message}" if group.posted else f"group:{group.id}"


def _post(listed: Listed, s: Services) -> None:
    record = partial(_record, listed, s)
    with for_everyone(s):
        post_once(_key(listed.group), listed.group.channel, listed.card, s, urgency=Urgency.CARD, record=record)


def _record(listed: Listed, s: Services, tx: Transaction, posted: PostedCard) -> None:
    groups = GroupRows(tx.connection)
    groups.note_post(listed.group.id, posted)
    note_made(listed.call, tx, s.clock.now())
    for member in groups.members(listed.group.id):  # others may have joined meanwhile
        tx.defer("sync_card", member.id, f"{Lane.SLACK}:{member.id}", once=True)
    tx.defer("sync_group", listed.group.id, group_lane(listed.group.id))


def _call(listed: Listed, posted: PostedCard, s: Services) -> None:
    card = call_card(listed.group.rule, count(listed.members), listed.call.mentions)
    record = partial(_record_call, listed, s)
    post_once(listed.call.key, posted.channel, card, s, thread=posted.message, record=record)


def _record_call(listed: Listed, s: Services, tx: Transaction, _reply: PostedCard) -> None:
    note_made(listed.call, tx, s.clock.now())
    tx.defer("sync_group", listed.group.id, group_lane(listed.group.id))  # others may have to be called by now


def _read(group_id: str, tx: Transaction, s: Services, *, calls: bool = False) -> Listed:
    group = GroupRows(tx.connection).get(group_id)
    members = GroupRows(tx.connection).members(group_id)
    now = s.clock.now()
    with in_language(tx.policy().language):
        shown = {id_: _shown(tx.requests.get(id_), tx, now) for id_ in with_a_line(members)}
        call = plan_call(group_id, members, shown, tx, now) if calls else Call()
        mentions = call.mentions if group.posted is None else ()
        more = Link(_("All open requests"), f"{s.links.url}/") if s.links.url else None
        card = group_card(group.rule, list(shown.values()), count(members), mentions, more)
    if group.posted is None:  # the policy may have another channel since, as when theirs was archived
        now_in = (one.context.rule.channel for one in shown.values() if one.context.rule and one.request.state.is_open)
        group = replace(group, channel=next(now_in, group.channel))
    return Listed(group, members, card, call)


def _shown(request: TransitionRequest, tx: Transaction, now: datetime) -> Shown:
    return Shown(request, context_for(request, tx, now))
