"""Which workspaces of which registries a policy's rules are for, and rules for places that are not watched."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.workspaces import DEFAULT, is_covered, pattern_of, watched
from config.policy.parts import Finding
from config.policy.patterns import common_name
from config.policy.shapes import PolicyShape, RuleShape

LISTED = 5


def common_place(first: RuleShape, second: RuleShape) -> str | None:
    """A workspace that both rules are for, whether it is watched or not; None when there is none."""
    registry = common_name(first.registry, second.registry)
    if registry is None:
        return None
    pairs = ((one, other) for one in first.named_workspaces for other in second.named_workspaces)
    name = next((found for one, other in pairs if (found := common_name(one, other)) is not None), None)
    return None if name is None else pattern_of(registry, [name])


def rules_for_no_place(policy: PolicyShape) -> Iterator[Finding]:
    """Rules, and patterns of rules, that match no watched workspace."""
    registries = watched(shape.as_registry(name) for name, shape in policy.registries.items())
    places = [place for registry in registries for place in registry.places]
    listed = ", ".join(places[:LISTED]) + (f" and {len(places) - LISTED} more" if len(places) > LISTED else "")
    known = f"only {listed} {'is' if len(places) == 1 else 'are'} watched"
    for index, rule in enumerate(policy.rules):
        idle = [one for one in rule.named_workspaces if not _covers_any(pattern_of(rule.registry, [one]), places)]
        key = "workspace" if rule.workspaces is None else "workspaces"
        if len(idle) == len(rule.named_workspaces):
            yield (
                ("rules", index, key if rule.registry == DEFAULT else "registry"),
                f'rule "{rule.models}" never holds, because it is for {_said(rule)}, and {known}. '
                "Add it to registries, or remove the rule.",
            )
        elif idle:
            yield (
                ("rules", index, key),
                f'rule "{rule.models}" names {_quoted(idle)} in workspaces, which matches nothing that is watched: {known}. '
                "Add it to registries, or remove it.",
            )


def _covers_any(pattern: str, places: list[str]) -> bool:
    return any(is_covered(place, pattern) for place in places)


def _said(rule: RuleShape) -> str:
    names = rule.named_workspaces
    said = f"the workspace{'s' if len(names) > 1 else ''} {_quoted(names)}"
    return said if rule.registry == DEFAULT else f'{said} of the registry "{rule.registry}"'


def _quoted(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f'"{one}"' for one in names)
