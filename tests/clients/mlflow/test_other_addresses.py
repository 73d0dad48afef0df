"""MLflow behind a reverse proxy, below a path of it, and behind basic auth with any password: registry, files, and the gate."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from werkzeug import Request, Response
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from bot.clients.mlflow.access import Credentials
from bot.clients.mlflow.registry import MlflowRegistry
from bot.gate.registry import Registry, registry_of
from bot.gate.uris import Wanted
from bot.sandbox.serving import serving
from tests.fixtures.fault_proxy import forward_to
from tests.fixtures.mlflow_seed import client_of, new_run

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIApplication

pytestmark = pytest.mark.proof

PREFIX = "/tools/ml flow"
ADDRESSES = ("/tools/ml%20flow", "/tools/ml%20flow/")
PASSWORDS = ("a:b:c", "mit Leerzeichen", "/@?#%41&=+", "pässwörd-漢字", '"quoted"\\', ":")


@contextmanager
def below_a_path(server: str) -> Iterator[str]:
    """As nginx does with `location /tools/`: the prefix is taken off, and nothing else of the host is MLflow's."""
    with serving(DispatcherMiddleware(NotFound(), {PREFIX: forward_to(server)})) as url:
        yield url


def guarded_by(password: str) -> WSGIApplication:
    """Answers 404 as MLflow does to whom knows the password, and 401 to others."""

    def answer(environ, start_response):
        _, _, given = Request(environ).headers.get("Authorization", "").partition(" ")
        is_known = b64decode(given).decode() == f"bot:{password}"
        body = '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}' if is_known else "who?"
        return Response(body, status=404 if is_known else 401, mimetype="application/json")(environ, start_response)

    return answer


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("of", [{}, {"workspace": "eu/default", "credentials": Credentials()}], ids=["own", "named"])
def test_a_server_below_a_path_is_read_and_written_with_its_files(
    mlflow_server: str, model_name: str, tmp_path: Path, address: str, of: dict[str, object]
) -> None:
    client, place = client_of(mlflow_server), str(of.get("workspace", "default"))
    run = new_run(client, {"mae": 41.8})
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    client.log_artifacts(run, str(tmp_path), "model")
    client.create_registered_model(model_name)
    client.create_model_version(model_name, f"runs:/{run}/model", run, await_creation_for=0)

    with below_a_path(mlflow_server) as url:
        registry = MlflowRegistry(f"{url}{address}", webhook_secrets=[], **of)  # type: ignore[arg-type]
        registry.set_alias(model_name, "champion", 1)
        seen = registry.find_model(place, model_name)
        assert seen is not None
        evidence = registry.read_evidence(seen.versions[0].id, None, ("mlflow-artifacts:", "runs:"))
        names = {summary.name for summary in registry.list_models()}
        env = {"MLFLOW_TRACKING_URI": f"{url}{address}"}
        found = Registry(registry_of(env)).find(Wanted(model_name, alias="champion"))

    assert model_name in names
    assert seen.aliases == {"champion": 1}
    assert (evidence.artifacts is not None, evidence.artifacts_unread) == (True, "")
    assert evidence.version_url == f"{url}/tools/ml%20flow/#/models/{model_name}/versions/1"
    assert found is not None


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("who", ["bot", "named registry", "gate", "gate by its address"])
def test_any_password_signs_in(monkeypatch: pytest.MonkeyPatch, password: str, who: str) -> None:
    def of_the_bot(url: str) -> object:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bot")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        return MlflowRegistry(url, webhook_secrets=[]).find_model("default", "bike")

    def of_a_named_registry(url: str) -> object:
        registry = MlflowRegistry(
            url, webhook_secrets=[], workspace="eu/default", credentials=Credentials("bot", password)
        )
        return registry.find_model("eu/default", "bike")

    def of_the_gate(url: str) -> object:
        env = {"MLFLOW_TRACKING_USERNAME": "bot", "MLFLOW_TRACKING_PASSWORD": password, "MLFLOW_TRACKING_URI": url}
        return Registry(registry_of(env)).find(Wanted("bike", alias="champion"))

    def of_the_gates_address(url: str) -> object:
        from urllib.parse import quote

        env = {"MLFLOW_TRACKING_URI": url.replace("://", f"://bot:{quote(password, safe='')}@")}
        return Registry(registry_of(env)).find(Wanted("bike", alias="champion"))

    asked: dict[str, Callable[[str], object]] = {
        "bot": of_the_bot,
        "named registry": of_a_named_registry,
        "gate": of_the_gate,
        "gate by its address": of_the_gates_address,
    }
    with serving(guarded_by(password)) as url:
        assert asked[who](url) is None
