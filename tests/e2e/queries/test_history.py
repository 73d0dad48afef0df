"""What has happened to a model's targets, as `countersign history` prints it from the ledger."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bot.domain.model import Target, TransitionRequest
from handlers.policy.activation import activate_policy
from handlers.queries.history import history_of
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation, policy_text

CHAMPION = Target.parse("alias:champion")
DRIFT = "predictions drifted"


def told(
    installation: Installation, model: str = "", target: Target | None = None
) -> list[tuple[str, int | None, str, str]]:
    """What, which version, by whom and why, oldest first."""
    happened = history_of(model or installation.model, target, installation.s)
    return [(one.what, one.version.version if one.version else None, one.who, one.why) for one in happened]


def approve_with_reason(installation: Installation, request: TransitionRequest, reason: str) -> None:
    installation.click("ana", request, "approve")
    installation.slack.submit_view("ana", {"reason": reason})
    installation.settle()


def command_line(installation: Installation, *words: str) -> Finished:
    return countersign("history", *words, DATABASE_URL=installation.settings.database_url.get_secret_value())


def test_a_history_tells_what_was_asked_decided_moved_and_rolled_back(installation: Installation) -> None:
    installation.use_policy(reason="on_approve")
    approve_with_reason(installation, installation.asked(), "good enough to begin with")
    second = installation.asked()
    approve_with_reason(installation, second, "better by far")
    installation.click("ben", second, "roll_back")
    installation.slack.submit_view("ben", {"reason": DRIFT})
    installation.settle()

    assert told(installation) == [
        ("asked", 1, "", "by alias candidate"),
        ("approved", 1, "Ana Ruiz", "good enough to begin with"),
        ("moved", 1, "", "nobody held it before"),
        ("asked", 2, "", "by alias candidate"),
        ("approved", 2, "Ana Ruiz", "better by far"),
        ("moved", 2, "", f"{installation.model} v1 held it before"),
        ("asked to go back", 1, "Ben Okafor", f"away from {installation.model} v2: {DRIFT}"),
        ("approved to go back", 1, "the rule", "it was approved for this target before"),
        ("rolled back", 1, "Ben Okafor", f"away from {installation.model} v2: {DRIFT}"),
    ]


@pytest.mark.proof
def test_a_history_tells_of_moves_that_nobody_asked_for(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.register()
    installation.move(2)
    installation.reject(installation.request(2), "Nobody looked at it.")
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.sweep()

    assert told(installation)[3:] == [
        ("moved by hand", 2, "", f"{installation.model} v1 held it before"),
        ("asked to ratify", 2, "", "moved without asking"),
        ("rejected", 2, "Ana Ruiz", "Nobody looked at it."),
        ("put back", 1, "", f"away from {installation.model} v2"),
        ("taken away by hand", None, "", f"{installation.model} v1 held it before"),
    ]


@pytest.mark.proof
def test_a_history_tells_how_requests_ended_that_nobody_decided(installation: Installation) -> None:
    installation.asked()
    installation.asked()
    installation.clock.ahead = timedelta(days=4)
    installation.sweep("expire_requests")

    endings = [line for line in told(installation) if line[0] in ("superseded", "expired")]

    assert [(what, version) for what, version, _, _ in endings] == [("superseded", 1), ("expired", 2)]
    assert f"{installation.model} v2 asks for alias:champion too" in endings[0][3]
    assert "nobody decided in time" in endings[1][3]


@pytest.mark.proof
def test_a_history_tells_what_an_approval_waited_for(installation: Installation) -> None:
    ends = f"{installation.clock.now() + timedelta(days=9):%Y-%m-%d} 09:00"
    freeze = f'\nfreezes:\n  year-end: {{timezone: UTC, deny: [{{from: "2020-01-01 00:00", until: "{ends}"}}]}}\n'
    activate_policy(policy_text(f"{installation.model}*", extra="freezes: [year-end]") + freeze, "test", installation.s)

    installation.approve(installation.asked())

    assert told(installation)[-1] == ("held by a freeze", 1, "", f"year-end, until {ends} UTC")


@pytest.mark.proof
def test_a_history_can_be_of_one_target_alone(installation: Installation) -> None:
    installation.approve(installation.asked())
    installation.mlflow.set_registered_model_alias(installation.model, "shadow", "1")
    installation.sweep()

    everything, champion = told(installation), told(installation, target=CHAMPION)

    assert everything[-1][0] == "moved by hand"
    assert champion == everything[:-1]


@pytest.mark.proof
def test_a_renamed_model_keeps_its_history(installation: Installation) -> None:
    installation.approve(installation.asked())
    before = told(installation)

    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-anew")
    installation.sweep()

    assert told(installation, f"{installation.model}-anew") == before
    assert told(installation, "another-model") == []


@pytest.mark.proof
def test_a_target_model_has_the_copies_in_its_history(installation: Installation) -> None:
    installation.use_policy(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.ask(installation.register())
    installation.sweep()
    installation.approve(installation.request(1, f"model:prod.{installation.model}"))

    assert [what for what, *_ in told(installation, f"prod.{installation.model}")] == ["asked", "approved", "moved"]


def test_the_command_prints_a_table_the_newest_last(installation: Installation) -> None:
    installation.approve(installation.asked())
    ticket = installation.request(1).ticket
    assert ticket is not None

    done = command_line(installation, installation.model, "--limit", "2")

    head, approved, moved = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert head.split() == ["at", "what", "version", "target", "who", "ticket", "why"]
    assert "approved" in approved
    assert "Ana Ruiz" in approved
    assert ticket.key in approved
    assert moved.endswith("nobody held it before")


def test_the_command_prints_json_for_programs(installation: Installation) -> None:
    installation.approve(installation.asked())

    done = command_line(installation, installation.model, "--to", "alias:champion", "--json")

    last = json.loads(done.stdout)[-1]
    assert (last["what"], last["version"], last["target"]) == ("moved", f"{installation.model} v1", "alias:champion")
    assert last["request_id"] == installation.request(1).id


def test_the_command_says_when_there_is_nothing_to_tell(installation: Installation) -> None:
    unknown = command_line(installation, "no-such-model-anywhere")
    senseless = command_line(installation, installation.model, "--to", "champion")

    assert (unknown.returncode, unknown.stdout) == (4, "")
    assert unknown.stderr == "Nothing has happened to no-such-model-anywhere yet, as far as Countersign knows.\n"
    assert senseless.returncode == 2
    assert '"champion" is not a target' in senseless.stderr


def test_a_mistyped_name_is_answered_with_the_nearest_one(installation: Installation) -> None:
    installation.asked()

    typed = command_line(installation, installation.model.replace("demand", "deamnd"))

    assert (typed.returncode, typed.stdout) == (4, "")
    assert typed.stderr.endswith(f"Did you mean {installation.model}?\n")
