"""Rows for what the registry was last seen to hold, what asks in it, and what we are about to change there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.model import Ask, AskKind, Target, TargetKind, VersionId
from bot.domain.registry.diff import Known, OpenAsk
from bot.domain.registry.facts import Intent
from bot.store import tables

SWEEPS = ("versions", "models")  # how far a first baseline is has a row beside theirs


@dataclass(frozen=True)
class ModelRow:
    workspace: str
    name: str
    created: datetime
    baseline: int
    newest: int
    newest_created: datetime | None
    fingerprint: str


@dataclass(frozen=True)
class Placement:
    """`request_id` is the request that approved it, None when the target is held without an approval."""

    target: Target
    version: VersionId
    since: datetime
    request_id: str | None


@dataclass(frozen=True)
class Sweep:
    """How far a sweep has come. `seen` are the versions at the watermark's edge, so that the overlap is not reported twice.

    `watermark_at` is when it was first met, by our clock; None when another release wrote it. Before `settled` nothing can appear any more.
    """

    watermark: datetime | None
    seen: tuple[str, ...]
    baseline_until: datetime | None
    watermark_at: datetime | None = None
    settled: datetime | None = None


class RegistryRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    # Models

    def find_model(self, workspace: str, name: str, *, for_update: bool = False) -> ModelRow | None:
        rows = tables.models
        query = sa.select(rows).where(rows.c.workspace == workspace, rows.c.name == name)
        row = self.connection.execute(query.with_for_update() if for_update else query).first()
        return ModelRow(*row) if row else None

    def models(self, workspace: str) -> list[ModelRow]:
        query = sa.select(tables.models).where(tables.models.c.workspace == workspace)
        return [ModelRow(*row) for row in self.connection.execute(query)]

    def models_created_at(self, workspace: str, created: datetime) -> list[ModelRow]:
        rows = tables.models
        query = sa.select(rows).where(rows.c.workspace == workspace, rows.c.created == created)
        return [ModelRow(*row) for row in self.connection.execute(query)]

    def put_model(self, model: ModelRow) -> None:
        values = asdict(model)
        put = insert(tables.models).values(values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["workspace", "name"], set_=values))

    def rename_models(self, workspace: str, renamed: Mapping[str, str]) -> None:
        """All at once: names may have been exchanged."""
        for before in renamed:
            self._rename_model(workspace, before, f"renaming:{before}")
        for before, after in renamed.items():
            self._rename_model(workspace, f"renaming:{before}", after)

    def _rename_model(self, workspace: str, before: str, after: str) -> None:
        columns = (
            (tables.models, "name"),
            (tables.placements, "model"),
            (tables.asks, "model"),
            (tables.intents, "model"),
        )
        for table, column in columns:
            mine = sa.and_(table.c.workspace == workspace, table.c[column] == before)
            self.connection.execute(sa.update(table).where(mine).values({column: after}))
        for table in (tables.placements, tables.intents):  # what is copied into the model
            its_own = sa.and_(table.c.workspace == workspace, table.c.target == f"{TargetKind.MODEL}:{before}")
            self.connection.execute(sa.update(table).where(its_own).values(target=f"{TargetKind.MODEL}:{after}"))

    def forget_model(self, workspace: str, name: str) -> None:
        for table, column in ((tables.models, "name"), (tables.placements, "model"), (tables.asks, "model")):
            self.connection.execute(sa.delete(table).where(table.c.workspace == workspace, table.c[column] == name))

    def known(self, model: ModelRow) -> Known:
        held: dict[Target, tuple[VersionId, ...]] = {}
        rows = list(self.connection.execute(_placements_of(model.workspace, model.name)))
        for placement in map(placement_of, rows):
            held[placement.target] = (*held.get(placement.target, ()), placement.version)
        asks = self.open_asks(model.workspace, model.name)
        unjudged = (placement_of(row) for row in rows if not row.is_judged)
        anew = frozenset((one.target, one.version) for one in unjudged)
        return Known(model.baseline, model.newest, held, frozenset(asks), anew)

    # Placements

    def placements(self, workspace: str | None = None, model: str | None = None) -> list[Placement]:
        """The newest version of each target first; without those that the next look judges anew."""
        query = _placements_of(workspace, model).where(tables.placements.c.is_judged)
        return [placement_of(row) for row in self.connection.execute(query)]

    def put_placements(
        self,
        workspace: str,
        model: str,
        target: Target,
        holders: Sequence[VersionId],
        at: datetime,
        request_id: str | None = None,
        *,
        unjudged: Sequence[VersionId] = (),
    ) -> None:
        """Makes `holders` the ones on record; those who stay keep their time and their request. `unjudged` go on waiting for a look."""
        rows = tables.placements.c
        here = _place(workspace, model, target)
        stay = sa.and_(rows.is_judged, _one_of(holders))
        wait = sa.and_(sa.not_(rows.is_judged), _one_of(unjudged))
        self.connection.execute(sa.delete(tables.placements).where(here, sa.not_(sa.or_(stay, wait))))
        for holder in holders:
            values = {
                "workspace": workspace,
                "model": model,
                "target": str(target),
                "version": holder.version,
                "version_created": holder.created,
                "since": at,
                "request_id": request_id,
            }
            self.connection.execute(insert(tables.placements).values(values).on_conflict_do_nothing())

    def place_ours(
        self,
        workspace: str,
        model: str,
        target: Target,
        holders: Sequence[VersionId],
        ours: Sequence[VersionId],
        at: datetime,
        request_id: str | None,
    ) -> None:
        """As `put_placements`, after our own move: versions that arrived beside `ours` are left for the next look to judge."""
        known = {placement.version for placement in self.placements(workspace, model) if placement.target == target}
        on_record = [holder for holder in holders if holder in known or holder in ours]
        beside = [holder for holder in holders if holder not in on_record]
        self.put_placements(workspace, model, target, on_record, at, request_id, unjudged=beside)
        self._forget_fingerprint(workspace, model)
        if request_id is None:
            return
        for version in ours:
            self.approve_placement(version, model, target, request_id)

    def judge_anew(self, version: VersionId, model: str, target: Target) -> None:
        """The next sweep looks. If the version is there still, that counts as an arrival; if it is not, it has left the place."""
        mine = sa.and_(_place(version.workspace, model, target), _one_of([version]))
        self.connection.execute(sa.update(tables.placements).where(mine).values(is_judged=False, request_id=None))
        self._forget_fingerprint(version.workspace, model)

    def _forget_fingerprint(self, workspace: str, model: str) -> None:
        """The next sweep looks, even if somebody undoes our move before it comes and all seems as it was before."""
        mine = sa.and_(tables.models.c.workspace == workspace, tables.models.c.name == model)
        self.connection.execute(sa.update(tables.models).where(mine).values(fingerprint=""))

    def forget_fingerprints(self) -> None:
        self.connection.execute(sa.update(tables.models).values(fingerprint=""))

    def approve_placement(self, version: VersionId, model: str, target: Target, request_id: str) -> None:
        rows = tables.placements
        mine = sa.and_(_place(version.workspace, model, target), rows.c.version == version.version)
        self.connection.execute(sa.update(rows).where(mine).values(request_id=request_id))

    # Asks

    def open_asks(self, workspace: str, model: str) -> set[OpenAsk]:
        return {ask for ask, _ in self.asks_with_requests(workspace, model)}

    def asks_with_requests(self, workspace: str, model: str) -> list[tuple[OpenAsk, str | None]]:
        """Each open ask with the id of the request that it opened."""
        rows = tables.asks
        query = sa.select(rows).where(rows.c.workspace == workspace, rows.c.model == model)
        return [(_ask_of(row), row.request_id) for row in self.connection.execute(query)]

    def put_asks(self, asks: Iterable[OpenAsk], request_id: str | None = None) -> None:
        for ask in asks:
            values = {**_ask_key(ask), "request_id": request_id}
            self.connection.execute(insert(tables.asks).values(values).on_conflict_do_nothing())

    def take_ask(self, ask: OpenAsk) -> str | None:
        """Deletes an ask that was taken away; returns the id of the request that it opened, if any."""
        here = [tables.asks.c[name] == value for name, value in _ask_key(ask).items()]
        taken = sa.delete(tables.asks).where(*here).returning(tables.asks.c.request_id)
        return self.connection.execute(taken).scalar()

    def asked_by(self, asks: Iterable[OpenAsk], request_id: str) -> None:
        """Standing asks that had opened no request have opened this one."""
        for ask in asks:
            here = [tables.asks.c[name] == value for name, value in _ask_key(ask).items()]
            self.connection.execute(sa.update(tables.asks).where(*here).values(request_id=request_id))

    def still_asked(self, request_id: str) -> bool:
        query = sa.select(sa.func.count()).where(tables.asks.c.request_id == request_id)
        return bool(self.connection.execute(query).scalar_one())

    def hand_over_asks(self, before: str, after: str) -> None:
        """What asked for one request asks for the one that follows it, so that taking it away withdraws that one."""
        mine = tables.asks.c.request_id == before
        self.connection.execute(sa.update(tables.asks).where(mine).values(request_id=after))

    # Intents

    def put_intent(self, intent: Intent) -> None:
        """An intent that was announced before stays open, unless it was called off since."""
        values = {
            "request_id": intent.request_id,
            "workspace": intent.workspace,
            "model": intent.model,
            "target": str(intent.target),
            "from_version": intent.from_version,
            "to_version": intent.to_version,
            "at": intent.at,
        }
        put = insert(tables.intents).values(values)
        called_off = tables.intents.c.done_at.is_not(None)
        anew = {**values, "done_at": None}
        self.connection.execute(put.on_conflict_do_update(index_elements=["request_id"], set_=anew, where=called_off))

    def find_intent(self, request_id: str) -> Intent | None:
        return self._one_intent(tables.intents.c.request_id == request_id)

    def open_intents(self, workspace: str, model: str, target: Target) -> list[Intent]:
        rows = tables.intents.c
        here = sa.and_(rows.workspace == workspace, rows.model == model, rows.target == str(target))
        query = sa.select(tables.intents).where(here, rows.done_at.is_(None)).order_by(rows.at, rows.request_id)
        return [_intent_of(row) for row in self.connection.execute(query)]

    def close_intents(self, workspace: str, model: str, target: Target, at: datetime) -> int:
        """The target is settled: what an older, parked job has announced for it no longer counts. Returns how many were open."""
        rows = tables.intents.c
        return self._close(sa.and_(rows.workspace == workspace, rows.model == model, rows.target == str(target)), at)

    def close_intent(self, request_id: str, at: datetime) -> int:
        """Calls off this intent alone: other intents for the target stay open, and a later move of it is not ours."""
        return self._close(tables.intents.c.request_id == request_id, at)

    def _close(self, condition: sa.ColumnElement[bool], at: datetime) -> int:
        closing = sa.update(tables.intents).where(condition, tables.intents.c.done_at.is_(None)).values(done_at=at)
        return self.connection.execute(closing).rowcount

    def close_all_intents(self, at: datetime) -> int:
        return self._close(sa.true(), at)  # of every place

    def _one_intent(self, condition: sa.ColumnElement[bool]) -> Intent | None:
        row = self.connection.execute(sa.select(tables.intents).where(condition)).first()
        return _intent_of(row) if row else None

    # Sweeps

    def find_sweep(self, kind: str, workspace: str) -> Sweep | None:
        rows = tables.sweeps.c
        query = sa.select(tables.sweeps).where(rows.kind == kind, rows.workspace == workspace)
        row = self.connection.execute(query).first()
        if row is None:
            return None
        met = row.watermark_at if row.watermark_met == row.watermark else None
        return Sweep(row.watermark, tuple(json.loads(row.seen)), row.baseline_until, met, row.settled)

    def put_sweep(self, kind: str, workspace: str, sweep: Sweep, at: datetime) -> None:
        place = {"kind": kind, "workspace": workspace, "done_at": at}
        values = {**asdict(sweep), "seen": json.dumps(sweep.seen), "watermark_met": sweep.watermark, **place}
        put = insert(tables.sweeps).values(values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["kind", "workspace"], set_=values))

    def last_sweeps(self, places: Collection[str]) -> Mapping[tuple[str, str], datetime]:
        """By kind and place, when the last sweep ended well; one that never did is missing."""
        rows = tables.sweeps.c
        query = sa.select(rows.kind, rows.workspace, rows.done_at).where(
            rows.workspace.in_(places), rows.kind.in_(SWEEPS)
        )
        return {(row.kind, row.workspace): row.done_at for row in self.connection.execute(query)}


def _placements_of(workspace: str | None, model: str | None) -> sa.Select[Any]:
    """The newest version of each target first, and one that was judged before one that was not."""
    rows = tables.placements
    order = (rows.c.workspace, rows.c.model, rows.c.target, rows.c.version.desc(), rows.c.is_judged.desc())
    query = sa.select(rows).order_by(*order)
    query = query if workspace is None else query.where(rows.c.workspace == workspace)
    return query if model is None else query.where(rows.c.model == model)


def placement_of(row: sa.Row[Any]) -> Placement:
    held = VersionId(row.workspace, row.model, row.version, row.version_created)
    return Placement(Target.parse(row.target), held, row.since, row.request_id)


def _ask_of(row: sa.Row[Any]) -> OpenAsk:
    version = VersionId(row.workspace, row.model, row.version, row.version_created)
    return OpenAsk(version, Target.parse(row.target), Ask(AskKind(row.kind), row.name))


def _intent_of(row: sa.Row[Any]) -> Intent:
    target = Target.parse(row.target)
    return Intent(
        row.request_id, row.workspace, row.model, target, row.from_version, row.to_version, row.at, row.done_at
    )


def _ask_key(ask: OpenAsk) -> dict[str, object]:
    return {
        "workspace": ask.version.workspace,
        "model": ask.version.model,
        "version": ask.version.version,
        "version_created": ask.version.created,
        "target": str(ask.target),
        "kind": ask.ask.kind,
        "name": ask.ask.name,
    }


def _place(workspace: str, model: str, target: Target) -> sa.ColumnElement[bool]:
    rows = tables.placements.c
    return sa.and_(rows.workspace == workspace, rows.model == model, rows.target == str(target))


def _one_of(versions: Iterable[VersionId]) -> sa.ColumnElement[bool]:
    rows = tables.placements.c
    found = (sa.and_(rows.version == one.version, rows.version_created == one.created) for one in versions)
    return sa.or_(sa.false(), *found)
