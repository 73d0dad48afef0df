"""What the checks of a policy take: the parts whose shape is valid, by their place in the document, and the form of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.policy.calendar_shapes import FreezeShape
from config.policy.registry_shapes import RegistryShape
from config.policy.shapes import GroupShape, PersonShape, RuleShape
from config.policy.yaml_lines import Path

Finding = tuple[Path, str]


@dataclass(frozen=True)
class Parts:
    """`group_names` and `freeze_names` also hold those whose shape is broken. `timezone` is the calendar's, `sign_off` the digest's."""

    people: Mapping[int, PersonShape]
    groups: Mapping[str, GroupShape]
    group_names: frozenset[str]
    rules: Mapping[int, RuleShape]
    freezes: Mapping[str, FreezeShape]
    freeze_names: frozenset[str]
    timezone: str
    registries: Mapping[str, RegistryShape] = field(default_factory=dict)
    sign_off: str | None = None
    readers: tuple[str, ...] = ()

    def members(self, group: str) -> frozenset[str] | None:
        """None when only Slack knows them."""
        shape = self.groups.get(group)
        return None if shape is None or shape.people is None else frozenset(shape.people)
