"""What the parts of a policy must be to each other: groups that exist, quorums that can be met, rules that can be reached.

Each law takes the parts whose shape is sound and yields a path into the document and a sentence; `config.policy` adds the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import chain, combinations

from bot.domain.model import AskKind, Target, TargetKind
from bot.domain.policy import UnknownRequester
from config.policy_shape import GroupShape, PersonShape, RuleShape
from config.yaml_lines import Path

Finding = tuple[Path, str]
GUESSED_LENGTH = 60  # characters; comparing longer words takes long and helps nobody


@dataclass(frozen=True)
class Parts:
    """The sound parts by their place in the document. `group_names` also holds the groups whose shape is broken."""

    people: Mapping[int, PersonShape]
    groups: Mapping[str, GroupShape]
    group_names: frozenset[str]
    rules: Mapping[int, RuleShape]

    def members(self, group: str) -> frozenset[str] | None:
        """None when only Slack knows them."""
        shape = self.groups.get(group)
        return None if shape is None or shape.people is None else frozenset(shape.people)


def broken_laws(parts: Parts) -> Iterator[Finding]:
    yield from _one_entry_for_each_person(parts)
    for index, rule in parts.rules.items():
        yield from _asks_for_something_else(index, rule)
        yield from _groups_exist(index, rule, parts)
        yield from _quorums_can_be_met(index, rule, parts)
    yield from _rules_can_be_reached(parts)


def guess(word: str, known: frozenset[str]) -> str:
    """A hint for a word that was meant to be one of the known ones, with a space before it."""
    close = get_close_matches(word, sorted(known), n=1) if len(word) <= GUESSED_LENGTH else []
    return f' Did you mean "{close[0]}"?' if close else ""


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


def _quorums_can_be_met(index: int, rule: RuleShape, parts: Parts) -> Iterator[Finding]:
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


def _rules_can_be_reached(parts: Parts) -> Iterator[Finding]:
    earlier: list[RuleShape] = []
    for index, rule in parts.rules.items():
        hiding = next((one for one in earlier if _hides(one, rule)), None)
        if hiding is not None:
            yield (
                ("rules", index),
                f'rule "{rule.models}" for {rule.target.as_target()} can never hold, because the rule "{hiding.models}" before it '
                "matches the same models. Put the narrower rule first, or remove one of them.",
            )
        earlier.append(rule)


def _hides(first: RuleShape, second: RuleShape) -> bool:
    same_target = first.target.as_target() == second.target.as_target()
    return same_target and _covers(first.workspace, second.workspace) and _covers(first.models, second.models)


def _covers(wide: str, narrow: str) -> bool:
    """Whether surely every name that `narrow` matches is matched by `wide`; says no when it would take more than a look."""
    plain = not any(character in wide for character in "?[") and "[" not in narrow
    return wide == narrow or (plain and fnmatchcase(narrow, wide))
