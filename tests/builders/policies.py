"""Policies as text, small ones and one with every key, and what is said about a changed one."""

from __future__ import annotations

import pytest

from config.policy import PolicyMistakes, read_policy

SMALL = """\
version: 1
groups:
  leads: {people: [ana@example.com, ben@example.com]}
rules:
  - models: "bike-*"
    target: {alias: champion}
    ask_on: [{alias: candidate}]
    notify: {slack: "#models"}
    approve: {all_of: [{group: leads, quorum: 1}]}
"""

# As SMALL, with enough people for what one of them asks for or trains.
ENOUGH = SMALL.replace("ben@example.com]", "ben@example.com, cy@example.com]")

FULL = """\
version: 1
calendar: {timezone: Europe/Madrid, days: [mon, tue, wed, thu], hours: "08:30-24:00", holidays: [2026-12-25]}
freezes:
  year-end:
    timezone: America/New_York
    deny: [{from: "2026-12-18 18:00", until: "2027-01-07 09:00"}, {days: [fri, mon], hours: "14:00-24:00"}]
    allow: [{days: [mon, tue, wed, thu, fri], hours: "09:00-17:00"}]
  weekend: {deny: [{days: [sat, sun]}]}
artifact_stores: ["mlflow-artifacts:", "s3://models/"]
groups:
  leads: {people: [ana@example.com, ben@example.com]}
  heads: {slack_group: heads}
rules:
  - models: "bike-*"
    target: {alias: champion}
    ask_on: [{alias: candidate}]
    notify: {slack: "#models"}
    approve: {all_of: [{group: leads, quorum: 1}]}
    remind_after: 4h
    escalate: {after: 8h, group: heads}
    expire_after: 3d
    freezes: [year-end, weekend]
    rollback: by_votes
    fast_track:
      mode: shadow
      metrics:
        mae: {threshold: 40, greater_is_better: false, min_relative_change: 0.0, min_absolute_change: 1, dataset: test}
      require: [lineage, signature]
      sample_to_people: 0.1
      undo_for: 2h
    lineage: {git: "https://git.example.com/bikes.git", main: trunk, block: [L01, L14]}
    approval_valid_for: 90d
digest:
  cron: "30 7 * * tue"
  timezone: Asia/Tokyo
  notify: {slack: "#compliance"}
  ticket: {project: GOV, type: Task}
  email: [audit@example.com]
"""


def rule_for(models: str, alias: str = "champion", workspace: str = "default") -> str:
    """One rule more, to be put behind either of them."""
    return (
        f'  - models: "{models}"\n    workspace: "{workspace}"\n    target: {{alias: {alias}}}\n    notify: {{slack: "#m"}}\n'
        "    approve: {all_of: [{group: leads, quorum: 1}]}\n"
    )


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(PolicyMistakes) as caught:
        read_policy(text)
    return str(caught.value).splitlines()
