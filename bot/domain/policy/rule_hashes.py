"""The hash of a rule: what binds a decision to the rule that it was made under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.domain.policy.rules import Group, Rule

# Keys that the parts of a rule got later: unset, the rule keeps its hash.
SAID_WHEN_SET = (
    *("passkey", "fields", "approved_path", "rejected_path", "approved_resolution", "rejected_resolution"),
    *("relation", "relation_type", "relation_projects"),
    *("break_glass_type", "decide_approve", "decide_reject", "approvals"),
)
NOT_BINDING = ("channel", "ticket", "remind_after", "escalate", "approval_valid_for")  # who is notified, and when


def binding_hash(rule: Rule, groups: Iterable[Group]) -> str:
    """Of the rule with the groups that decide; not of its reminders, escalation, notices and tickets."""
    return _hash_of({name: value for name, value in _said(rule).items() if name not in NOT_BINDING}, groups)


def whole_hash(rule: Rule, groups: Iterable[Group]) -> str:
    """Of the rule with its reminders and notices, and the groups that it names."""
    return _hash_of(_said(rule), groups)


def _hash_of(said: dict[str, object], groups: Iterable[Group]) -> str:
    bound = {"rule": said, "groups": [_bound(group) for group in groups]}
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _said(rule: Rule) -> dict[str, object]:
    """Omits default values, so that a release with a new key voids no vote."""
    whole = asdict(rule, dict_factory=_without_unset)
    said = (one for one in fields(rule) if one.name != "group_above")  # which no release before had
    return {one.name: whole[one.name] for one in said if getattr(rule, one.name) != one.default}


def _without_unset(items: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in items if value or name not in SAID_WHEN_SET}


def _bound(group: Group) -> dict[str, object]:
    """Sorted, because the order of people in a group has no meaning."""
    return {"name": group.name, "slack_group": group.slack_group, "people": sorted(group.people)}
