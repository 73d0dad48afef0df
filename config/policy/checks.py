"""Checks across the parts of a policy: groups exist, escalation helps, rules can be reached.

Each check takes the parts whose shape is valid and yields a path into the document and a sentence; `config.policy` adds the lines.
Warnings are in `config.policy.warnings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from zoneinfo import ZoneInfo

from bot.domain.model import AskKind, FastTrackMode, Target, TargetKind
from bot.domain.policy.calendars import Dated, Freeze
from bot.domain.policy.rules import MIRRORED_CODES, UnknownRequester
from config.did_you_mean import guess
from config.policy.parts import Finding, Parts
from config.policy.patterns import covers
from config.policy.registry_shapes import registries_can_be_told_apart
from config.policy.shapes import RuleShape
from config.policy.yaml_lines import Path


def broken_laws(parts: Parts) -> Iterator[Finding]:
    yield from _one_entry_for_each_person(parts)
    yield from freezes_open_again(parts)
    yield from registries_can_be_told_apart(parts.registries)
    yield from _somebody_signs_digests_off(parts)
    yield from _readers_exist(parts)
    for index, rule in parts.rules.items():
        yield from _asks_for_something_else(index, rule)
        yield from _groups_exist(index, rule, parts)
        yield from _escalates_to_somebody_else(index, rule, parts)
        yield from quorums_can_be_met(index, rule, parts)
        yield from freezes_exist(index, rule, parts)
        yield from _glass_can_be_reviewed(index, rule, parts)
        yield from _fast_track_decides_something(index, rule)
        yield from _lineage_can_be_complete(index, rule)
    yield from _rules_can_be_reached(parts)


def _one_entry_for_each_person(parts: Parts) -> Iterator[Finding]:
    owners: dict[str, int] = {}
    for index, person in parts.people.items():
        if person.email in owners:
            yield ("people", index, "email"), f"{person.email} stands in people twice. Remove one of the entries."
        owners.setdefault(person.email, index)
    names = {person.email: index for index, person in reversed(list(parts.people.items()))}
    for index, person in parts.people.items():
        user = person.mlflow_user
        owner = names.setdefault(user, index) if user else index
        if user and owner != index and parts.people[owner].email != person.email:
            yield (
                ("people", index, "mlflow_user"),
                f'mlflow_user "{user}" stands for {person.email} and for {parts.people[owner].email}, '
                "so nobody could tell who trained a version. Give each person a name of their own.",
            )


def _asks_for_something_else(index: int, rule: RuleShape) -> Iterator[Finding]:
    target = rule.target.as_target()
    if target.kind is TargetKind.MODEL and target.name == rule.models:
        sentence = f'rule "{rule.models}" would copy the model into itself. Name another model in target.'
        yield ("rules", index, "target"), sentence
    asks = [shape.as_ask() for shape in rule.ask_on]
    for place, ask in enumerate(asks):
        path: Path = ("rules", index, "ask_on", place)
        if ask.kind in (AskKind.ALIAS, AskKind.STAGE) and Target(TargetKind(ask.kind), ask.name) == target:
            yield (
                path,
                f'rule "{rule.models}" asks by the very {ask.kind} that it guards, "{ask.name}". '
                f"Ask by another one, for example {{alias: candidate}}.",
            )
        if ask in asks[:place]:
            yield path, f'rule "{rule.models}" is asked {ask} twice. Remove one of them.'


def _readers_exist(parts: Parts) -> Iterator[Finding]:
    for place, group in enumerate(parts.readers):
        if group not in parts.group_names:
            hint = guess(group, parts.group_names) or " Add it to groups."
            yield ("readers", place), f'readers names the group "{group}", which does not exist.{hint}'


def _groups_exist(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    named = [requirement.group for requirement in rule.approve.all_of]
    for place, group in enumerate(named):
        path: Path = ("rules", index, "approve", "all_of", place, "group")
        if group not in parts.group_names:
            hint = guess(group, parts.group_names) or " Add it to groups."
            yield path, f'rule "{rule.models}" names the group "{group}", which does not exist.{hint}'
        if group in named[:place]:
            yield (
                path,
                f'rule "{rule.models}" names the group "{group}" twice. Write one entry with the quorum of both.',
            )


def _somebody_signs_digests_off(parts: Parts) -> Iterator[Finding]:
    group = parts.sign_off
    if group is not None and group not in parts.group_names:
        hint = guess(group, parts.group_names) or " Add it to groups."
        yield ("digest", "sign_off"), f'digest.sign_off names the group "{group}", which does not exist.{hint}'


def _escalates_to_somebody_else(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    if rule.escalate is None:
        return
    group, path = rule.escalate.group, ("rules", index, "escalate", "group")
    if group not in parts.group_names:
        hint = guess(group, parts.group_names) or " Add it to groups."
        yield path, f'rule "{rule.models}" escalates to the group "{group}", which does not exist.{hint}'
    elif group in [requirement.group for requirement in rule.approve.all_of]:
        yield (
            path,
            f'rule "{rule.models}" escalates to the group "{group}", which is asked from the beginning. '
            "Name another group, or remove escalate.",
        )


def _glass_can_be_reviewed(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    """Both groups exist, and whoever breaks the glass leaves somebody who may review it."""
    glass = rule.break_glass
    if glass is None:
        return
    for name, where in ((glass.group, ("group",)), (glass.review.group, ("review", "group"))):
        if name not in parts.group_names:
            hint = guess(name, parts.group_names) or " Add it to groups."
            path: Path = ("rules", index, "break_glass", *where)
            yield path, f'rule "{rule.models}" names the group "{name}" in break_glass, which does not exist.{hint}'
    reviewers, breakers = parts.members(glass.review.group), parts.members(glass.group)
    if reviewers and breakers and len(reviewers) == 1 and reviewers <= breakers:
        yield (
            ("rules", index, "break_glass", "review", "group"),
            f'rule "{rule.models}" lets {next(iter(reviewers))} break the glass, who is also the only one to review it. '
            "Add a person to the group of the review.",
        )


def _fast_track_decides_something(index: int, rule: RuleShape) -> Iterator[Finding]:
    track = rule.fast_track
    if track is not None and track.mode is FastTrackMode.ON and track.sample_to_people == 1:
        yield (
            ("rules", index, "fast_track", "sample_to_people"),
            f'rule "{rule.models}" has its fast track on and sends every version to people, so that it decides none. '
            "Write mode: shadow, or a smaller share.",
        )


def _lineage_can_be_complete(index: int, rule: RuleShape) -> Iterator[Finding]:
    demand = rule.lineage
    if demand is None or demand.git is not None:
        return
    asked = [code for code in demand.block if code in MIRRORED_CODES]
    if asked:
        yield (
            ("rules", index, "lineage", "block"),
            f'rule "{rule.models}" blocks on {", ".join(asked)}, which only a git mirror can check, so that nothing could be approved. '
            "Name the remote in lineage.git, or leave them out.",
        )


def _rules_can_be_reached(parts: Parts) -> Iterator[Finding]:
    earlier: list[RuleShape] = []
    for index, rule in parts.rules.items():
        hiding = next((one for one in earlier if hides(one, rule)), None)
        if hiding is not None:
            yield (
                ("rules", index),
                f'rule "{rule.models}" for {rule.target.as_target()} can never hold, because the rule "{hiding.models}" before it '
                "matches the same models. Put the narrower rule first, or remove one of them.",
            )
        earlier.append(rule)


def hides(first: RuleShape, second: RuleShape) -> bool:
    """Whether the first matches everything that the second matches."""
    same_target = first.target.as_target() == second.target.as_target()
    return same_target and _covers_places(first, second) and covers(first.models, second.models)


def _covers_places(first: RuleShape, second: RuleShape) -> bool:
    return covers(first.registry, second.registry) and all(
        any(covers(wide, narrow) for wide in first.named_workspaces) for narrow in second.named_workspaces
    )


ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)  # where no window has a date, all weeks are the same
A_DAY = timedelta(days=1)  # more than the time zones differ from each other by


def freezes_exist(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    for place, name in enumerate(rule.freezes):
        if name not in parts.freeze_names:
            path: Path = ("rules", index, "freezes", place)
            hint = guess(name, parts.freeze_names) or " Add it to freezes."
            yield path, f'rule "{rule.models}" names the freeze "{name}", which does not exist.{hint}'


def freezes_open_again(parts: Parts) -> Iterator[Finding]:
    for name, shape in parts.freezes.items():
        freeze = shape.as_freeze(name, parts.timezone)
        if not freeze.opens_again(_after_all_dates(freeze)):
            since = "after its last date" if _dates(freeze) else "at any time of the week"
            yield (
                ("freezes", name),
                f'freeze "{name}" is a freeze without end: {since} it lets nothing through. '
                "Shorten what it denies, or allow some hours of every week.",
            )


def _after_all_dates(freeze: Freeze) -> datetime:
    """When only the windows of every week are left."""
    zone = ZoneInfo(freeze.timezone)
    return max([ANY_MOMENT, *(window.ends.replace(tzinfo=zone) + A_DAY for window in _dates(freeze))])


def _dates(freeze: Freeze) -> list[Dated]:
    return [window for window in (*freeze.deny, *freeze.allow) if isinstance(window, Dated)]


def quorums_can_be_met(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
    """Hall's theorem: different people can fill all places unless some of the groups have fewer people than places together."""
    path: Path = ("rules", index, "approve", "all_of")
    sized = {
        one.group: (place, one.quorum) for place, one in enumerate(rule.approve.all_of) if parts.members(one.group)
    }
    for groups in chain.from_iterable(combinations(sized, size) for size in range(1, len(sized) + 1)):
        everybody = frozenset[str]().union(*(parts.members(group) or () for group in groups))
        wanted = sum(sized[group][1] for group in groups)
        if wanted > len(everybody):
            where = (*path, sized[groups[0]][0], "quorum") if len(groups) == 1 else path
            shortage = _shortage(wanted, groups, everybody)
            yield where, f'rule "{rule.models}" asks for {shortage}. Add a person or lower the quorum.'
            return
    if len(sized) == len(rule.approve.all_of):
        yield from _one_more_can_be_found(
            index, rule, frozenset().union(*(parts.members(group) or () for group in sized))
        )


def _shortage(wanted: int, groups: Sequence[str], everybody: frozenset[str]) -> str:
    if len(groups) == 1:
        return f"quorum {wanted} but group {groups[0]} has {_people(everybody)}"
    return f"{wanted} approvals by {' and '.join(groups)} together, but they have {_people(everybody)}"


def _one_more_can_be_found(index: int, rule: RuleShape, everybody: frozenset[str]) -> Iterator[Finding]:
    approve = rule.approve
    wanted = sum(requirement.quorum for requirement in approve.all_of) + 1
    if not rule.ask_on or approve.unknown_requester is not UnknownRequester.ONE_MORE or len(everybody) >= wanted:
        return
    yield (
        ("rules", index, "approve", "unknown_requester"),
        f'rule "{rule.models}" asks for quorum {wanted - 1} and for one more when nobody knows who asked, as with every alias or tag, '
        f"but its groups have {_people(everybody)}. Add a person, or write unknown_requester: author_only.",
    )


def _people(emails: frozenset[str]) -> str:
    counted = "one person" if len(emails) == 1 else f"{len(emails)} people"
    return f"{counted}, {' and '.join(sorted(emails))}"
