"""The list for the guard of an MLflow server: what the worker signs, and the whole way with a guarded server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests
from countersign_guard.governed import Governed, read_governed
from countersign_guard.keeping import read_keys, verified
from mlflow import MlflowClient, MlflowException

from bot.domain.model import State
from bot.signatures import payload_of
from tests.fixtures.installation import API_TOKEN, Installation, running_installation
from tests.guard.guarded_server import guarded_mlflow, standing_in

PATIENCE = 60.0  # seconds; the guard asks for its list every few


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
        version = installation.register()
        ask(installation)
        installation.settle()
        bot.answer = bot.sign(payload_of(ask(installation).text))
        refused = once_refused(server.client, model_name, version)

        installation.approve(installation.asked(version))

        assert "governed by Countersign" in refused
        assert installation.requests(State.APPLIED)
        assert installation.champion() == version


def once_refused(client: MlflowClient, model: str, version: int) -> str:
    """Moves and takes back until the guard has the list; the refusal."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            client.set_registered_model_alias(model, "champion", str(version))
            client.delete_registered_model_alias(model, "champion")
        except MlflowException as refusal:
            return str(refusal)
    raise AssertionError(f"{model} was moved for {PATIENCE:.0f} seconds and never refused")
