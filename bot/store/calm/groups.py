"""Which card of a request is where: on the list of a group, or alone in its channel. What decides it is in `bot.domain.calm.grouping`."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.calm.grouping import CardGroup, Member
from bot.domain.ledger.chain import as_plain
from bot.domain.model import Kind, State, Target
from bot.domain.references import PostedCard
from bot.store import tables
from bot.store.requests import LIVE
from bot.store.tables.calm import card_groups, card_places

POSTED = JsonReader(PostedCard)


class GroupRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self, channel: str, rule: str) -> None:
        """Until the transaction ends no other decides where a card of this rule is posted."""
        key = sa.func.hashtextextended(f"cards of {rule} in {channel}", 0)
        self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def lock_calls(self, group_id: str) -> None:
        """Until the transaction ends no other decides whom the list calls."""
        key = sa.func.hashtextextended(f"calls of {group_id}", 0)
        self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def of(self, request_id: str) -> CardGroup | None:
        """The group whose list the request is on."""
        joined = card_groups.join(card_places, card_places.c.group_id == card_groups.c.id)
        query = sa.select(card_groups).select_from(joined).where(card_places.c.request_id == request_id)
        row = self._connection.execute(query).first()
        return _group_of(row) if row else None

    def is_placed(self, request_id: str) -> bool:
        """Whether it is decided where its card is posted. A release that had no lists has begun to post it without a place."""
        placed = sa.exists().where(card_places.c.request_id == request_id)
        begun = sa.exists().where(tables.sendings.c.key == f"card:{request_id}")
        return bool(self._connection.execute(sa.select(placed | begun)).scalar())

    def get(self, group_id: str) -> CardGroup:
        return _group_of(self._connection.execute(sa.select(card_groups).where(card_groups.c.id == group_id)).one())

    def newest(self, channel: str, rule: str) -> CardGroup | None:
        rows = card_groups.c
        mine = sa.select(card_groups).where(rows.channel == channel, rows.rule == rule)
        row = self._connection.execute(mine.order_by(rows.joined_at.desc(), rows.id).limit(1)).first()
        return _group_of(row) if row else None

    def with_live_requests(self) -> list[CardGroup]:
        live = sa.select(card_places.c.group_id).join(tables.requests, tables.requests.c.id == card_places.c.request_id)
        ids = live.where(tables.requests.c.state.in_(LIVE), card_places.c.group_id.is_not(None))
        found = self._connection.execute(sa.select(card_groups).where(card_groups.c.id.in_(ids)))
        return [_group_of(row) for row in found]

    def add(self, group: CardGroup) -> None:
        values = {
            "id": group.id,
            "channel": group.channel,
            "rule": group.rule,
            "opened_at": group.opened_at,
            "joined_at": group.joined_at,
        }
        self._connection.execute(sa.insert(card_groups).values(values))

    def join(self, group: CardGroup, request_ids: Collection[str], at: datetime) -> None:
        """A request that has a place already keeps it."""
        self._place(request_ids, group.id, group.channel, group.rule, at)
        self._connection.execute(sa.update(card_groups).where(card_groups.c.id == group.id).values(joined_at=at))

    def stay_alone(self, request_id: str, channel: str, rule: str, at: datetime) -> None:
        """As `join`, without a group."""
        self._place([request_id], None, channel, rule, at)

    def alone_since(self, channel: str, rule: str, since: datetime) -> int:
        rows = card_places.c
        alone = sa.and_(rows.channel == channel, rows.rule == rule, rows.group_id.is_(None), rows.at > since)
        return int(self._connection.execute(sa.select(sa.func.count()).where(alone)).scalar_one())

    def move_to(self, group_id: str, channel: str) -> None:
        self._connection.execute(sa.update(card_groups).where(card_groups.c.id == group_id).values(channel=channel))

    def note_post(self, group_id: str, posted: PostedCard) -> None:
        body = json.dumps(as_plain(posted))
        self._connection.execute(sa.update(card_groups).where(card_groups.c.id == group_id).values(posted=body))

    def members(self, group_id: str) -> list[Member]:
        """The requests on its list, oldest first; from the columns alone, since a list may be long."""
        rows = tables.requests.c
        columns = sa.select(rows.id, rows.state, rows.opened_at, rows.decided_at)
        mine = columns.join(card_places, card_places.c.request_id == rows.id).where(card_places.c.group_id == group_id)
        found = self._connection.execute(mine.order_by(rows.opened_at, rows.id))
        return [Member(row.id, State(row.state), row.opened_at, row.decided_at) for row in found]

    def waiting(self) -> list[tuple[str, str, str, Target]]:
        """The open promotions whose card has no place yet: id, workspace, model, target. From the columns alone: bodies are large."""
        rows = tables.requests.c
        begun = sa.select(tables.sendings.c.key).where(tables.sendings.c.key == sa.literal("card:") + rows.id).exists()
        placed = sa.select(card_places.c.request_id).where(card_places.c.request_id == rows.id).exists()
        is_open = sa.and_(rows.state.in_((State.COLLECTING, State.PENDING)), rows.kind == Kind.PROMOTION)
        query = sa.select(rows.id, rows.workspace, rows.model, rows.target).where(is_open, ~begun, ~placed)
        found = self._connection.execute(query.order_by(rows.opened_at, rows.id))
        return [(row.id, row.workspace, row.model, Target.parse(row.target)) for row in found]

    def _place(self, request_ids: Collection[str], group_id: str | None, channel: str, rule: str, at: datetime) -> None:
        place = {"group_id": group_id, "channel": channel, "rule": rule, "at": at}
        rows = [{"request_id": request_id, **place} for request_id in request_ids]
        if rows:
            self._connection.execute(insert(card_places).on_conflict_do_nothing(), rows)


def _group_of(row: sa.Row[tuple[object, ...]]) -> CardGroup:
    posted = POSTED.validate_python(json.loads(row.posted)) if row.posted else None
    return CardGroup(row.id, row.channel, row.rule, row.opened_at, row.joined_at, posted)
