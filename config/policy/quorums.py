"""Whether the people whom a rule names are enough for its quorums, as far as the policy knows them: Slack alone counts its groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from bot.domain.policy.rules import UnknownRequester
from config.policy.parts import Finding, Parts
from config.policy.shapes import RuleShape
from config.policy.yaml_lines import Path


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
