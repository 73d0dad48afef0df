"""What is new in the registry: compares a registered model as it is now with what we knew. Pure; `handlers.registry.reconcile` acts on it.

Webhook and poll both use this, so they find the same changes. A repeated alias or tag is no change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bot.domain.model import Ask, AskKind, Target, TargetKind, VersionId
from bot.domain.policy.rules import Policy, Rule
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.errors import Refused

UNWATCHED_STAGES = ("None", "Archived")


@dataclass(frozen=True, order=True)
class OpenAsk:
    """A version asks for a target, and goes on asking until the alias, tag or stage is taken away."""

    version: VersionId
    target: Target
    ask: Ask


@dataclass(frozen=True)
class Known:
    """What we knew of a registered model. Versions up to `baseline` never ask by having been created.

    `unjudged` are placements whose approval has ended since: if they are there still, they count as having just arrived.
    """

    baseline: int
    newest: int
    placements: Mapping[Target, tuple[VersionId, ...]] = field(default_factory=dict)
    asks: frozenset[OpenAsk] = frozenset()
    unjudged: frozenset[tuple[Target, VersionId]] = frozenset()


@dataclass(frozen=True)
class Move:
    """A version reached a target, or, with `version` None, the target was emptied. `previous` held it before."""

    target: Target
    version: VersionId | None
    previous: VersionId | None


@dataclass(frozen=True)
class Left:
    """A version left a place that others still hold: a stage or a target model. `stays` is the newest of them."""

    target: Target
    version: VersionId
    stays: VersionId


@dataclass(frozen=True)
class News:
    asked: tuple[OpenAsk, ...]
    muted: tuple[OpenAsk, ...]
    no_longer_asked: tuple[OpenAsk, ...]
    moves: tuple[Move, ...]
    left: tuple[Left, ...]
    holders: Mapping[Target, tuple[VersionId, ...]]


def compare(seen: ModelSnapshot, known: Known, policy: Policy) -> News:
    open_now = open_asks(seen, known.baseline, policy)
    fresh = open_now - known.asks
    muted = {ask for ask in fresh if _came_with_a_copy(ask, seen, known.newest) or _was_there_before(ask, known)}
    already_there = {ask for ask in fresh if ask.version in seen.holders(ask.target)}
    holders = watched_holders(seen, policy)
    # A new policy may have turned a place into a way to ask: nothing moved, there is only nothing left to watch.
    unwatched = {place for place in known.placements if place not in holders and seen.holders(place)}
    watched = {place: held for place, held in known.placements.items() if place not in unwatched}
    return News(
        asked=tuple(sorted(fresh - muted - already_there)),
        muted=tuple(sorted(muted | already_there)),
        no_longer_asked=tuple(sorted(known.asks - open_now)),
        moves=tuple(_moves(watched, holders, known.unjudged)),
        left=tuple(_departures(watched, holders)),
        holders={**dict.fromkeys(unwatched, ()), **holders},
    )


def open_asks(seen: ModelSnapshot, baseline: int, policy: Policy) -> frozenset[OpenAsk]:
    """Everything that asks now, under the rules that hold for this model."""
    return frozenset(
        OpenAsk(version.id, rule.target_for(seen.name), ask)
        for rule in policy.rules_for(seen.workspace, seen.name)
        for ask in rule.ask_on
        for version in seen.versions
        if _asks(version, ask, rule.target_for(seen.name), seen, baseline)
    )


def watched_holders(seen: ModelSnapshot, policy: Policy) -> Mapping[Target, tuple[VersionId, ...]]:
    """The holders of every alias and stage that is a target and not only a way to ask."""
    rules = policy.rules_for(seen.workspace, seen.name)
    asking = _asking_targets(rules) - {rule.target_for(seen.name) for rule in rules}
    aliases = {Target(TargetKind.ALIAS, alias) for alias in seen.aliases}
    stages = {
        Target(TargetKind.STAGE, version.stage) for version in seen.versions if version.stage not in UNWATCHED_STAGES
    }
    places = (aliases | stages) - asking
    if policy.rule_for_copies_into(seen.workspace, seen.name):
        places.add(Target(TargetKind.MODEL, seen.name))
    return {target: seen.holders(target) for target in sorted(places)}


def _asks(version: VersionSnapshot, ask: Ask, target: Target, seen: ModelSnapshot, baseline: int) -> bool:
    if ask.kind is AskKind.ALIAS:
        return seen.aliases.get(ask.name) == version.id.version
    if ask.kind is AskKind.STAGE:
        return version.stage == ask.name
    if ask.kind is AskKind.TAG:
        return ask.name in version.tags and tag_speaks_of(version.tags[ask.name], target)
    return ask.kind is AskKind.NEW_VERSION and version.id.version > baseline


def tag_speaks_of(value: str, target: Target) -> bool:
    """A tag whose value is a target asks for that one alone; any other value asks for what the rule says."""
    try:
        return Target.parse(value) == target
    except Refused:
        return True


def _came_with_a_copy(ask: OpenAsk, seen: ModelSnapshot, newest_known: int) -> bool:
    """MLflow copies a version's tags along: a tag that a copy had when it was first seen does not ask."""
    version = seen.version(ask.version.version)
    is_first_sight = ask.version.version > newest_known
    return ask.ask.kind is AskKind.TAG and version is not None and version.is_copy and is_first_sight


def _was_there_before(ask: OpenAsk, known: Known) -> bool:
    """A rule under which new versions ask does not apply to versions that were there before the rule."""
    return ask.ask.kind is AskKind.NEW_VERSION and ask.version.version <= known.newest


def _asking_targets(rules: Iterable[Rule]) -> set[Target]:
    kinds = {AskKind.ALIAS: TargetKind.ALIAS, AskKind.STAGE: TargetKind.STAGE}
    return {Target(kinds[ask.kind], ask.name) for rule in rules for ask in rule.ask_on if ask.kind in kinds}


def _moves(
    before: Mapping[Target, tuple[VersionId, ...]],
    now: Mapping[Target, tuple[VersionId, ...]],
    unjudged: Collection[tuple[Target, VersionId]],
) -> Iterable[Move]:
    for target in sorted({*before, *now}):
        held, holds = before.get(target, ()), now.get(target, ())
        arrived = [version for version in holds if version not in held or (target, version) in unjudged]
        previous = next((version for version in held if version not in arrived), None)
        yield from (Move(target, version, previous) for version in arrived)
        if held and not holds:
            yield Move(target, None, previous)


def _departures(
    before: Mapping[Target, tuple[VersionId, ...]], now: Mapping[Target, tuple[VersionId, ...]]
) -> Iterable[Left]:
    """An alias that is moved is no departure: its arrival is reported."""
    for target in sorted(before):
        holds = now.get(target, ())
        if holds and target.kind is not TargetKind.ALIAS:
            yield from (Left(target, version, holds[0]) for version in before[target] if version not in holds)


def ruled_places(seen: ModelSnapshot, policy: Policy) -> tuple[Target, ...]:
    """The targets of this model that a rule covers, whether or not anyone holds them."""
    own = {rule.target_for(seen.name) for rule in policy.rules_for(seen.workspace, seen.name)}
    here = {target for target in own if target.kind is not TargetKind.MODEL}
    if policy.rule_for_copies_into(seen.workspace, seen.name):
        here.add(Target(TargetKind.MODEL, seen.name))
    return tuple(sorted(here))


def fingerprint(
    aliases: Mapping[str, int], versions: Iterable[VersionSnapshot], tags: Iterable[str], newest: int
) -> str:
    """What a sweep can see of a model, in one line: equal fingerprints mean that nothing has changed.

    `versions` need only hold the newest of each stage and all that carry one of the asking `tags`.
    """
    versions = tuple(versions)
    stages: dict[str, int] = {}
    for version in versions:
        stages[version.stage] = max(stages.get(version.stage, 0), version.id.version)
    tagged = {(seen.id.version, tag, seen.tags[tag]) for seen in versions for tag in tags if tag in seen.tags}
    return repr((sorted(aliases.items()), sorted(stages.items()), sorted(tagged), newest))
