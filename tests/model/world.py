"""The world of the model: one place in the registry, the rows that the bot keeps about it, its jobs, and what has truly happened.

Small, frozen and hashable. What the bot makes of it is in `effects`, what people do to it in `people`, what must hold in `laws`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.events import Event, RequestEvent, RequestOpened
from bot.domain.model import State, Target, TargetKind, TransitionRequest, VersionId
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.facts import RESTORE, Facts, Handling, Intent
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.domain.request.evolution import evolve, initial
from bot.engine.lanes import Lane, lane_of, model_lane
from handlers import ON
from tests.builders import CHAMPION, NOON, PRODUCTION, a_version

MODEL, PROD = "bike-demand", "prod.bike-demand"
INTO_PROD = Target(TargetKind.MODEL, PROD)
TARGETS = {"alias": CHAMPION, "stage": PRODUCTION, "model": INTO_PROD}
EFFECTS = ("freeze_evidence", "sign", "sync_target")  # of those that events lead to; the others only notify people
LOOK_AT, RESTORE_TARGET = "look_at", "restore_target"


class Rows(dict[Any, Any]):
    """A mapping that is never changed, so that it can be part of a state."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


NONE = Rows()
AUTHORS = Rows({1: "ana", 2: "ben"})
CONTENTS = Rows({1: "sha256:1", 2: "sha256:2", 3: "sha256:2"})


@dataclass(frozen=True)
class Job:
    """`phase` is the step that comes next, empty before the first; `memo` is what the steps before have read."""

    effect: str
    subject: str
    lane: str
    phase: str = ""
    memo: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Placed:
    """Not judged: its approval has ended, and the next look judges it as if it had just arrived."""

    version: VersionId
    since: datetime
    request_id: str | None
    is_judged: bool = True


@dataclass(frozen=True)
class Watch:
    since: datetime
    handling: Handling


@dataclass(frozen=True)
class Truth:
    """What has happened, no matter what the bot knows of it.

    `approved`: ever, by people or a rule. `rooted`: holders since the watch began. `told`: holders that people know to have come by hand.
    `by_hand`: all versions that ever did. `movers`: who moved which holder there by hand. `asked`: who asked for which version, by which
    request, and when.
    """

    approved: frozenset[VersionId] = frozenset()
    rooted: frozenset[VersionId] = frozenset()
    told: frozenset[VersionId] = frozenset()
    by_hand: frozenset[VersionId] = frozenset()
    movers: frozenset[tuple[VersionId, str]] = frozenset()
    asked: frozenset[tuple[VersionId, str, str, datetime]] = frozenset()


@dataclass(frozen=True)
class Setting:
    """What does not change: the place, the policies that may be in force, and who may do what how often.

    `budget`: how often each kind of action may happen. `contents`: the artifacts' digest of each version, `authors` who trained it.
    """

    name: str
    target: Target
    policies: tuple[Policy, ...]
    budget: Rows
    askers: tuple[str, ...] = ("ana",)
    voters: tuple[str, ...] = ("ana", "ben")
    authors: Rows = AUTHORS
    contents: Rows = CONTENTS


@dataclass(frozen=True)
class World:
    """Registry: `holders` (newest first), `there`, `sources`, `denied`. Rows of ours: the rest, but for `left` and `truth`.

    `mark`: the fingerprint of the place at the last look; None when a sweep looks at it in any case.
    """

    setting: Setting
    holders: tuple[VersionId, ...]
    there: tuple[VersionId, ...]
    sources: Rows = NONE
    denied: frozenset[VersionId] = frozenset()
    requests: tuple[TransitionRequest, ...] = ()
    placements: tuple[Placed, ...] = ()
    intents: tuple[Intent, ...] = ()
    baseline: Rows = NONE
    watch: Watch | None = None
    policy: int = 0
    frozen: bool = False
    switched_on: bool = True
    jobs: tuple[Job, ...] = ()
    parked: tuple[tuple[str, str], ...] = ()
    clock: int = 0
    mark: tuple[VersionId, ...] | None = None
    left: Rows = NONE
    truth: Truth = Truth()

    def __hash__(self) -> int:
        """The setting is the same in all states; the hash is reckoned once."""
        known = self.__dict__.get("_hash")
        if known is None:
            rows = (
                self.holders,
                self.sources,
                self.denied,
                self.requests,
                self.placements,
                self.intents,
                self.baseline,
            )
            rest = (
                self.watch,
                self.policy,
                self.frozen,
                self.switched_on,
                self.jobs,
                self.left,
                self.truth,
                self.there,
            )
            known = hash((rows, rest, self.clock, self.parked, self.mark))
            object.__setattr__(self, "_hash", known)
        return int(known)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(minutes=self.clock)

    @property
    def place_model(self) -> str:
        return PROD if self.setting.target.kind is TargetKind.MODEL else MODEL

    @property
    def on_record(self) -> tuple[Placed, ...]:
        return tuple(one for one in self.placements if one.is_judged)

    @property
    def looks(self) -> str:
        """The lane of looks at the model whose place it is."""
        return model_lane(Lane.LOOKS, "default", self.place_model)

    @property
    def rules(self) -> Policy:
        """The policy in force, with the freeze on or off."""
        return in_force(self.setting.policies[self.policy], self.frozen)

    @property
    def rule(self) -> Rule | None:
        return self.rules.rule_for("default", MODEL, self.setting.target)

    def rule_hash(self) -> str:
        rule = self.rule
        return hash_of(self.setting.policies[self.policy], rule) if rule else ""

    def request(self, request_id: str) -> TransitionRequest:
        return next(one for one in self.requests if one.id == request_id)

    def ticked(self) -> World:
        return replace(self, clock=self.clock + 1)

    def spend(self, what: str) -> World:
        return replace(self, left=Rows({**self.left, what: self.left[what] - 1}))

    def may(self, what: str) -> bool:
        return int(self.left.get(what, 0)) > 0


@dataclass(frozen=True)
class Frost:
    """A freeze that people begin and end; the real one would look it up in a calendar."""

    name: str
    is_on: bool

    def until(self, at: datetime) -> datetime | None:
        return NOON + timedelta(days=1) if self.is_on else None


_in_force: dict[tuple[int, bool], Policy] = {}
_hashes: dict[int, str] = {}


def in_force(policy: Policy, frozen: bool) -> Policy:
    key = (id(policy), frozen)
    if key not in _in_force:
        _in_force[key] = replace(policy, freezes=(Frost("year-end", frozen),))  # type: ignore[arg-type]
    return _in_force[key]


def hash_of(policy: Policy, rule: Rule) -> str:
    if id(policy) not in _hashes:
        _hashes[id(policy)] = policy.rule_hash(rule)
    return _hashes[id(policy)]


def version(number: int, model: str = MODEL) -> VersionId:
    return a_version(number, model, NOON - timedelta(days=9) + timedelta(minutes=number))


def marked(world: World, holders: tuple[VersionId, ...]) -> tuple[VersionId, ...]:
    """What of the holders a sweep can see: of a target model, it lists the newest version alone."""
    return holders[:1] if world.setting.target.kind is TargetKind.MODEL else holders


def model_seen(world: World, holders: tuple[VersionId, ...]) -> ModelSnapshot:
    """The registered model whose place it is, with these holders."""
    target = world.setting.target
    is_model, is_stage = target.kind is TargetKind.MODEL, target.kind is TargetKind.STAGE
    ids = holders if is_model else world.there
    versions = tuple(
        VersionSnapshot(one, target.name if is_stage and one in holders else "None", Rows(), "", None, NOON)
        for one in sorted(ids, reverse=True)
    )
    aliases = {target.name: holders[0].version} if target.kind is TargetKind.ALIAS and holders else {}
    return ModelSnapshot("default", world.place_model, NOON - timedelta(days=10), aliases, versions)


def facts_of(world: World, holders: tuple[VersionId, ...] | None = None) -> Facts:
    """As `handlers/custody/facts.py` gathers them: the registry as it is (or as it was read), the rest from our rows."""
    held = world.holders if holders is None else holders
    rule, asked = world.rule, {one.version for one in world.requests}
    return Facts(
        "default",
        world.place_model,
        world.setting.target,
        holders=held,
        there=frozenset((*world.there, *held)),
        decisions=world.requests,
        baseline=world.baseline,
        seen=Rows({one.version: one.since for one in world.on_record}),
        sources=Rows({copy: origin for copy, origin in world.sources.items() if copy in held and origin in asked}),
        intents=tuple(one for one in world.intents if one.done_at is None),
        handling=Handling(rule.observed if rule else world.rules.default),
        deletes_copies=rule is not None and rule.copies == "delete",
        watched_since=world.watch.since if world.watch else None,
        restored=tuple(one.at for one in world.intents if one.request_id.startswith(RESTORE)),
    )


def record(world: World, events: list[Event]) -> World:
    """Brings the requests up to date, and defers what follows as `handlers.ON` says."""
    for event in events:
        if isinstance(event, RequestOpened):
            world = replace(world, requests=(*world.requests, initial(event)))
        elif isinstance(event, RequestEvent):
            changed = tuple(evolve(one, event) if one.id == event.request_id else one for one in world.requests)
            world = replace(world, requests=changed)
        for follow_up in ON.get(type(event), ()):
            if follow_up.effect in EFFECTS and isinstance(event, RequestEvent):
                request = world.request(event.request_id)
                if follow_up.when(request):
                    world = defer(world, follow_up.effect, event.request_id, lane_of(follow_up.lane, request))
    return world


def defer(world: World, effect: str, subject: str, lane: str, *, once: bool = False) -> World:
    """A job that would do the same and has not begun yet is enough, for every effect reads the rows as they are."""
    same = any((job.effect, job.subject, job.phase) == (effect, subject, "") for job in world.jobs)
    if same and (once or effect in EFFECTS):
        return world
    return replace(world, jobs=(*world.jobs, Job(effect, subject, lane)))


def live(world: World, wanted: VersionId | None = None) -> tuple[TransitionRequest, ...]:
    states = (State.COLLECTING, State.PENDING, State.APPROVED)
    return tuple(one for one in world.requests if one.state in states and wanted in (None, one.version))
