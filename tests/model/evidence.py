"""The evidence: collected, frozen and judged by the fast track, as `handlers/request/evidence.py` does it.

In one step: what changes while it is collected is what changes right after it, for `found` says what was compared with.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from bot.domain.events import Event
from bot.domain.model import (
    Artifacts,
    Champion,
    DataSet,
    Evidence,
    FastTrackMode,
    Kind,
    Metric,
    Objection,
    State,
    TransitionRequest,
    VersionId,
)
from bot.domain.policy.rules import Rule
from bot.domain.registry.custody import custody_of
from bot.domain.request import fast_track, lifecycle
from bot.domain.request.lifecycle import Authors
from bot.domain.request.objections import objections_to
from bot.domain.request.rollback import brought_by, needs_no_vote, rejection_of
from tests.builders import an_evidence
from tests.model import effects, opening
from tests.model.opening import decided_here, held_as_asked
from tests.model.world import Job, Rows, Setting, World, facts_of, record

MAE = {1: 35.0, 2: 30.0, 3: 30.0}
EVAL = DataSet("rides", "d1", "eval")


def collect(world: World, job: Job) -> effects.Done:
    request = world.request(job.subject)
    if request.state is not State.COLLECTING:
        return effects.Done(world, None, "its evidence is frozen already, or not wanted any more")
    champion, holder = _champion(request, world)
    if _is_pointless(request, holder, world):
        events = lifecycle.withdraw(request, "it has become pointless", world.now)
        return effects.Done(record(world, events).ticked(), None, "withdraws what has become pointless", tuple(events))
    return record_evidence(world, replace(job, memo=(champion, holder)))


def record_evidence(world: World, job: Job) -> effects.Done:
    champion, holder = job.memo
    rule, locked = world.rule, world.request(job.subject)
    if rule is None:
        return effects.Done(replace(world, parked=(*world.parked, (job.effect, job.subject))), None, "finds no rule")
    seen = _evidence(world.setting, _origin(locked.version, world), _champion_seen(champion, world))
    author = world.setting.authors.get(_origin(locked.version, world))
    held = (holder,) if holder else ()
    earlier = opening.alike(world, seen)
    events = lifecycle.freeze_evidence(
        locked,
        seen,
        Authors(author),
        world.rule_hash(),
        world.now,
        people_decide=_why_people_decide(locked, world),
        found=held,
        barred=opening.barred_by(locked, earlier, {author} if author else set(), world),
        objections=objections(locked, earlier, world),
    )
    world = record(world, events)
    decided = _decide_without_people(world.request(locked.id), rule, world) if events else []
    world = record(world, decided)
    said = "freezes the evidence" + (", and no person needs to decide" if len(decided) > 1 else "")
    return effects.Done(world.ticked(), None, said, (*events, *decided))


def _decide_without_people(request: TransitionRequest, rule: Rule, world: World) -> list[Event]:
    if request.state is not State.PENDING or request.evidence is None:
        return []
    if request.kind is Kind.ROLLBACK:
        at_once = needs_no_vote(request, rule, was_approved=not request.people_decide)
        return lifecycle.approve_by_rule(request, world.rule_hash(), world.now) if at_once else []
    track = rule.fast_track
    if request.kind is not Kind.PROMOTION or track is None or track.mode is FastTrackMode.OFF:
        return []
    lot = opening.lot_of(request, world)
    judgement = fast_track.judge(request, request.evidence, track, is_switched_on=world.switched_on, lot=lot)
    return lifecycle.decide_by_thresholds(request, judgement, rule, world.rule_hash(), world.now)


def objections(request: TransitionRequest, earlier: list[TransitionRequest], world: World) -> tuple[Objection, ...]:
    others = [one for one in earlier if one.id != request.id]
    models = {one.version.model for one in others}
    applied = [one for one in world.requests if one.state is State.APPLIED and one.version.model in models]
    in_order = sorted(applied, key=lambda one: one.settled_at or one.opened_at)
    return objections_to(request, others, in_order)


def _is_pointless(request: TransitionRequest, holder: VersionId | None, world: World) -> bool:
    if request.version not in (*world.there, *world.holders):
        return True
    held = held_as_asked(holder, facts_of(world).about(holder)) if holder else None
    return request.away_from not in (None, held)


def _why_people_decide(request: TransitionRequest, world: World) -> str:
    if request.kind is not Kind.ROLLBACK:
        return ""
    decided = decided_here(world, request.version.model)
    if brought_by(request.version, decided) is None:
        return "it was never approved"
    return "it failed before" * bool(request.failed_before) or "rejected" * bool(rejection_of(request.version, decided))


def _champion(request: TransitionRequest, world: World) -> tuple[VersionId | None, VersionId | None]:
    found = world.holders[0] if world.holders else None
    facts = facts_of(world)
    if request.kind is Kind.OBSERVED:
        return (request.previous if request.previous in facts.there else None), found
    lawful = custody_of(facts).champion
    return (lawful if lawful in facts.there else None), found


def _champion_seen(champion: VersionId | None, world: World) -> Champion | None:
    return Champion(champion, _metrics(_origin(champion, world)), Rows()) if champion else None


def _origin(version: VersionId, world: World) -> int:
    """The number of the version whose files these are."""
    return int(world.sources.get(version, version).version)


@lru_cache(1000)
def _evidence_of(digest: str, number: int, champion: Champion | None) -> Evidence:
    return an_evidence(
        source=f"models:/m-{digest}",
        run_id=digest,
        author="",
        metrics=_metrics(number),
        params=Rows(),
        tags=Rows(),
        artifacts=Artifacts(digest, 1, 1),
        champion=champion,
    )


def _evidence(setting: Setting, number: int, champion: Champion | None) -> Evidence:
    return _evidence_of(setting.contents[number], number, champion)


@lru_cache(10)
def _metrics(number: int) -> tuple[Metric, ...]:
    return (Metric("mae", MAE[number], "run", EVAL),)
