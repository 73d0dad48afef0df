"""A new policy comes into force: recorded with its difference, announced with names; a broken one changes nothing and is announced too."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.events import ApprovalHeld, PolicyActivated, PolicyRefused
from bot.domain.model import State
from bot.supervisor import COUNTERSIGN
from config.policy import PolicyMistakes
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import CHANNEL, House, policy_text

CHANGED = "The policy has changed"
BROKEN = "A broken policy was refused"


def activate(house: House, text: str, source: str = "policy.yaml") -> None:
    activate_policy(text, source, house.s)
    house.settle()


def told(house: House, title: str, channel: str = CHANNEL) -> list[str]:
    return [message.all_text for message in house.slack.messages(channel) if title in message.all_text]


def usual(house: House) -> str:
    return policy_text(f"{house.model}*")


def impossible(house: House) -> str:
    """A group with fewer people than its quorum, and a key that is one letter off."""
    text = usual(house).replace("{slack_group: ml-leads}", "{people: [ana@example.com]}")
    return text.replace("quorum: 1", "quorum: 2").replace("default: report", "defaults: report")


def test_the_first_policy_is_recorded_and_not_announced(house: House) -> None:
    assert [entry["changes"] for entry in house.entries(PolicyActivated)] == [[]]
    assert told(house, CHANGED) == []


def test_a_change_is_announced_with_names_and_recorded_with_ids(house: House) -> None:
    listed = usual(house).replace("{slack_group: ml-leads}", "{people: [ana@example.com, cy@example.com]}")
    activate(house, listed)

    activate(house, listed.replace("ana@example.com, cy@example.com", "ana@example.com, ben@example.com"))

    with house.s.store.transaction() as tx:
        cy, ben = (tx.people.get_or_add(f"{name}@example.com", name).id for name in ("cy", "ben"))
    assert house.entries(PolicyActivated)[-1]["changes"] == [
        f"group ml-leads: person:{ben} was added",
        f"group ml-leads: person:{cy} was removed",
    ]
    assert "group ml-leads: Ben Okafor was added" in told(house, CHANGED)[-1]
    assert "group ml-leads: Cy Lindqvist was removed" in told(house, CHANGED)[-1]
    assert "@example.com" not in json.dumps(house.entries(PolicyActivated))


def test_a_rule_that_changes_is_announced_in_the_yaml_s_words(house: House) -> None:
    activate(house, usual(house).replace("expire_after: 3d", "expire_after: 12h"))

    (note,) = told(house, CHANGED)
    assert "A new policy is in force, one change, from policy.yaml." in note
    assert f"rule {house.model}* → alias:champion: expire_after: 12h, was 3d" in note


def test_the_channels_of_the_new_policy_hear_of_it(house: House) -> None:
    activate(house, usual(house).replace("#model-approvals", "#compliance"))

    assert told(house, CHANGED) == []
    assert "notify: #compliance, was #model-approvals" in told(house, CHANGED, "compliance")[0]


def test_other_comments_are_another_text_but_no_news(house: House) -> None:
    activate(house, f"# reviewed by the risk board\n{usual(house)}")

    assert [entry["changes"] for entry in house.entries(PolicyActivated)] == [[], []]
    assert told(house, CHANGED) == []


def test_the_same_text_again_changes_nothing(house: House) -> None:
    again = activate_policy(usual(house), "policy.yaml", house.s)

    assert again is None
    assert len(house.entries(PolicyActivated)) == 1


def test_somebody_who_was_only_an_address_gets_a_name_with_the_first_click(house: House) -> None:
    text = usual(house).replace("  - {name: Cy Lindqvist, email: cy@example.com}\n", "")
    activate(house, text.replace("{slack_group: ml-leads}", "{people: [cy@example.com]}"))
    request = house.asked()

    house.approve(request, "cy")

    assert "Cy Lindqvist" in house.card(request).all_text
    assert "cy@example.com" not in house.card(request).all_text


# Broken ones


def test_a_broken_policy_leaves_the_one_before_in_force_and_is_announced(house: House) -> None:
    before = house.s.store.policy()

    with pytest.raises(PolicyMistakes, match=r"team/policy\.yaml line"):
        activate_policy(impossible(house), "team/policy.yaml", house.s)
    house.settle()

    assert house.s.store.policy() == before
    (note,) = told(house, BROKEN)
    assert "from team/policy.yaml. The one before stays in force." in note
    assert "defaults" in note
    assert "Ana Ruiz" in note
    assert "@example.com" not in json.dumps(house.entries(PolicyRefused))


def test_a_broken_policy_is_announced_once_however_often_somebody_tries(house: House) -> None:
    for _ in range(3):
        with pytest.raises(PolicyMistakes):
            activate_policy(impossible(house), "policy.yaml", house.s)
        house.settle()

    assert len(house.entries(PolicyRefused)) == 1
    assert len(told(house, BROKEN)) == 1


def test_another_broken_policy_is_announced_as_well(house: House) -> None:
    for text in (impossible(house), "version: 2\n"):
        with pytest.raises(PolicyMistakes):
            activate_policy(text, "policy.yaml", house.s)
    house.settle()

    assert len(told(house, BROKEN)) == 2


def test_a_policy_with_mistakes_without_end_is_announced_in_a_few_lines(house: House) -> None:
    with pytest.raises(PolicyMistakes):
        activate_policy("\n".join(f"key{number}: 1" for number in range(500)), "policy.yaml", house.s)
    house.settle()

    (entry,) = house.entries(PolicyRefused)
    assert len(entry["mistakes"]) == 31
    assert len(told(house, BROKEN)) == 1
    assert house.unfinished() == []


def test_a_mended_policy_comes_into_force_after_a_broken_one(house: House) -> None:
    with pytest.raises(PolicyMistakes):
        activate_policy(impossible(house), "policy.yaml", house.s)

    activate(house, usual(house).replace("expire_after: 3d", "expire_after: 5d"))

    assert house.s.store.policy().rules[0].expire_after == timedelta(days=5)
    assert len(told(house, CHANGED)) == 1


# What waits is looked at again


def frozen(house: House, until: datetime) -> str:
    """A policy whose freeze has begun yesterday."""
    begun = house.clock.now() - timedelta(days=1)
    deny = f'[{{from: "{begun:%Y-%m-%d %H:%M}", until: "{until:%Y-%m-%d %H:%M}"}}]'
    text = usual(house).replace("    expire_after: 3d", "    expire_after: 3d\n    freezes: [release]")
    return f"{text}freezes:\n  release: {{timezone: UTC, deny: {deny}}}\n"


def test_an_approval_that_a_freeze_held_is_applied_when_the_freeze_is_cut_short(house: House) -> None:
    activate(house, frozen(house, house.clock.now() + timedelta(days=2)))
    request = house.asked()
    house.approve(request)
    held = house.reread(request).state, house.champion()

    activate(house, frozen(house, house.clock.now() - timedelta(hours=1)))

    assert held == (State.APPROVED, None)
    assert len(house.entries(ApprovalHeld)) == 1
    assert house.reread(request).state is State.APPLIED
    assert house.champion() == request.version.version


# The command line


@pytest.fixture
def run(house: House, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """`countersign policy activate` with this text as its file."""
    file = tmp_path / "policy.yaml"
    environment = {**os.environ, "DATABASE_URL": house.settings.database_url.get_secret_value()}

    def activated(text: str) -> subprocess.CompletedProcess[str]:
        file.write_text(text)
        command = [*COUNTERSIGN, "policy", "activate", str(file)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return activated


def test_the_command_refuses_a_broken_file_and_the_channel_hears_of_it(
    house: House, run: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    done = run(impossible(house))
    house.settle()

    assert done.returncode == 2
    assert "policy.yaml line" in done.stderr
    assert len(told(house, BROKEN)) == 1


def test_the_command_puts_a_file_in_force_and_the_channel_hears_of_it(
    house: House, run: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    done = run(usual(house).replace("expire_after: 3d", "expire_after: 5d"))
    house.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("policy.yaml is now in force.\n")
    assert len(told(house, CHANGED)) == 1
