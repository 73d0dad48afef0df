"""What has happened to a model's targets, as `countersign history` tells it from the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from bot.domain.model import Target, TransitionRequest
from handlers.policy.activation import activate_policy
from handlers.queries.history import history_of
from tests.fixtures.installation import House, policy_text

COUNTERSIGN = Path(sys.executable).with_name("countersign")
CHAMPION = Target.parse("alias:champion")
DRIFT = "predictions drifted"


def told(house: House, model: str = "", target: Target | None = None) -> list[tuple[str, int | None, str, str]]:
    """What, which version, by whom and why, oldest first."""
    happened = history_of(model or house.model, target, house.s)
    return [(one.what, one.version.version if one.version else None, one.who, one.why) for one in happened]


def approve_with_reason(house: House, request: TransitionRequest, reason: str) -> None:
    house.click("ana", request, "approve")
    house.slack.submit_view("ana", {"reason": reason})
    house.settle()


def command_line(house: House, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COUNTERSIGN), "history", *words],
        env={**os.environ, "DATABASE_URL": house.settings.database_url.get_secret_value()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_history_tells_what_was_asked_decided_moved_and_rolled_back(house: House) -> None:
    house.use_policy(reason="on_approve")
    approve_with_reason(house, house.asked(), "good enough to begin with")
    second = house.asked()
    approve_with_reason(house, second, "better by far")
    house.click("ben", second, "roll_back")
    house.slack.submit_view("ben", {"reason": DRIFT})
    house.settle()

    assert told(house) == [
        ("asked", 1, "", "by alias candidate"),
        ("approved", 1, "Ana Ruiz", "good enough to begin with"),
        ("moved", 1, "", "nobody held it before"),
        ("asked", 2, "", "by alias candidate"),
        ("approved", 2, "Ana Ruiz", "better by far"),
        ("moved", 2, "", f"{house.model} v1 held it before"),
        ("asked to go back", 1, "Ben Okafor", f"away from {house.model} v2: {DRIFT}"),
        ("approved to go back", 1, "the rule", "it was approved for this target before"),
        ("rolled back", 1, "", f"away from {house.model} v2: {DRIFT}"),
    ]


def test_a_history_tells_of_moves_that_nobody_asked_for(house: House) -> None:
    house.approve(house.asked())
    house.register()
    house.move(2)
    house.reject(house.request(2), "Nobody looked at it.")
    house.mlflow.delete_registered_model_alias(house.model, "champion")
    house.sweep()

    assert told(house)[3:] == [
        ("moved by hand", 2, "", f"{house.model} v1 held it before"),
        ("asked to ratify", 2, "", "moved without asking"),
        ("rejected", 2, "Ana Ruiz", "Nobody looked at it."),
        ("put back", 1, "", f"away from {house.model} v2"),
        ("taken away by hand", None, "", f"{house.model} v1 held it before"),
    ]


def test_a_history_tells_how_requests_ended_that_nobody_decided(house: House) -> None:
    house.asked()
    house.asked()
    house.clock.ahead = timedelta(days=4)
    house.sweep("expire_requests")

    endings = [line for line in told(house) if line[0] in ("superseded", "expired")]

    assert [(what, version) for what, version, _, _ in endings] == [("superseded", 1), ("expired", 2)]
    assert f"{house.model} v2 asks for alias:champion too" in endings[0][3]
    assert "nobody decided in time" in endings[1][3]


def test_a_history_tells_what_an_approval_waited_for(house: House) -> None:
    ends = f"{house.clock.now() + timedelta(days=9):%Y-%m-%d} 09:00"
    freeze = f'\nfreezes:\n  year-end: {{timezone: UTC, deny: [{{from: "2020-01-01 00:00", until: "{ends}"}}]}}\n'
    activate_policy(policy_text(f"{house.model}*", extra="freezes: [year-end]") + freeze, "test", house.s)

    house.approve(house.asked())

    assert told(house)[-1] == ("held by a freeze", 1, "", f"year-end, until {ends} UTC")


def test_a_history_can_be_of_one_target_alone(house: House) -> None:
    house.approve(house.asked())
    house.mlflow.set_registered_model_alias(house.model, "shadow", "1")
    house.sweep()

    everything, champion = told(house), told(house, target=CHAMPION)

    assert everything[-1][0] == "moved by hand"
    assert champion == everything[:-1]


def test_a_renamed_model_keeps_its_history(house: House) -> None:
    house.approve(house.asked())
    before = told(house)

    house.mlflow.rename_registered_model(house.model, f"{house.model}-anew")
    house.sweep()

    assert told(house, f"{house.model}-anew") == before
    assert told(house, "another-model") == []


def test_a_target_model_has_the_copies_in_its_history(house: House) -> None:
    house.use_policy(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    house.ask(house.register())
    house.sweep()
    house.approve(house.request(1, f"model:prod.{house.model}"))

    assert [what for what, *_ in told(house, f"prod.{house.model}")] == ["asked", "approved", "moved"]


def test_the_command_prints_a_table_the_newest_last(house: House) -> None:
    house.approve(house.asked())
    ticket = house.request(1).ticket
    assert ticket is not None

    done = command_line(house, house.model, "--limit", "2")

    head, approved, moved = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert head.split() == ["time", "what", "version", "target", "who", "ticket", "why"]
    assert "approved" in approved
    assert "Ana Ruiz" in approved
    assert ticket.key in approved
    assert moved.endswith("nobody held it before")


def test_the_command_prints_json_for_programs(house: House) -> None:
    house.approve(house.asked())

    done = command_line(house, house.model, "--to", "alias:champion", "--json")

    last = json.loads(done.stdout)[-1]
    assert (last["what"], last["version"], last["target"]) == ("moved", f"{house.model} v1", "alias:champion")
    assert last["request_id"] == house.request(1).id


def test_the_command_says_when_there_is_nothing_to_tell(house: House) -> None:
    unknown = command_line(house, "no-such-model-anywhere")
    senseless = command_line(house, house.model, "--to", "champion")

    assert unknown.stdout == "Nothing has happened to no-such-model-anywhere yet, as far as Countersign knows.\n"
    assert senseless.returncode == 2
    assert '"champion" is not a target' in senseless.stderr
