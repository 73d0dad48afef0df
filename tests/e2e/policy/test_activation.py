"""A new policy comes into force: recorded with its difference, announced with names; a broken one changes nothing and is announced too."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.events import ApprovalHeld, PolicyActivated, PolicyRefused
from bot.domain.model import State
from config.policy import PolicyMistakes
from handlers.policy.activation import activate_policy
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import CHANNEL, Installation, policy_text

CHANGED = "The policy has changed"
BROKEN = "A broken policy was refused"


def activate(installation: Installation, text: str, source: str = "policy.yaml") -> None:
    activate_policy(text, source, installation.s)
    installation.settle()


def told(installation: Installation, title: str, channel: str = CHANNEL) -> list[str]:
    return [message.all_text for message in installation.slack.messages(channel) if title in message.all_text]


def usual(installation: Installation) -> str:
    return policy_text(f"{installation.model}*")


def impossible(installation: Installation) -> str:
    """A group with fewer people than its quorum, and a key that is one letter off."""
    text = usual(installation).replace("{slack_group: ml-leads}", "{people: [ana@example.com]}")
    return text.replace("quorum: 1", "quorum: 2").replace("default: report", "defaults: report")


def test_the_first_policy_is_recorded_and_not_announced(installation: Installation) -> None:
    assert [entry["changes"] for entry in installation.entries(PolicyActivated)] == [[]]
    assert told(installation, CHANGED) == []


def test_a_change_is_announced_with_names_and_recorded_with_ids(installation: Installation) -> None:
    listed = usual(installation).replace("{slack_group: ml-leads}", "{people: [ana@example.com, cy@example.com]}")
    activate(installation, listed)

    activate(installation, listed.replace("ana@example.com, cy@example.com", "ana@example.com, ben@example.com"))

    with installation.s.store.transaction() as tx:
        cy, ben = (tx.people.get_or_add(f"{name}@example.com", name).id for name in ("cy", "ben"))
    assert installation.entries(PolicyActivated)[-1]["changes"] == [
        f"group ml-leads: person:{ben} was added",
        f"group ml-leads: person:{cy} was removed",
    ]
    assert "group ml-leads: Ben Okafor was added" in told(installation, CHANGED)[-1]
    assert "group ml-leads: Cy Lindqvist was removed" in told(installation, CHANGED)[-1]
    assert "@example.com" not in json.dumps(installation.entries(PolicyActivated))


def test_a_rule_that_changes_is_announced_in_the_yaml_s_words(installation: Installation) -> None:
    activate(installation, usual(installation).replace("expire_after: 3d", "expire_after: 12h"))

    (note,) = told(installation, CHANGED)
    assert "A new policy is in force, 1 change, from policy.yaml." in note
    assert f"rule {installation.model}* → alias:champion: expire_after: 12h, was 3d" in note


def test_the_channels_of_the_new_policy_hear_of_it(installation: Installation) -> None:
    activate(installation, usual(installation).replace("#model-approvals", "#compliance"))

    assert told(installation, CHANGED) == []
    assert "notify: #compliance, was #model-approvals" in told(installation, CHANGED, "compliance")[0]


def test_other_comments_are_another_text_but_no_news(installation: Installation) -> None:
    activate(installation, f"# reviewed by the risk board\n{usual(installation)}")

    assert [entry["changes"] for entry in installation.entries(PolicyActivated)] == [[], []]
    assert told(installation, CHANGED) == []


def test_the_same_text_again_changes_nothing(installation: Installation) -> None:
    again = activate_policy(usual(installation), "policy.yaml", installation.s)

    assert again is None
    assert len(installation.entries(PolicyActivated)) == 1


def test_somebody_who_was_only_an_address_gets_a_name_with_the_first_click(installation: Installation) -> None:
    text = usual(installation).replace("  - {name: Cy Lindqvist, email: cy@example.com}\n", "")
    activate(installation, text.replace("{slack_group: ml-leads}", "{people: [cy@example.com]}"))
    request = installation.asked()

    installation.approve(request, "cy")

    assert "Cy Lindqvist" in installation.card(request).all_text
    assert "cy@example.com" not in installation.card(request).all_text


# Broken ones


def test_a_broken_policy_leaves_the_one_before_in_force_and_is_announced(installation: Installation) -> None:
    before = installation.s.store.policy()

    with pytest.raises(PolicyMistakes, match=r"team/policy\.yaml line"):
        activate_policy(impossible(installation), "team/policy.yaml", installation.s)
    installation.settle()

    assert installation.s.store.policy() == before
    (note,) = told(installation, BROKEN)
    assert "from team/policy.yaml. The one before stays in force." in note
    assert "defaults" in note
    assert "Ana Ruiz" in note
    assert "@example.com" not in json.dumps(installation.entries(PolicyRefused))


def test_a_broken_policy_is_announced_once_however_often_somebody_tries(installation: Installation) -> None:
    for _ in range(3):
        with pytest.raises(PolicyMistakes):
            activate_policy(impossible(installation), "policy.yaml", installation.s)
        installation.settle()

    assert len(installation.entries(PolicyRefused)) == 1
    assert len(told(installation, BROKEN)) == 1


def test_another_broken_policy_is_announced_as_well(installation: Installation) -> None:
    for text in (impossible(installation), "version: 2\n"):
        with pytest.raises(PolicyMistakes):
            activate_policy(text, "policy.yaml", installation.s)
    installation.settle()

    assert len(told(installation, BROKEN)) == 2


def test_a_policy_with_mistakes_without_end_is_announced_in_a_few_lines(installation: Installation) -> None:
    with pytest.raises(PolicyMistakes):
        activate_policy("\n".join(f"key{number}: 1" for number in range(500)), "policy.yaml", installation.s)
    installation.settle()

    (entry,) = installation.entries(PolicyRefused)
    assert len(entry["mistakes"]) == 31
    assert len(told(installation, BROKEN)) == 1
    assert installation.unfinished() == []


def test_a_mended_policy_comes_into_force_after_a_broken_one(installation: Installation) -> None:
    with pytest.raises(PolicyMistakes):
        activate_policy(impossible(installation), "policy.yaml", installation.s)

    activate(installation, usual(installation).replace("expire_after: 3d", "expire_after: 5d"))

    assert installation.s.store.policy().rules[0].expire_after == timedelta(days=5)
    assert len(told(installation, CHANGED)) == 1


# What waits is looked at again


def frozen(installation: Installation, until: datetime) -> str:
    """A policy whose freeze has begun yesterday."""
    begun = installation.clock.now() - timedelta(days=1)
    deny = f'[{{from: "{begun:%Y-%m-%d %H:%M}", until: "{until:%Y-%m-%d %H:%M}"}}]'
    text = usual(installation).replace("    expire_after: 3d", "    expire_after: 3d\n    freezes: [release]")
    return f"{text}freezes:\n  release: {{timezone: UTC, deny: {deny}}}\n"


def test_an_approval_that_a_freeze_held_is_applied_when_the_freeze_is_cut_short(installation: Installation) -> None:
    activate(installation, frozen(installation, installation.clock.now() + timedelta(days=2)))
    request = installation.asked()
    installation.approve(request)
    held = installation.reread(request).state, installation.champion()

    activate(installation, frozen(installation, installation.clock.now() - timedelta(hours=1)))

    assert held == (State.APPROVED, None)
    assert len(installation.entries(ApprovalHeld)) == 1
    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == request.version.version


# The command line


@pytest.fixture
def run(installation: Installation, tmp_path: Path) -> Callable[[str], Finished]:
    """`countersign policy activate` with this text as its file."""
    file = tmp_path / "policy.yaml"
    database = installation.settings.database_url.get_secret_value()

    def activated(text: str) -> Finished:
        file.write_text(text)
        return countersign("policy", "activate", str(file), DATABASE_URL=database)

    return activated


def test_the_command_refuses_a_broken_file_and_the_channel_hears_of_it(
    installation: Installation, run: Callable[[str], Finished]
) -> None:
    done = run(impossible(installation))
    installation.settle()

    assert done.returncode == 2
    assert "policy.yaml line" in done.stderr
    assert len(told(installation, BROKEN)) == 1


def test_the_command_puts_a_file_in_force_and_the_channel_hears_of_it(
    installation: Installation, run: Callable[[str], Finished]
) -> None:
    done = run(usual(installation).replace("expire_after: 3d", "expire_after: 5d"))
    installation.settle()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("policy.yaml is now in force.\n")
    assert len(told(installation, CHANGED)) == 1
