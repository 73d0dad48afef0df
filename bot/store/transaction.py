"""One transaction: requests, ledger, deliveries, policy, and the jobs that follow, all in one commit.

`with store.transaction() as tx:` is the only way to write. Row locks come first, by `get_request(..., for_update=True)`; the ledger's lock
comes last, when the block ends, and no I/O happens under it. What the registry was last seen to hold is
`tx.registry` (`bot.store.registry`),
who people are is `tx.people` (`bot.store.people`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert

from bot.domain.events import DigestClosed, Event, RequestEvent, RequestOpened
from bot.domain.ledger import chain
from bot.domain.model import OPEN, Kind, Refused, State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.request import evolution
from bot.store import tables
from bot.store.absences import AbsenceRows, SwitchRows
from bot.store.attestations import AttestationRows, KeyRows
from bot.store.digests import DigestRows
from bot.store.evidence import ManifestRows, ReadingRows
from bot.store.ledger import LedgerRows
from bot.store.outbox import OutboxRows
from bot.store.people import PeopleRows
from bot.store.registry import RegistryRows
from bot.store.verdicts import VerdictRows

if TYPE_CHECKING:
    from bot.domain.policy.rules import Policy
    from bot.engine.jobs import Jobs
    from bot.ports import Clock

DELIVERIES_KEPT = timedelta(days=7)
DEEDS_KEPT = timedelta(
    days=90
)  # longer than any job can be replayed with sense, but for a digest's: its auditors may come late
REQUEST = TypeAdapter(TransitionRequest)
APPLIED_READ = 100  # a target may be promoted every hour for years, and Undo is answered within three seconds
LIVE = (State.COLLECTING, State.PENDING, State.APPROVED)


class Lane(StrEnum):
    """What must be kept in order: everything about one registered model, one request's messages, one request's ticket."""

    REGISTRY = "registry"
    SLACK = "slack"
    JIRA = "jira"
    EVIDENCE = "evidence"
    NOTES = "notes"
    PLOTS = "plots"
    DIGEST = "digest"


@dataclass(frozen=True)
class FollowUp:
    """An effect that an event leads to, and the lane it runs in."""

    effect: str
    lane: Lane


@dataclass(frozen=True)
class ActivePolicy:
    id: int
    digest: str
    policy: Policy


FollowUps = Mapping[type[Event], Sequence[FollowUp]]


def registry_lane(workspace: str, model: str) -> str:
    """One lane for a registered model: its moves, and the looks that judge them, never overlap."""
    return f"{Lane.REGISTRY}:{workspace}/{model}"


def target_model(request: TransitionRequest) -> str:
    return request.target.name if request.target.kind is TargetKind.MODEL else request.version.model


class Store:
    """`read_policy` turns a policy's text into a Policy; `follow_ups` is the table in `handlers`. Opens nothing by itself."""

    def __init__(
        self,
        engine: sa.Engine,
        jobs: Jobs,
        clock: Clock,
        follow_ups: FollowUps,
        read_policy: Callable[[str], Policy],
    ) -> None:
        self.engine = engine
        self.jobs = jobs
        self.clock = clock
        self.follow_ups = follow_ups
        self.parse_policy = lru_cache(maxsize=8)(read_policy)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.engine.begin() as connection:
            transaction = Transaction(connection, self)
            yield transaction
            transaction.flush()

    def policy(self) -> Policy:
        with self.engine.connect() as connection:
            return Transaction(connection, self).policy()


class Transaction:
    def __init__(self, connection: sa.Connection, store: Store) -> None:
        self.connection = connection
        self.registry = RegistryRows(connection)
        self.people = PeopleRows(connection)
        self.ledger = LedgerRows(connection)
        self.absences = AbsenceRows(connection)
        self.switches = SwitchRows(connection)
        self.attestations = AttestationRows(connection)
        self.keys = KeyRows(connection)
        self.verdicts = VerdictRows(connection)
        self.manifests = ManifestRows(connection)
        self.readings = ReadingRows(connection)
        self.digests = DigestRows(connection)
        self.outbox = OutboxRows(connection)
        self._store = store
        self._events: list[Event] = []

    # Requests

    def lock_model(self, workspace: str, model: str) -> None:
        """Keeps out whoever else would open a request for this model, until the transaction ends."""
        key = sa.func.hashtextextended(f"{workspace}/{model}", 0)
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def get_request(self, request_id: str, *, for_update: bool = False) -> TransitionRequest:
        """Raises Refused when there is none: ids come from buttons and command lines."""
        if not (request_id.isascii() and request_id.isprintable()):  # PostgreSQL would not even take it as a question
            raise Refused("there is no such request: its id holds letters that no id of ours has")
        query = sa.select(tables.requests.c.body).where(tables.requests.c.id == request_id)
        body = self.connection.execute(query.with_for_update() if for_update else query).scalar()
        if body is None:
            raise Refused(f'there is no request "{request_id[:64]}". It may belong to another installation')
        return _request_of(body)

    def find_requests(
        self,
        *,
        states: Sequence[State] = (),
        workspace: str | None = None,
        model: str | None = None,
        version: VersionId | None = None,
        target: Target | None = None,
        for_update: bool = False,
    ) -> list[TransitionRequest]:
        """Oldest first; locked in the order of their ids when `for_update`."""
        rows = tables.requests.c
        query = sa.select(rows.body).order_by(rows.id if for_update else rows.opened_at, rows.id)
        if states:
            query = query.where(rows.state.in_(states))
        if version is not None:
            query = query.where(rows.version == version.version, rows.version_created == version.created)
            workspace, model = version.workspace, version.model
        if workspace is not None:
            query = query.where(rows.workspace == workspace)
        if model is not None:
            query = query.where(rows.model == model)
        if target is not None:
            query = query.where(rows.target == str(target))
        if for_update:
            query = query.with_for_update()
        return [_request_of(body) for body in self.connection.execute(query).scalars()]

    def last_approval(self, version: VersionId, target: Target) -> str | None:
        """The id of the last request that was approved and applied for this version and target."""
        applied = self.find_requests(version=version, target=target, states=(State.APPLIED,))
        return applied[-1].id if applied else None

    def applied(self, version: VersionId | None, workspace: str, model: str, target: Target) -> list[TransitionRequest]:
        """What was applied for the target, as it was settled: the latest hundred, all rollbacks, and all of `version`."""
        rows = tables.requests.c
        here = sa.and_(
            rows.state == State.APPLIED, rows.workspace == workspace, rows.model == model, rows.target == str(target)
        )
        latest = sa.select(rows.id).where(here).order_by(rows.opened_at.desc()).limit(APPLIED_READ)
        wanted = sa.or_(rows.kind == Kind.ROLLBACK, rows.id.in_(latest))
        if version is not None:
            wanted = sa.or_(wanted, rows.version == version.version)
        found = [
            _request_of(body) for body in self.connection.execute(sa.select(rows.body).where(here, wanted)).scalars()
        ]
        return sorted(found, key=lambda request: request.settled_at or request.opened_at)

    def requests_due(self, now: datetime) -> list[str]:
        rows = tables.requests.c
        overdue = sa.and_(rows.state.in_(OPEN), rows.expires_at <= now)
        return list(self.connection.execute(sa.select(rows.id).where(overdue).order_by(rows.id)).scalars())

    def request_with_ticket(self, ticket_id: str) -> str | None:
        query = sa.select(tables.requests.c.id).where(tables.requests.c.ticket_id == ticket_id)
        return self.connection.execute(query).scalar()

    def count_requests(self) -> Mapping[str, int]:
        rows = self.connection.execute(
            sa.select(tables.requests.c.state, sa.func.count()).group_by(tables.requests.c.state)
        )
        return {row.state: row[1] for row in rows}

    # Events, ledger, jobs

    def record(self, events: Sequence[Event]) -> None:
        """Brings the requests up to date now; the ledger entries and the jobs follow when the transaction ends."""
        for event in events:
            if isinstance(event, RequestOpened):
                self._insert(evolution.initial(event))
            elif isinstance(event, RequestEvent):
                self._update(evolution.evolve(self.get_request(event.request_id, for_update=True), event))
        self._events.extend(events)

    def record_now(self, event: Event) -> int:
        """Returns its number in the ledger, whose lock is held from here on: nothing slow may follow in this transaction."""
        self.record([event])
        self.flush()
        return self.ledger.count()

    def defer(self, effect: str, subject: str, lane: str, *, once: bool = False, at: datetime | None = None) -> None:
        self._store.jobs.defer(self.connection, effect, subject, lane=lane, once=once, at=at)

    def flush(self) -> None:
        if not self._events:
            return
        for seq, event in self.ledger.append(self._events):
            self._defer_what_follows(event, seq)
        self._events.clear()

    # Deliveries, policies, the clock

    def is_new_delivery(self, source: str, delivery_id: str, now: datetime) -> bool:
        """Remembers the id; False when it was here before. Ids older than a week are forgotten."""
        values = {"source": source, "id": delivery_id[:200], "at": now}
        row = insert(tables.deliveries).values(values).on_conflict_do_nothing().returning(tables.deliveries.c.id)
        return self.connection.execute(row).first() is not None

    def prune(self, now: datetime) -> None:
        kept_since = now - DELIVERIES_KEPT
        self.connection.execute(sa.delete(tables.deliveries).where(tables.deliveries.c.at < kept_since))
        self.connection.execute(sa.delete(tables.clock_ticks).where(tables.clock_ticks.c.at < kept_since))
        sendings, intents, before = tables.sendings.c, tables.intents.c, now - DEEDS_KEPT
        of_a_digest = sendings.key.contains("digest")
        self.connection.execute(sa.delete(tables.sendings).where(sendings.done_at < before, ~of_a_digest))
        self.connection.execute(sa.delete(tables.intents).where(intents.done_at < before))

    def is_new_tick(self, kind: str, period: str, now: datetime) -> bool:
        """True for the first clock that reaches this period."""
        values = {"kind": kind, "period": period, "at": now}
        row = insert(tables.clock_ticks).values(values).on_conflict_do_nothing().returning(tables.clock_ticks.c.kind)
        return self.connection.execute(row).first() is not None

    def active_policy(self) -> ActivePolicy:
        row = self.connection.execute(sa.select(tables.policies).order_by(tables.policies.c.id.desc()).limit(1)).first()
        if row is None:
            raise Refused("no policy is in force. Run `countersign migrate` with COUNTERSIGN_POLICY naming the file")
        return ActivePolicy(row.id, row.digest, self._store.parse_policy(row.text))

    def policy(self) -> Policy:
        return self.active_policy().policy

    def policy_texts(self) -> Iterator[str]:
        """Every policy that was ever in force, the newest first."""
        query = sa.select(tables.policies.c.text).order_by(tables.policies.c.id.desc())
        yield from self.connection.execute(query).scalars()

    def policy_digest(self) -> str | None:
        query = sa.select(tables.policies.c.digest).order_by(tables.policies.c.id.desc()).limit(1)
        return self.connection.execute(query).scalar()

    def add_policy(self, text: str, digest: str, source: str, now: datetime) -> int:
        values = {"text": text, "digest": digest, "source": source, "activated_at": now}
        added = sa.insert(tables.policies).values(values).returning(tables.policies.c.id)
        return int(self.connection.execute(added).scalar_one())

    def _insert(self, request: TransitionRequest) -> None:
        self.connection.execute(sa.insert(tables.requests).values(id=request.id, **_columns(request)))

    def _update(self, request: TransitionRequest) -> None:
        update = sa.update(tables.requests).where(tables.requests.c.id == request.id).values(**_columns(request))
        self.connection.execute(update)

    def _defer_what_follows(self, event: Event, seq: int) -> None:
        for follow_up in self._store.follow_ups.get(type(event), ()):
            if isinstance(event, RequestEvent):
                self.defer_for(follow_up, self.get_request(event.request_id))
            elif isinstance(event, DigestClosed):  # week after week, and no receiver waits for another
                self.defer(follow_up.effect, event.week, f"{follow_up.lane}:{follow_up.effect}")
            else:
                self.defer(follow_up.effect, str(seq), f"{follow_up.lane}:{seq}")

    def defer_for(self, follow_up: FollowUp, request: TransitionRequest) -> None:
        of_model = registry_lane(request.version.workspace, target_model(request))
        lane = of_model if follow_up.lane is Lane.REGISTRY else f"{follow_up.lane}:{request.id}"
        self.defer(follow_up.effect, request.id, lane)


def new_request_id() -> str:
    """Opaque and unguessable; sorted by nothing."""
    return uuid.uuid4().hex


def _request_of(body: str) -> TransitionRequest:
    return REQUEST.validate_python(json.loads(body))


def _columns(request: TransitionRequest) -> dict[str, object]:
    """The columns only index what the body says."""
    return {
        "state": request.state,
        "kind": request.kind,
        "workspace": request.version.workspace,
        "model": request.version.model,
        "version": request.version.version,
        "version_created": request.version.created,
        "target": str(request.target),
        "opened_at": request.opened_at,
        "expires_at": request.expires_at,
        "ticket_id": request.ticket.id if request.ticket else None,
        "body": json.dumps(chain.as_plain(request)),  # a NaN metric survives as text
    }
