"""Another place than the default one: which workspace a request names, whose credentials it carries, and which it never does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from werkzeug import Response

from bot.clients.mlflow.access import Access, Credentials
from bot.clients.mlflow.registries import MlflowRegistries, Secrets
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.workspaces import Registry, Workspace
from bot.errors import Permanent, Rejected
from bot.sandbox.serving import serving

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
EU = Registry("eu", ("default", "team-a"), "https://eu.example.com/ml")
OF_THE_DEFAULT_SERVER = {
    "Authorization": "Bearer of-the-default-server",
    "X-Amz-Security-Token": "of-the-default-server",
    "Cookie": "of-the-default-server",
    "X-MLFLOW-WORKSPACE": "of-the-process",
}


def sent(
    access: Access, server: str = "https://eu.example.com/ml", path: str = "/api/2.0/mlflow/runs/get"
) -> requests.PreparedRequest:
    request = requests.Request(
        "GET", access.address(server) + path, headers={**OF_THE_DEFAULT_SERVER, "Accept": "*/*"}
    ).prepare()
    access.admit(request)
    return request


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials(), None),
        (Credentials(token="of-eu"), "Bearer of-eu"),
        (Credentials("bot", "secret"), "Basic Ym90OnNlY3JldA=="),
        (Credentials("bot", "secret", "of-eu"), "Basic Ym90OnNlY3JldA=="),
    ],
)
@pytest.mark.parametrize("name", ["default", "team-a"])
def test_a_named_registry_never_sees_what_belongs_to_the_default_one(
    credentials: Credentials, header: str | None, name: str
) -> None:
    request = sent(Access(Workspace("eu", name), credentials))

    assert request.url == "https://eu.example.com/ml/api/2.0/mlflow/runs/get"
    assert request.headers.get("Authorization") == header
    assert not {"X-Amz-Security-Token", "Cookie"} & set(request.headers)
    assert request.headers.get("X-MLFLOW-WORKSPACE") == (None if name == "default" else name)
    assert request.headers["Accept"] == "*/*"


def test_another_workspace_of_the_default_server_is_asked_with_its_own_credentials() -> None:
    request = sent(Access(Workspace("default", "team-a")))

    assert request.headers["Authorization"] == "Bearer of-the-default-server"
    assert request.headers["X-MLFLOW-WORKSPACE"] == "team-a"


def test_credentials_are_not_printed() -> None:
    assert "canary" not in repr(Access(Workspace("eu", "default"), Credentials("bot", "canary", "canary")))


def test_a_server_without_workspaces_is_not_taken_for_one_of_its_workspaces(mlflow_server: str) -> None:
    there = MlflowRegistry(mlflow_server, webhook_secrets=[], workspace="default/team-a")

    for ask in (
        lambda: there.find_model("default/team-a", "bike"),
        lambda: list(there.list_models()),
        lambda: there.delete_alias("b", "c"),
    ):
        with pytest.raises(Permanent, match='server of "default/team-a" has no workspaces'):
            ask()


def test_each_place_is_read_through_its_own_client_and_no_other_place_is() -> None:
    registries = MlflowRegistries("https://mlflow.example.com", webhook_secrets=["s"], named=lambda: [EU])

    here, there = registries.at("default"), registries.at("eu/team-a")

    assert there is registries.at("eu/team-a")
    assert here is not there
    for client, place in ((here, "eu/team-a"), (there, "default"), (there, "eu/default")):
        with pytest.raises(Permanent, match="is not watched"):
            client.find_model(place, "bike")


@pytest.mark.parametrize("place", ["eu/team-b", "us/default", "default/team-a", "eu/Team", "eu/../default"])
def test_a_place_that_the_policy_does_not_name_is_not_reached(place: str) -> None:
    registries = MlflowRegistries("https://mlflow.example.com", webhook_secrets=["s"], named=lambda: [EU])

    with pytest.raises(Permanent, match=r"is not watched|is not a workspace"):
        registries.at(place)


@pytest.mark.parametrize(
    "uri", ["https://mlflow.example.com", "https://MLFLOW.example.com:443/", "https://public.example.com"]
)
def test_the_default_server_under_another_name_is_refused(uri: str) -> None:
    registries = MlflowRegistries(
        "https://mlflow.example.com",
        webhook_secrets=["s"],
        named=lambda: [Registry("eu", uri=uri)],
        public_url="https://public.example.com",
    )

    with pytest.raises(Permanent, match="is the server of MLFLOW_TRACKING_URI"):
        registries.at("eu/default")


@pytest.mark.parametrize("registry", ["us", "eu", "default"])
def test_a_webhook_without_a_secret_for_its_registry_is_refused(registry: str) -> None:
    registries = MlflowRegistries(
        "https://mlflow.example.com", webhook_secrets=[], named=lambda: [EU], secrets={"eu": Secrets()}
    )

    with pytest.raises(Rejected, match="MLFLOW_WEBHOOK_SECRET") as refused:
        registries.read_webhook(registry, {}, b"{}", MOMENT)
    assert refused.value.reason == "no_secret"


@pytest.mark.parametrize(
    ("workspace", "status", "advice"),
    [
        (
            "eu/default",
            401,
            "MLFLOW_TRACKING_USERNAME_EU and MLFLOW_TRACKING_PASSWORD_EU, or MLFLOW_TRACKING_TOKEN_EU.",
        ),
        ("eu-west/default", 401, "MLFLOW_TRACKING_USERNAME_EU_WEST and MLFLOW_TRACKING_PASSWORD_EU_WEST, or"),
        ("eu/default", 404, 'check `uri` of the registry "eu" in the policy'),
        ("eu/default", 308, 'Set `uri` of the registry "eu" in the policy to the address that it redirects to'),
        ("default", 401, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."),
        ("default", 404, "check MLFLOW_TRACKING_URI."),
    ],
)
def test_the_advice_about_a_refusal_names_the_variables_of_that_registry(
    workspace: str, status: int, advice: str
) -> None:
    is_named = workspace != "default"
    with serving(Response("{}", status=status)) as url:
        other = MlflowRegistry(url, webhook_secrets=[], workspace="default" if is_named else "us/default")
        asked = MlflowRegistry(
            url, webhook_secrets=[], workspace=workspace, credentials=Credentials() if is_named else None
        )
        with pytest.raises(Permanent):
            other.find_version("default", "bike", 1)

        with pytest.raises(Permanent) as refused:
            list(asked.versions_newest_first())

    assert advice in str(refused.value)
