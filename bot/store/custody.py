"""Rows of custody: since when a place is watched, what was there then, and which names a model had."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import ModelRenamed
from bot.domain.model import OPEN, Kind, State, Target, TargetKind, VersionId
from bot.domain.registry.facts import RESTORE, Handling
from bot.domain.registry.names import Renamed, former_names
from bot.store import tables
from bot.store.ledger import read_event, written_in_body
from bot.store.tables.entries import OF_PLACE, OF_REQUEST, of_places

EVERY_PLACE = "*"  # means all places that the policy from before the migration covered
READ_BACK = 100  # decisions about one place, the newest; a target may be promoted every hour for years


@dataclass(frozen=True)
class Watch:
    """`absent_since`: when the model that had the name was renamed or gone; None while it is there."""

    since: datetime
    handling: Handling
    absent_since: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """What was decided about a version's place: when something was last applied and last rejected there, by the time of the decision.

    `has_gaps`: a release that kept no times of decisions wrote some of it.
    """

    applied_at: datetime | None = None
    rejected_at: datetime | None = None
    is_asked_about: bool = False
    has_gaps: bool = False

    def was_applied_after(self, moment: datetime) -> bool:
        return self.applied_at is not None and self.applied_at > moment

    def was_rejected_after(self, moment: datetime) -> bool:
        return self.rejected_at is not None and self.rejected_at > moment


class CustodyRows:
    """Renames are read once a transaction; what it records itself is added."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._renamed: list[ModelRenamed] | None = None

    # Watches

    def watches(self, workspace: str, model: str) -> dict[Target, Watch]:
        rows = self.connection.execute(sa.select(tables.watches).where(*_of(tables.watches, workspace, model)))
        return {
            Target.parse(row.target): Watch(row.since, Handling(row.handling), row.absent_since)
            for row in rows
            if row.target != EVERY_PLACE
        }

    def policy_since(self) -> tuple[int, datetime]:
        """Which policy is in force, and since when."""
        rows = tables.policies.c
        row = self.connection.execute(sa.select(rows.id, rows.activated_at).order_by(rows.id.desc()).limit(1)).one()
        return row.id, row.activated_at

    def watched_before(self, workspace: str, model: str, policy_id: int) -> datetime | None:
        """Since when the migration found all places of the model watched; None when the policy has changed since."""
        rows = tables.watches.c
        query = sa.select(rows.since).where(
            *_of(tables.watches, workspace, model), rows.target == EVERY_PLACE, rows.handling == f"policy {policy_id}"
        )
        return self.connection.execute(query).scalar()

    def put_watch(self, workspace: str, model: str, target: Target, watch: Watch) -> None:
        values = {
            "workspace": workspace,
            "model": model,
            "target": str(target),
            "since": watch.since,
            "handling": watch.handling,
            "absent_since": watch.absent_since,
        }
        put = insert(tables.watches).values(values)
        self.connection.execute(put.on_conflict_do_update(index_elements=["workspace", "model", "target"], set_=values))

    def end_watch(self, workspace: str, model: str, target: Target) -> None:
        here = (*_of(tables.watches, workspace, model), tables.watches.c.target == str(target))
        self.connection.execute(sa.delete(tables.watches).where(*here))

    def end_watches(self, workspace: str) -> None:
        self.connection.execute(sa.delete(tables.watches).where(tables.watches.c.workspace == workspace))

    def drop_unnamed(self, workspace: str, model: str) -> None:
        """Once every place of the model was looked at, the rows that the migration has left unnamed are obsolete."""
        here = (*_of(tables.watches, workspace, model), tables.watches.c.target == EVERY_PLACE)
        self.connection.execute(sa.delete(tables.watches).where(*here))

    def leave(self, workspace: str, model: str, at: datetime) -> None:
        """The model that had this name is gone or renamed; its places stay watched."""
        here = (*_of(tables.watches, workspace, model), tables.watches.c.absent_since.is_(None))
        self.connection.execute(sa.update(tables.watches).where(*here).values(absent_since=at))

    # Baselines

    def put_baseline(self, model: str, target: Target, versions: Iterable[VersionId], since: datetime) -> None:
        for version in versions:
            values = {
                "workspace": version.workspace,
                "model": model,
                "target": str(target),
                "version": version.version,
                "version_created": version.created,
                "since": since,
            }
            put = insert(tables.baselines).values(values)
            key = ["workspace", "model", "target", "version", "version_created"]
            self.connection.execute(put.on_conflict_do_update(index_elements=key, set_={"since": since}))

    def baseline(self, workspace: str, model: str, target: Target) -> dict[VersionId, datetime]:
        rows = tables.baselines.c
        query = sa.select(tables.baselines).where(*_of(tables.baselines, workspace, model), rows.target == str(target))
        return {
            VersionId(row.workspace, row.model, row.version, row.version_created): row.since
            for row in self.connection.execute(query)
        }

    def in_baseline(self, held: Sequence[tuple[VersionId, Target]]) -> set[tuple[VersionId, Target]]:
        """Those that were in their place when it began to be watched, for many in one statement."""
        if not held:
            return set()
        rows = tables.baselines.c
        models = {(version.workspace, version.model) for version, _ in held}
        query = sa.select(tables.baselines).where(sa.tuple_(rows.workspace, rows.model).in_(models))
        there = {
            (VersionId(row.workspace, row.model, row.version, row.version_created), Target.parse(row.target))
            for row in self.connection.execute(query)
        }
        return there.intersection(held)

    # Names

    def add_rename(self, event: ModelRenamed) -> None:
        """One that this transaction records: its entry is written when the transaction ends."""
        self._renamed = [*self._all_renames(), event]

    def renames(self, workspace: str) -> list[Renamed]:
        """The oldest first, by the ledger, since nobody can change there which model had a name."""
        return [Renamed(one.before, one.after, one.at) for one in self._all_renames() if one.workspace == workspace]

    def _all_renames(self) -> list[ModelRenamed]:
        if self._renamed is None:
            entries = tables.ledger.c
            query = sa.select(entries.body).where(entries.kind == ModelRenamed.__name__).order_by(entries.seq)
            events = (read_event(ModelRenamed.__name__, body) for body in self.connection.execute(query).scalars())
            self._renamed = [event for event in events if isinstance(event, ModelRenamed)]
        return self._renamed

    # Decisions and restores

    def latest_at(self, workspace: str, models: Collection[str]) -> datetime | None:
        """The latest time of what was lately asked, decided, moved or found at these models, by any of their names, or of their renames."""
        renames = self.renames(workspace)
        names = {name for model in models for name in (model, *former_names(model, renames))}
        about = {"workspace": workspace, "models": [*names], "written": [written_in_body(name) for name in names]}
        times = [self.connection.execute(LATEST_AT, about).scalar(), self.renamed_at(workspace, names)]
        return max(filter(None, times), default=None)

    def renamed_at(self, workspace: str, names: Collection[str]) -> datetime | None:
        """When one of these names was given or taken away last."""
        return max((one.at for one in self.renames(workspace) if {one.before, one.after} & set(names)), default=None)

    def decisions(
        self,
        workspace: str,
        models: Collection[str] | None,
        targets: Collection[Target],
        numbers: Collection[int] = (),
        ids: Collection[str] = (),
    ) -> dict[str, str]:
        """Bodies, by id, of the newest requests about a place and of the newest that were applied, whatever came to nothing since, with the
        rejections of the same versions; of all live ones and rollbacks, of those about these numbers and with these ids.

        The oldest first. `models` None: copied from any model.
        """
        about = {"targets": [str(target) for target in targets], "numbers": [*numbers], "ids": [*ids]}
        if models is None:
            found = self.connection.execute(DECISIONS, {"workspace": workspace, **about})
        else:
            found = self.connection.execute(DECISIONS_OF, {"workspace": workspace, "models": [*models], **about})
        return {row.id: row.body for row in found}

    def numbers_on_record(self, workspace: str, model: str) -> frozenset[int]:
        """Of the versions that a model is known to hold, that ask for something, that are asked about, and that were applied of late."""
        tables_of_model = (tables.placements, tables.asks, tables.baselines)
        held = (sa.select(table.c.version).where(*_of(table, workspace, model)) for table in tables_of_model)
        rows, called = tables.requests.c, (model, *former_names(model, self.renames(workspace)))
        about = (rows.workspace == workspace, rows.model.in_(called))
        live = sa.select(rows.version).where(*about, rows.state.in_((*OPEN, State.APPROVED)))
        of_late = sa.select(rows.version).where(*about, rows.state == State.APPLIED).order_by(rows.opened_at.desc())
        found = sa.union(*held, live, of_late.limit(READ_BACK).subquery().select())
        return frozenset(self.connection.execute(found).scalars())

    def standings(self, held: Sequence[tuple[VersionId, Target]]) -> list[Standing]:
        """What was decided about each version's place under its present name, in their order, in two statements at most."""
        found = [Standing()] * len(held)
        for query, is_model in ((STANDINGS, False), (STANDINGS_OF_COPIES, True)):
            places = [
                {"n": n, "workspace": version.workspace, "model": version.model, "target": str(target)}
                | {"version": version.version}
                for n, (version, target) in enumerate(held)
                if (target.kind is TargetKind.MODEL) is is_model
            ]
            if places:
                for row in self.connection.execute(query, {"places": json.dumps(places)}):
                    found[row.n] = Standing(*row[1:])
        return found

    def copies(self, request_ids: Collection[str]) -> dict[str, tuple[VersionId, ...]]:
        """What requests of older releases have copied into a target model, by their ids."""
        rows = tables.copies.c
        found: dict[str, tuple[VersionId, ...]] = {}
        query = sa.select(tables.copies).where(rows.request_id.in_(request_ids)).order_by(rows.version)
        for row in self.connection.execute(query):
            made = VersionId(row.workspace, row.model, row.version, row.version_created)
            found[row.request_id] = (*found.get(row.request_id, ()), made)
        return found

    def restored(self, workspace: str, model: str, target: Target, since: datetime) -> list[datetime]:
        """When the rule has given the emptied target back, or begun to."""
        rows = tables.intents.c
        query = sa.select(rows.at).where(
            *_of(tables.intents, workspace, model),
            rows.target == str(target),
            rows.request_id.startswith(RESTORE),
            rows.at >= since,
        )
        return list(self.connection.execute(query).scalars())


def _decisions(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Built once: SQLAlchemy takes longer to build it than PostgreSQL to answer it."""
    rows = tables.requests.c
    here = (
        rows.workspace == sa.bindparam("workspace"),
        rows.target.in_(sa.bindparam("targets", expanding=True)),
        *which,
    )

    def newest(column: sa.ColumnElement[Any], *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        return sa.select(column).where(*here, *conditions).order_by(rows.opened_at.desc(), rows.id).limit(READ_BACK)

    is_applied, is_rejected = rows.state == State.APPLIED, rows.state == State.REJECTED
    wanted = sa.or_(
        rows.id.in_(newest(rows.id)),
        rows.id.in_(newest(rows.id, is_applied)),
        sa.and_(is_rejected, rows.version.in_(newest(rows.version, is_applied))),
        rows.state.in_((*OPEN, State.APPROVED)),
        rows.kind == Kind.ROLLBACK,
        rows.version.in_(sa.bindparam("numbers", expanding=True)),
        rows.id.in_(sa.bindparam("ids", expanding=True)),
    )
    return sa.select(rows.id, rows.body).where(*here, wanted).order_by(rows.opened_at, rows.id)


DECISIONS = _decisions()
DECISIONS_OF = _decisions(tables.requests.c.model.in_(sa.bindparam("models", expanding=True)))


def _standings(here: str) -> sa.TextClause:
    """A subquery for each place, so that each is looked up in an index."""
    return sa.text(
        f"""
        select place.n, decided.* from jsonb_to_recordset(cast(:places as jsonb))
            as place (n int, workspace text, model text, target text, version int)
        cross join lateral (
            select max(one.decided_at) filter (where one.state = '{State.APPLIED}'),
                max(one.decided_at) filter (where one.state = '{State.REJECTED}'),
                coalesce(bool_or(one.version = place.version), false),
                coalesce(bool_or(one.decided_at is null and one.state in ('{State.APPLIED}', '{State.REJECTED}')), false)
            from requests as one where {here}
        ) as decided
        """
    )


# An approval or rejection names no model, so its request's row is asked.
LATEST_AT = sa.text(
    f"""
    with lately as (
        select entry.* from unnest(cast(:written as text[])) as place cross join lateral (
            select at, {OF_REQUEST} as id from ledger
            where {of_places} and {OF_PLACE} = place order by seq desc limit {READ_BACK}
        ) as entry
    )
    select greatest(
        (select max(at) from lately),
        (select max(decided_at) from requests where id in (select id from lately)),
        (select max(since) from baselines where workspace = :workspace and model = any(:models)),
        (select max(since) from placements where workspace = :workspace and model = any(:models)),
        (select greatest(backup_of, accepted_backup) from registries where workspace = :workspace)
    )
    """
)

STANDINGS = _standings("one.workspace = place.workspace and one.model = place.model and one.target = place.target")
STANDINGS_OF_COPIES = _standings("one.workspace = place.workspace and one.target = place.target")


def _of(table: sa.Table, workspace: str, model: str) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.workspace == workspace, table.c.model == model
