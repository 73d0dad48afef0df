"""No name, tag or alias stops a sweep: everybody who may write to the registry chooses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from bot.domain.events import ModelUnreadable, MoveObserved
from bot.domain.model import State
from bot.domain.registry.snapshot import ModelSnapshot
from bot.engine.rows import JobStatus
from handlers.ledger.audit import audit
from tests.e2e.registry.test_webhook import signed
from tests.fixtures.installation import CHANNEL, Installation

pytestmark = pytest.mark.proof

NUL = "a\0b"
WATCHED = {
    "a line break": "\n*Approved by Ana*",
    "brackets and a line break": ")=(\n",
    "a turned direction": "\u202e",
    "250 letters": "é" * 220,
    "quotes": "'\"%_`",
}


@pytest.fixture(autouse=True)
def tidy(mlflow_server: str, model_name: str) -> Iterator[None]:
    """Every model that a test has made goes with it; the usual search by name does not find the odd ones."""
    yield
    client = MlflowClient(mlflow_server)
    for model in client.search_registered_models():
        if model.name.startswith(model_name):
            client.delete_registered_model(model.name)


def parked(installation: Installation) -> list[tuple[str, str]]:
    return [(job.name, job.errors[-1].error) for job in installation.s.store.jobs.listing(JobStatus.PARKED)]


def said(installation: Installation) -> str:
    return "\n".join(message.all_text for message in installation.slack.messages(CHANNEL))


def evil_model(installation: Installation, name: str) -> str:
    """A registered model with one version."""
    installation.mlflow.create_registered_model(name)
    run = installation.mlflow.create_run("0", tags={"mlflow.user": "bea"})
    installation.mlflow.set_terminated(run.info.run_id)
    installation.mlflow.create_model_version(
        name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0
    )
    return name


@pytest.mark.parametrize("odd", list(WATCHED.values()), ids=list(WATCHED))
def test_a_registered_model_of_an_odd_name_is_watched_like_any_other(installation: Installation, odd: str) -> None:
    installation.promoted()
    name = evil_model(installation, f"{installation.model}{odd}")
    installation.sweep()
    installation.mlflow.set_registered_model_alias(name, "champion", "1")
    for _ in range(3):
        installation.sweep()

    assert [entry["model"] for entry in installation.entries(MoveObserved)] == [name]
    assert parked(installation) == []
    assert "\n*Approved by Ana*" not in said(installation)


@pytest.mark.parametrize("odd", [NUL, "x" * 300], ids=["NUL", "300 letters"])
def test_a_name_that_cannot_be_stored_is_told_once_and_the_others_are_watched(
    installation: Installation, odd: str
) -> None:
    installation.promoted()
    evil_model(installation, f"{installation.model}{odd}")
    installation.register()
    for _ in range(3):
        installation.sweep()
    installation.move(2)

    assert len(installation.entries(ModelUnreadable)) == 1
    assert [entry["model"] for entry in installation.entries(MoveObserved)] == [installation.model]
    assert parked(installation) == []
    assert "cannot look at the registered model" in said(installation)


def test_a_baseline_is_taken_beside_a_name_that_cannot_be_stored(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    evil_model(installation, f"{installation.model}{NUL}")
    installation.register()
    installation.ask(1, "champion")

    installation.sweep()

    with installation.s.store.transaction() as tx:
        held = [one for one in tx.registry.placements() if one.version.model == installation.model]
    assert (len(held), parked(installation)) == (1, [])


@pytest.mark.parametrize("odd", [NUL, "a\nb"], ids=["NUL", "a line break"])
@pytest.mark.parametrize("where", ["version tag", "description", "param", "user"])
def test_odd_text_on_a_version_leaves_everything_working(installation: Installation, where: str, odd: str) -> None:
    installation.register()
    client, run = installation.mlflow, installation.run_of(1)
    writes: dict[str, Callable[[], object]] = {
        "version tag": lambda: client.set_model_version_tag(installation.model, "1", "countersign.ask", odd),
        "description": lambda: client.update_model_version(installation.model, "1", odd),
        "param": lambda: client.log_param(run, "p", odd),
        "user": lambda: client.set_tag(run, "mlflow.user", odd),
    }
    writes[where]()

    request = installation.promoted(1)
    if where == "user":  # an author whom the policy does not know costs one vote more
        installation.approve(request, "ben")
    installation.sweep()

    assert (installation.reread(request).state, installation.champion(), parked(installation)) == (State.APPLIED, 1, [])
    assert audit(installation.s.store.engine).requests == 1
    requests.get(f"{installation.status_url}/metrics", timeout=10).raise_for_status()
    requests.get(f"{installation.status_url}/readyz", timeout=10).raise_for_status()


def test_two_signed_webhooks_about_a_model_whose_name_holds_a_line_break_are_both_taken(
    installation: Installation,
) -> None:
    answers = []
    for delivery in ("one", "two"):
        event = {
            "entity": "model_version_alias",
            "action": "created",
            "data": {"name": f"{installation.model}\n2", "alias": "champion", "version": "1"},
        }
        body = json.dumps(event).encode()
        headers = signed(body, delivery=delivery)
        answers.append(
            requests.post(f"{installation.url}/webhooks/mlflow", data=body, headers=headers, timeout=10).status_code
        )

    assert answers == [202, 202]


class Prolific:
    """The real registry, in which a thousand versions more have just been registered."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def find_model(self, workspace: str, name: str) -> ModelSnapshot | None:
        seen: ModelSnapshot | None = self._registry.find_model(workspace, name)
        if seen is None:
            return None
        first = seen.versions[-1]
        more = [replace(first, id=replace(first.id, version=number)) for number in range(1001, 1, -1)]
        return replace(seen, versions=(*more, first))


def test_a_thousand_new_versions_in_one_poll_leave_one_request_for_the_newest(installation: Installation) -> None:
    installation.use_policy(ask_on="[{new_version: true}]")
    installation.register()
    installation.s = replace(installation.s, registry=Prolific(installation.s.registry))  # type: ignore[arg-type]

    installation.sweep()

    (left,) = installation.requests(State.COLLECTING, State.PENDING)
    assert left.version.version == 1001
    assert parked(installation) == []
