"""The list for the guard of an MLflow server: what the worker signs, and the whole way with a guarded server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import requests
from countersign_guard.governed import Governed, read_governed
from countersign_guard.keeping import read_keys, verified

from bot.domain.attestation.in_toto import CLOCKS_DIFFER
from bot.domain.model import State
from bot.signatures import payload_of
from tests.fixtures.installation import API_TOKEN, Installation, running_installation
from tests.guard.guarded_server import Guarded, guarded_mlflow, standing_in, wait_until


def ask(installation: Installation, registry: str = "default", token: str = API_TOKEN) -> requests.Response:
    address = f"{installation.url}/guard/governed"
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(address, params={"registry": registry}, headers=headers, timeout=30)


def the_list(installation: Installation) -> Governed:
    ask(installation)
    installation.settle()
    answer = ask(installation)
    assert answer.status_code == 200, answer.text
    return read_governed(verified(answer.text, read_keys(installation.s.signer.key.pem)))


def numbers(installation: Installation) -> set[str]:
    return {one.number for one in the_list(installation).versions_of("default", installation.model)}


def test_it_names_what_waits_what_is_approved_and_the_rules_targets(installation: Installation) -> None:
    rejected, approved, waiting = (installation.register() for _ in range(3))
    before = numbers(installation)
    installation.reject(installation.asked(rejected), reason="worse")
    installation.approve(installation.asked(approved))
    installation.asked(waiting)

    found = the_list(installation)

    assert before == set()
    assert numbers(installation) == {str(approved), str(waiting)}
    assert [rule.name for rule in found.targets_of("default", installation.model)] == ["champion"]
    assert installation.run_of(approved) in found.by_id


def test_it_is_made_again_only_when_something_has_changed(installation: Installation) -> None:
    the_list(installation)  # the worker's key becomes known by it, which is a change
    first = the_list(installation)
    same = the_list(installation)
    installation.asked()

    assert first.issued == same.issued
    assert the_list(installation).issued >= first.issued
    assert numbers(installation) == {"1"}


def test_what_changes_nothing_in_it_brings_no_new_signature(installation: Installation) -> None:
    request = installation.asked()
    before = the_list(installation)
    installation.approve(request)

    after = the_list(installation)

    assert installation.requests(State.APPLIED)
    assert (after.issued, after.versions) == (before.issued, before.versions)
    assert "Retry-After" not in ask(installation).headers


@pytest.mark.parametrize("back", [timedelta(minutes=3), timedelta(days=1)], ids=["a little", "a day"])
def test_after_the_clock_was_set_back_a_change_is_signed_as_one_that_a_guard_takes(
    installation: Installation, back: timedelta
) -> None:
    before = the_list(installation)
    installation.clock.ahead -= back
    installation.asked()

    after = the_list(installation)

    assert [one.model for one in after.versions if one.model == installation.model] == [installation.model]
    assert (after.issued > before.issued) == (back < CLOCKS_DIFFER)
    assert after.issued <= installation.clock.now() + CLOCKS_DIFFER


def test_a_list_from_before_the_clock_was_set_back_by_far_is_signed_again(installation: Installation) -> None:
    the_list(installation)  # the worker's key becomes known by it, which is a change
    first = the_list(installation)
    installation.clock.ahead -= timedelta(days=1)

    again = the_list(installation)

    assert again.issued < first.issued


def test_the_guard_is_told_when_a_newer_one_is_being_made(installation: Installation) -> None:
    the_list(installation)
    installation.asked()

    assert ask(installation).headers["Retry-After"] == "2"


def test_it_names_a_model_as_it_is_called_now(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    for _ in range(2):
        installation.sweep()

    found = the_list(installation)

    assert [one.number for one in found.versions_of("default", renamed)] == [str(request.version.version)]
    assert not found.versions_of("default", installation.model)


def test_it_names_what_had_its_target_before_that_was_watched(installation: Installation) -> None:
    there_before = f"{installation.model}-before"
    version = installation.register(model=there_before)
    installation.mlflow.set_registered_model_alias(there_before, "champion", str(version))
    installation.sweep()

    (found,) = the_list(installation).versions_of("default", there_before)

    seen = installation.mlflow.get_model_version(there_before, str(version))
    assert (found.number, found.run, found.logged_model or found.source) == (
        str(version),
        seen.run_id,
        seen.source.removeprefix("models:/"),
    )


@pytest.mark.parametrize(("registry", "token", "status"), [("default", "wrong", 401), ("elsewhere", API_TOKEN, 404)])
def test_it_is_for_those_with_the_token_and_for_watched_registries(
    installation: Installation, registry: str, token: str, status: int
) -> None:
    answer = ask(installation, registry, token)

    assert answer.status_code == status


def test_before_the_first_one_the_guard_is_asked_to_come_again(installation: Installation) -> None:
    assert ask(installation).status_code == 503


@pytest.mark.proof
def test_with_a_guarded_server_a_hand_move_is_refused_and_an_approval_moves_the_alias(
    database_url: str, model_name: str, tmp_path: Path
) -> None:
    with (
        standing_in() as bot,
        guarded_mlflow(bot, tmp_path) as server,
        running_installation(database_url, server.url, server.url, model_name, tmp_path, {}) as installation,
    ):
        installation.sweep()  # what the first one finds in a registry is its baseline, and asks for nothing
        version = installation.register()
        ask(installation)
        installation.settle()
        bot.answer = bot.sign(payload_of(ask(installation).text))
        wait_until(lambda: "governed by Countersign" in refusal_of(server, model_name, version))
        refused = refusal_of(server, model_name, version)

        installation.approve(installation.asked(version))

        assert "governed by Countersign" in refused
        assert installation.requests(State.APPLIED)
        assert installation.champion() == version


def refusal_of(server: Guarded, model: str, version: int) -> str:
    """Until it has a list, it refuses with another sentence. Not by MLflow's client, which shows the bot's secret in this process."""
    move = {"name": model, "alias": "champion", "version": str(version)}
    answer = server.call("POST", "/api/2.0/mlflow/registered-models/alias", move)
    assert answer.status_code == 403, answer.text
    return str(answer.json()["message"])
