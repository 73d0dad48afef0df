"""What the parts of a policy must be to each other: groups that exist, escalation that helps, rules that can be reached.

Each law takes the parts whose shape is sound and yields a path into the document and a sentence; `config.policy` adds the lines.
Quorums and freezes have files of their own. What is allowed and still worth a word is `config.policy.warnings`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.model import AskKind, FastTrackMode, Target, TargetKind
from bot.domain.policy.rules import MIRRORED_CODES
from config.did_you_mean import guess
from config.policy.freeze_checks import freezes_exist, freezes_open_again
from config.policy.parts import Finding, Parts
from config.policy.patterns import covers
from config.policy.quorums import quorums_can_be_met
from config.policy.shapes import RuleShape
from config.policy.yaml_lines import Path


def broken_laws(parts: Parts) -> Iterator[Finding]:
    yield from _one_entry_for_each_person(parts)
    yield from freezes_open_again(parts)
    for index, rule in parts.rules.items():
        yield from _asks_for_something_else(index, rule)
        yield from _groups_exist(index, rule, parts)
        yield from _escalates_to_somebody_else(index, rule, parts)
        yield from quorums_can_be_met(index, rule, parts)
        yield from freezes_exist(index, rule, parts)
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
    """Whether the first holds for whatever the second could hold for."""
    same_target = first.target.as_target() == second.target.as_target()
    return same_target and covers(first.workspace, second.workspace) and covers(first.models, second.models)
