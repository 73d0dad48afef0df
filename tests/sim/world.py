"""The world of one run: a database, vendors, people and a clock, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import psycopg
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.note_keys import NoteKey
from bot.clients.signers import signer_with
from bot.database.connect import DIALECT, connect
from bot.domain.model import Target, VersionId
from bot.domain.policy.rules import Policy
from bot.engine.attempts import Attempts, Effect, RetryPolicy
from bot.engine.jobs import Jobs
from bot.errors import OutsideError, Refused
from bot.ids import ids_drawn_by
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from handlers import ON
from handlers.effects import effects_of
from tests.fixtures.mortal import with_fate
from tests.sim.clock import SimClock
from tests.sim.fate import Activity, SeededFate, Unreliable, Weather
from tests.sim.messengers import NoMail, Notifier, Tickets
from tests.sim.people.policies import Choices
from tests.sim.registry import Registry
from tests.sim.turns import SimTurns
from tests.sim.workers import Workers

KEPT = ("alembic_version",)
WITNESSES = (
    "witness",
    "renew_verdict",
    "renew_verdicts",
    "sync_tags",
)  # they move nothing and cost much: one seed in three
MOST_TURNS = 5_000  # of one settling; more means that jobs defer one another for ever
SIGNING, NOTES = (Ed25519PrivateKey.from_private_bytes(sha256(what).digest()) for what in (b"approvals", b"ledger"))


class Database:
    """A migrated database for one run after another. Tables are emptied, so that each run finds the same one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(DIALECT, creator=lambda: connect(url), pool_size=8)
        self.rows = psycopg.connect(url, autocommit=True)
        tables = self.rows.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        self._empty = "truncate {} restart identity cascade".format(
            ", ".join(name for (name,) in tables if name not in KEPT)
        )

    def empty(self) -> None:
        """The ledger's triggers refuse to be emptied; only the database's owner may set them aside."""
        self.rows.execute("set session_replication_role = replica")
        self.rows.execute(self._empty.encode())
        self.rows.execute("set session_replication_role = default")
        self.rows.execute("insert into switches (name, is_on) values ('fast_track', true)")

    def close(self) -> None:
        self.engine.dispose()
        self.rows.close()


@dataclass
class Human:
    """`emails` are all addresses that the person ever had, the last one now."""

    name: str
    account: str
    emails: list[str]

    @property
    def email(self) -> str:
        return self.emails[-1]


@dataclass(frozen=True)
class Asked:
    """Somebody has asked in words."""

    human: str
    version: VersionId
    target: Target
    request_id: str
    at: datetime


@dataclass(frozen=True)
class InForce:
    """A policy, its number, and the number of the last change in the registry before its activation began, and when that had ended."""

    id: int
    tick: int
    noted: int
    at: datetime
    policy: Policy


@dataclass
class World:
    seed: int
    database: Database
    traces: bool = False
    planted: Plants = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    policies: list[InForce] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    baseline_tick: int = 0
    baseline_seq: int = 0
    looked_at: list[datetime] = field(default_factory=list)
    turns: int = 0

    def __post_init__(self) -> None:
        self.database.empty()
        self.clock = SimClock()
        self.people_random, self.order = self.stream("people"), self.stream("order")
        moods = self.stream("moods")
        deaths, pauses = moods.choice([0.0, 0.004, 0.01]), moods.choice([0.0, 0.02, 0.1])
        self.fate = SeededFate(self.stream("deaths"), deaths, pauses, self.tell)
        self.weather = Weather(self.stream("weather"), self.clock, moods.choice([0.0, 0.01, 0.04]), self.tell)
        self.choices = Choices()
        self.humans = {name: _human(name) for name in ("ana", "ben", "bea", "cy", "dan")}
        self.registry = Registry(self.clock.now)
        self.notifier = Notifier(self.clock.now)
        self.tickets = Tickets(self.clock.now, timedelta(seconds=moods.choice([0, 0, 20])))
        for human in self.humans.values():
            self.notifier.join(human.account, human.email, human.name)
        self.notifier.groups["leads"] = frozenset(self.humans[name].account for name in ("ana", "ben", "bea"))
        spread = self.stream("retries").uniform
        patience = RetryPolicy(spread=spread)
        jobs = Jobs(self.database.url, patience=patience, now=self.clock.now)
        jobs.turns = SimTurns(self.clock)
        self.store = Store(self.database.engine, jobs, self.clock, ON, read_policy)
        self.plain = self._services(lambda what: what)  # for what nothing disturbs
        self.s = with_fate(self._services(lambda what: Unreliable(what, self.weather)), self.fate)
        self.left_out = ("show_plot",) if moods.random() < 0.3 else ("show_plot", *WITNESSES)
        effects = {**effects_of(self.s), **{effect: lambda _: None for effect in self.left_out}}
        effects |= {effect: plant(self, effects[effect]) for effect, plant in self.planted.items()}
        attempts = Attempts(effects, self.database.engine, patience, now=self.clock.now)
        self.workers = Workers(self.database.rows, attempts, self.fate, self.clock, self._job_name)

    def stream(self, what: str) -> Random:
        """Chances of one kind: what is drawn of one kind moves no other."""
        return Random(f"{self.seed} {what}")

    @contextmanager
    def running(self) -> Iterator[None]:
        ids = self.stream("ids")
        with ids_drawn_by(lambda: f"{ids.getrandbits(128):032x}"):
            try:
                yield
            finally:
                for activity in self.activities:
                    activity.abandon()

    # Telling

    def tell(self, what: str) -> None:
        if self.traces:
            self.story.append(f"{self.clock.told}  {what}")

    def violate(self, law: str, how: str) -> None:
        """Each law at most once for the same thing."""
        said = f"{law}: {how}"
        if said not in self.violations:
            self.violations.append(said)
            self.story.append(f"{self.clock.told}  VIOLATION {said}")

    # Turns

    def begin(self, what: str, body: Callable[[], object]) -> None:
        """Somebody comes by a door; their turn comes when the seed says so."""

        def told() -> None:
            try:
                body()
            except (Refused, OutsideError) as no:
                self.tell(f"{what}: refused, {no}")

        self.tell(what)
        self.activities.append(Activity(what, told))

    def turn(self) -> bool:
        """One activity goes on, or one job begins; False when there is nothing to do."""
        back = self.workers.take_over()
        if back:
            self.tell(f"{back} jobs of dead workers are taken over")
        due = self.workers.due() if self.workers.may_start() else []
        choices: list[Activity | dict[str, Any]] = [*self.activities, *due]
        if not choices:
            return False
        chosen = self.order.choice(choices)
        activity = chosen if isinstance(chosen, Activity) else self._start(chosen)
        self.clock.pass_by(timedelta(milliseconds=self.order.randrange(5, 400)))
        activity.go_on()
        self.turns += 1
        if activity.is_done:
            self.activities.remove(activity)
            self.workers.ended(activity)
            self._supervise(activity)
        return True

    def work(self, turns: int) -> None:
        for _ in range(turns):
            if not self.turn():
                return

    def settle(self) -> None:
        """Until nothing is due and everybody has finished."""
        for _ in range(MOST_TURNS):
            if not self.turn():
                return
        self.violate("jobs without end", f"after {MOST_TURNS} turns something is due still")

    def _start(self, row: dict[str, Any]) -> Activity:
        activity = self.workers.start(row)
        self.tell(activity.name)
        self.activities.append(activity)
        return activity

    def _supervise(self, activity: Activity) -> None:
        if activity.error is not None and activity.job is None:
            self.violate("a door broke", f"{activity.name}: {type(activity.error).__name__}: {activity.error}")
        elif activity.error is not None:
            raise activity.error

    # Building

    def _services(self, outside: Callable[[object], Any]) -> Services:
        return Services(
            self.store,
            outside(self.registry),
            outside(self.notifier),
            outside(self.tickets),
            self.clock,
            signer_with(SIGNING),
            NoteKey(NOTES),
            NoMail(),
            home=None,  # type: ignore[arg-type]  # nobody opens a page there
        )

    def _job_name(self, effect: str, subject: str) -> str:
        if not self.traces:
            return effect
        with self.store.transaction() as tx:
            try:
                request = tx.requests.get(subject)
            except Refused:
                return f"{effect} {subject}"
        return f"{effect} {request.short_id} ({request.version} -> {request.target}, {request.kind}, {request.state})"


Plants = Mapping[str, Callable[[World, Effect], Effect]]


def _human(name: str) -> Human:
    return Human(name, f"U0{name.upper():0<9}", [f"{name}@example.com"])
