"""One transaction: requests, ledger, deliveries, policy, and the jobs that follow, all in one commit.

`with store.transaction() as tx:` is the only way to write. Row locks come first, by `get_request(..., for_update=True)`; the ledger's lock
comes last, when the block ends, and no I/O happens under it. `tx.registry` (`bot.store.registry`) has what the registry was last seen to
hold, `tx.people` (`bot.store.people`) who people are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bot import tracing
from bot.domain.events import (
    ApprovalCalledOff,
    DigestClosed,
    DigestSignedOff,
    Event,
    GlassReviewed,
    ModelRenamed,
    RequestApproved,
    RequestEvent,
    RequestOpened,
    RequestRejected,
    TargetMoved,
    TargetPutBack,
)
from bot.domain.model import TargetKind, TransitionRequest
from bot.domain.registry.names import request_now
from bot.domain.request import evolution
from bot.domain.workspaces import Registry, watched
from bot.engine import rows as job_rows
from bot.engine.deferring import NewJob
from bot.engine.lanes import STEPS, FollowUp, lane_of
from bot.engine.pace import PaceRows
from bot.errors import Refused
from bot.store.absences import AbsenceRows, SwitchRows
from bot.store.attestations import AttestationRows, GovernedRows, KeyRows, SignedRequestRows, VerdictRows
from bot.store.contents import ContentRows
from bot.store.custody import CustodyRows
from bot.store.digests import DigestRows
from bot.store.evidence import EvidenceRows, ManifestRows, PipelineRows, ReadingRows
from bot.store.ledger import LedgerRows
from bot.store.outbox import OutboxRows
from bot.store.passkeys import PasskeyRows
from bot.store.people import PeopleRows
from bot.store.policies import PolicyRows
from bot.store.registry import RegistryRows
from bot.store.requests import RequestRows
from bot.store.tickets import TicketAccountRows, TicketActRows
from bot.store.trust import TrustRows, WriteRows

if TYPE_CHECKING:
    from bot.domain.policy.rules import Policy
    from bot.engine.jobs import Jobs
    from bot.ports import Clock


FollowUps = Mapping[type[Event], Sequence[FollowUp]]

A_MOMENT = timedelta(microseconds=1)
# Which of these is later says who holds a target, so they are dated in order.
DECISIONS = (ApprovalCalledOff, RequestApproved, RequestRejected, TargetMoved, TargetPutBack, GlassReviewed)


class Store:
    """`read_policy` turns a policy's text into a Policy; `follow_ups` is the table in `handlers`. Connects only for a transaction.

    Whoever disposes the engine closes the sessions of the turns with it.
    """

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
        self.turns = jobs.turns
        sa.event.listen(engine, "engine_disposed", lambda _engine: jobs.turns.close())
        self.readers = jobs.readers
        self.sleepers = jobs.sleepers
        self.answer_times = jobs.answer_times

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.engine.begin() as connection:
            transaction = Transaction(connection, self)
            yield transaction
            transaction.flush()
            transaction.flush_jobs()
        for request_id in transaction.opened:
            tracing.opened(request_id)

    def policy(self) -> Policy:
        with self.engine.connect() as connection:
            return Transaction(connection, self).policy()


class Transaction:
    def __init__(self, connection: sa.Connection, store: Store) -> None:
        self.connection = connection
        self.requests = RequestRows(connection)
        self.policies = PolicyRows(connection, store.parse_policy)
        self.registry = RegistryRows(connection)
        self.custody = CustodyRows(connection)
        self.people = PeopleRows(connection)
        self.contents = ContentRows(connection)
        self.ledger = LedgerRows(connection)
        self.absences = AbsenceRows(connection)
        self.switches = SwitchRows(connection)
        self.attestations = AttestationRows(connection)
        self.evidence = EvidenceRows(connection)
        self.keys = KeyRows(connection)
        self.signed_requests = SignedRequestRows(connection)
        self.passkeys = PasskeyRows(connection)
        self.verdicts = VerdictRows(connection)
        self.governed = GovernedRows(connection)
        self.manifests = ManifestRows(connection)
        self.pipelines = PipelineRows(connection)
        self.readings = ReadingRows(connection)
        self.digests = DigestRows(connection)
        self.outbox = OutboxRows(connection)
        self.pace = PaceRows(connection)
        self.trust = TrustRows(connection)
        self.writes = WriteRows(connection)
        self.ticket_acts = TicketActRows(connection)
        self.ticket_accounts = TicketAccountRows(connection)
        self._store = store
        self.opened: list[str] = []
        self._events: list[Event] = []
        self._latest: dict[tuple[str, tuple[str, ...]], datetime | None] = {}
        self._deferred: set[tuple[str, str, str]] = set()
        self._jobs: list[NewJob] = []

    # Events, ledger, jobs

    def record(self, events: Sequence[Event]) -> None:
        """Brings the requests up to date now; the ledger entries and the jobs follow when the transaction ends."""
        for event in events:
            self._events.append(self._recorded(event))

    def _recorded(self, event: Event) -> Event:
        """As it will be in the ledger: which of two decisions counts, and which model had a name, is told by their times."""
        match event:
            case RequestOpened():
                called = {event.version.model, *([event.target.name] if event.target.kind is TargetKind.MODEL else [])}
                renamed = self.custody.renamed_at(event.version.workspace, called)
                event = replace(event, at=after(renamed, event.at))
                self.requests.insert(evolution.initial(event))
                self.opened.append(event.request_id)
            case RequestEvent():
                request = self.requests.get(event.request_id, for_update=True)
                if isinstance(event, DECISIONS):
                    place = request_now(request, self.custody.renames(request.version.workspace))
                    event = replace(event, at=self.in_order(event.at, place.version.workspace, place.target_model))
                self.requests.update(evolution.evolve(request, event))
            case ModelRenamed():
                self.custody.add_rename(event)
        return event

    def in_order(self, at: datetime, workspace: str, *models: str) -> datetime:
        """`at`, or when the clock was set back since, a moment after all that was decided or found at targets of these models."""
        place = (workspace, models)
        if place not in self._latest:
            self._latest[place] = self.custody.latest_at(workspace, models)
        return after(self._latest[place], at)

    @property
    def unwritten(self) -> Sequence[Event]:
        """What it has recorded, and the ledger does not have before it ends."""
        return self._events

    def record_now(self, event: Event) -> int:
        """Returns the event's number in the ledger, whose lock is held from now on: nothing slow may follow in this transaction."""
        self.record([event])
        return self.flush()

    def defer(
        self, effect: str, subject: str, lane: str, *, once: bool = False, at: datetime | None = None, behind: int = 0
    ) -> None:
        """Runs the effect after the commit. Effects are level-triggered, so the same one is deferred once a transaction.

        The jobs are written together when the transaction ends, before the ledger's entries.
        """
        job = (effect, subject, lane)
        if at is None and job in self._deferred:
            return
        self._jobs.append(NewJob(effect, subject, lane, once, at, behind))
        if at is None:
            self._deferred.add(job)

    def is_given_up(self, effects: Sequence[str], subject: str) -> bool:
        """Whether somebody dropped the last job that would have done this, and no other will."""
        self.flush_jobs()
        return job_rows.is_given_up(self.connection, effects, subject)

    def unfinished(self, effect: str) -> frozenset[str]:
        """The subjects of this effect's jobs that wait or run."""
        self.flush_jobs()
        return self._store.jobs.unfinished(self.connection, effect)

    def parked(self, effects: Sequence[str]) -> frozenset[str]:
        """The subjects of these effects' jobs that wait for a person."""
        return job_rows.parked(self.connection, effects)

    def replay_parked_of(self, effects: Sequence[str], subject: str) -> int:
        """Sends the parked jobs of these effects about the subject back to their lanes; returns their number."""
        return self._store.jobs.replay_parked_of(self.connection, effects, subject)

    def replay_parked_by(self, beginning: str) -> int:
        """Sends the jobs that are parked with an error that begins so back to their lanes; returns their number."""
        return self._store.jobs.replay_parked_by(self.connection, beginning)

    def flush(self) -> int:
        """Returns the number of the last entry that it has written; 0 when there was nothing to write.

        The jobs that are known are written before, since a `once` job waits for a transaction that is about to add the same one. Those that
        follow from events are never `once`, and wait for none under the ledger's lock.
        """
        if self._events:
            self.flush_jobs()
        seq = 0
        for seq, event in self.ledger.append(self._events) if self._events else ():
            self._defer_what_follows(event, seq)
        self._events.clear()
        return seq

    def flush_jobs(self) -> None:
        """The `once` jobs first and in the order of their names, so that no two transactions wait for each other."""
        if self._jobs:
            in_order = sorted(self._jobs, key=lambda job: (0, job.name, job.request_id) if job.once else (1, "", ""))
            self._store.jobs.defer_all(self.connection, in_order)
            self._jobs.clear()

    def policy(self) -> Policy:
        """The policy in force."""
        return self.policies.active().policy

    def registries(self) -> tuple[Registry, ...]:
        """Those that the policy in force watches; before the first policy, the default registry alone."""
        try:
            return watched(self.policy().registries)
        except Refused:
            return watched(())

    def places(self) -> tuple[str, ...]:
        """The watched workspaces."""
        return tuple(place for registry in self.registries() for place in registry.places)

    def _defer_what_follows(self, event: Event, seq: int) -> None:
        follow_ups = self._store.follow_ups.get(type(event), ())
        request = self.requests.get(event.request_id) if follow_ups and isinstance(event, RequestEvent) else None
        for follow_up in follow_ups:
            if request is not None:
                if follow_up.when(request):
                    self.defer_for(follow_up, request)
            elif isinstance(
                event, DigestClosed | DigestSignedOff
            ):  # week after week, and no receiver waits for another
                self.defer(follow_up.effect, event.week, f"{follow_up.lane}:{follow_up.effect}")
            else:
                self.defer(follow_up.effect, str(seq), f"{follow_up.lane}:{seq}")

    def defer_for(self, follow_up: FollowUp, request: TransitionRequest) -> None:
        behind = self.requests.collecting_before(request, STEPS) if follow_up.takes_turns else 0
        self.defer(follow_up.effect, request.id, lane_of(follow_up.lane, request), behind=behind)


def after(latest: datetime | None, at: datetime) -> datetime:
    """`at`, or a moment after `latest` when that is not earlier."""
    return max(at, latest + A_MOMENT) if latest else at
