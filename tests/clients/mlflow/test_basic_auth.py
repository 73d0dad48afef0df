"""MLflow's own basic auth, with an account that has the least rights: what each call needs, and what is said when it lacks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests
from mlflow import MlflowClient

from bot.clients.mlflow.checkup import MlflowCheckup
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import VersionId
from bot.errors import Permanent
from bot.sandbox.mlflow_server import running_mlflow
from tests.fixtures import quick_directory
from tests.fixtures.mlflow_seed import client_of, logged_version, new_run
from tests.fixtures.mlflow_server import SERVED_BY_GUNICORN
from tests.gate.approvals import gate, key_file

pytestmark = pytest.mark.proof  # a server of its own, which takes long to start

ADMIN, ADMINS_PASSWORD = "admin", secrets.token_urlsafe()
BOT, BOTS_PASSWORD = "countersign", secrets.token_urlsafe()
STORES = ("mlflow-artifacts:",)
CONFIGURATION = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{home}/accounts.db
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""


@dataclass
class Guarded:
    """A server that knows an admin and the bot, with a registered model `bike` that only the admin may see."""

    url: str
    version: VersionId

    def grant(self, permission: str) -> None:
        """On the model and on the experiment; what was granted before is gone."""
        for kind, name in (("registered_model", "bike"), ("experiment", "0")):
            of_bot = {"username": BOT, "resource_type": kind, "resource_id": name}
            assert tell(self.url, "3.0/mlflow/users/permissions/revoke", of_bot) in (200, 404)
            if permission:
                assert tell(self.url, "3.0/mlflow/users/permissions/grant", of_bot | {"permission": permission}) == 200


def tell(url: str, route: str, body: dict[str, str]) -> int:
    """As the admin; the status of the answer."""
    return requests.post(f"{url}/api/{route}", json=body, auth=(ADMIN, ADMINS_PASSWORD), timeout=60).status_code


@contextmanager
def signed_in(name: str, password: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", name)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        yield


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with quick_directory() as home:
        (home / "auth.ini").write_text(CONFIGURATION.format(home=home, admin=ADMIN))
        environ = {
            "MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMINS_PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(),
        }
        options = ("--app-name", "basic-auth", *SERVED_BY_GUNICORN)
        with running_mlflow(home / "mlflow", options=options, environ=environ) as url:
            with signed_in(ADMIN, ADMINS_PASSWORD):
                version = seeded(client_of(url))
            assert tell(url, "2.0/mlflow/users/create", {"username": BOT, "password": BOTS_PASSWORD}) == 200
            yield Guarded(url, version)


def seeded(client: MlflowClient) -> VersionId:
    client.create_registered_model("bike")
    return logged_version(client, "bike", new_run(client, {"mae": 41.8}))


@pytest.fixture
def registry(guarded: Guarded) -> Iterator[MlflowRegistry]:
    with signed_in(BOT, BOTS_PASSWORD):
        yield MlflowRegistry(guarded.url, webhook_secrets=[])


READ, EDIT, MANAGE = (
    f"Give the account that Countersign uses {grant} on the model" for grant in ("READ", "EDIT", "MANAGE")
)
CALLS: dict[str, tuple[str, str, str, Callable[[MlflowRegistry, VersionId], object]]] = {
    "find a model": ("", "READ", READ, lambda registry, _: registry.find_model("default", "bike")),
    "find a version": ("", "READ", READ, lambda registry, _: registry.find_version("default", "bike", 1)),
    "read evidence": ("", "READ", READ, lambda registry, version: registry.read_evidence(version, None, STORES)),
    "set an alias": ("READ", "EDIT", EDIT, lambda registry, _: registry.set_alias("bike", "champion", 1)),
    "set a stage": ("READ", "EDIT", EDIT, lambda registry, _: registry.set_stage("bike", 1, "Staging")),
    "set a tag": ("READ", "EDIT", EDIT, lambda registry, _: registry.tag_version("bike", 1, {"a": "b"})),
    "try to write": (
        "READ",
        "EDIT",
        EDIT,
        lambda registry, _: MlflowCheckup(registry._tracking_uri).try_writing("bike"),
    ),
    "try to delete": (
        "EDIT",
        "MANAGE",
        MANAGE,
        lambda registry, _: MlflowCheckup(registry._tracking_uri).try_deleting("bike"),
    ),
    "delete an alias": ("EDIT", "MANAGE", MANAGE, lambda registry, _: registry.delete_alias("bike", "champion")),
    "delete a version": ("EDIT", "MANAGE", MANAGE, lambda registry, _: registry.delete_version("bike", 1)),
}


@pytest.mark.parametrize("call", CALLS)
def test_each_call_works_with_the_grant_that_its_refusal_names(
    call: str, guarded: Guarded, registry: MlflowRegistry
) -> None:
    too_little, enough, told, do = CALLS[call]
    guarded.grant(too_little)

    with pytest.raises(Permanent) as refusal:
        do(registry, guarded.version)
    guarded.grant(enough)
    do(registry, guarded.version)

    assert "(403): Permission denied. " + told in str(refusal.value)


def test_webhooks_take_an_admin(guarded: Guarded, registry: MlflowRegistry) -> None:
    with pytest.raises(
        Permanent, match="Give the account that Countersign uses an admin's rights, which webhooks need"
    ):
        MlflowCheckup(guarded.url).webhooks_to("https://countersign.example.com")


def test_a_wrong_password_names_the_variables(guarded: Guarded) -> None:
    with signed_in(BOT, "forgotten"), pytest.raises(Permanent) as refusal:
        MlflowRegistry(guarded.url, webhook_secrets=[]).find_model("default", "bike")

    assert "(401): You are not authenticated." in str(refusal.value)
    assert "Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in str(refusal.value)


def test_the_gate_names_the_grant_too(guarded: Guarded, tmp_path) -> None:
    guarded.grant("")
    account = {"MLFLOW_TRACKING_USERNAME": BOT, "MLFLOW_TRACKING_PASSWORD": BOTS_PASSWORD}

    told = gate(guarded.url, "check", "models:/bike@champion", "--key", key_file(tmp_path), environ=account)

    assert (told.code, told.out) == (3, "")
    assert "answered 403" in told.err
    assert "READ on the model" in told.err
