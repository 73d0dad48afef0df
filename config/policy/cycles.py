"""Rules that feed on copies: what a rule copies into another model matches a rule again, and so on without an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.model import TargetKind
from config.policy.parts import Finding
from config.policy.patterns import common_name
from config.policy.places import common_place
from config.policy.shapes import RuleShape


def rules_that_feed_on_copies(rules: tuple[RuleShape, ...]) -> Iterator[Finding]:
    """One finding for each rule that its own copies lead back to, at once or by way of others."""
    feeds = {index: _fed_by(rule, rules) for index, rule in enumerate(rules)}
    for index, rule in enumerate(rules):
        if index in feeds[index]:
            target = rule.target.as_target().name
            yield (
                ("rules", index, "models"),
                f'rule "{rule.models}" also matches the models that its copies go into, "{target}". Copies never ask for its target, '
                "and neither does any other version there. Narrow models so that it matches none of them, or name another target.",
            )
        elif _leads_back(index, feeds):
            yield (
                ("rules", index, "target"),
                f'rule "{rule.models}" copies into "{rule.target.as_target().name}", which other rules copy on until a copy matches this '
                "rule again. Narrow models of one of them, or take a target out of the circle.",
            )


def _fed_by(rule: RuleShape, rules: tuple[RuleShape, ...]) -> frozenset[int]:
    """The rules that match a model that this one copies into."""
    target = rule.target.as_target()
    if target.kind is not TargetKind.MODEL:
        return frozenset()
    into = target.name.replace("{name}", rule.models)
    return frozenset(
        place
        for place, other in enumerate(rules)
        if other.target.as_target().kind is TargetKind.MODEL
        and common_place(rule, other) is not None
        and common_name(into, other.models) is not None
    )


def _leads_back(start: int, feeds: Mapping[int, frozenset[int]]) -> bool:
    reached, news = set[int](), set(feeds[start])
    while news:
        reached |= news
        news = {after for place in news for after in feeds[place]} - reached
    return start in reached
