"""How the gate asks: with MLflow's credentials and no one else's, and what it makes of servers that do not answer as they should."""

from __future__ import annotations

import base64
import socket
from pathlib import Path

import pytest

from bot.errors import NoAnswer
from bot.gate import asking
from bot.gate.asking import Server, ask
from bot.gate.registry import registry_of
from bot.sandbox.serving import serving
from tests.gate.approvals import answering, gate

BASIC = "Basic " + base64.b64encode(b"ana:secret").decode()
A_VERSION = {"model_version": {"name": "bike", "version": "1", "creation_timestamp": 1_700_000_000_000}}


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({}, ""),
        ({"MLFLOW_TRACKING_USERNAME": "ana", "MLFLOW_TRACKING_PASSWORD": "secret"}, BASIC),
        ({"MLFLOW_TRACKING_TOKEN": "a-token"}, "Bearer a-token"),
        (
            {
                "MLFLOW_TRACKING_USERNAME": "ana",
                "MLFLOW_TRACKING_PASSWORD": "secret",
                "MLFLOW_TRACKING_TOKEN": "a-token",
            },
            BASIC,
        ),
    ],
)
def test_the_credentials_are_those_that_mlflows_client_would_send(environ: dict[str, str], sent: str, key: str) -> None:
    mlflow = answering(A_VERSION)

    with serving(mlflow) as url:
        gate(url, "check", "models:/bike@champion", "--key", key, environ=environ)

    assert mlflow.heard == [sent]  # type: ignore[attr-defined]


def test_credentials_in_the_address_are_sent_and_never_printed(key: str) -> None:
    mlflow = answering(A_VERSION, "500 Broken")

    with serving(mlflow) as url:
        told = gate(url.replace("//", "//ana:secret@"), "check", "models:/bike@champion", "--key", key)

    assert mlflow.heard == [BASIC]  # type: ignore[attr-defined]
    assert told.code == 3
    assert "secret" not in told.err


def test_one_call_is_enough_for_an_alias(key: str) -> None:
    mlflow = answering(A_VERSION)

    with serving(mlflow) as url:
        gate(url, "check", "models:/bike@champion", "--key", key)

    assert len(mlflow.heard) == 1  # type: ignore[attr-defined]


def test_a_redirect_is_refused_and_the_credentials_go_nowhere_else(key: str) -> None:
    elsewhere = answering(A_VERSION)
    environ = {"MLFLOW_TRACKING_TOKEN": "a-token"}

    with serving(elsewhere) as other, serving(answering({}, "302 Found", {"Location": f"{other}/login"})) as url:
        told = gate(url, "check", "models:/bike@champion", "--key", key, environ=environ)

    assert told.code == 3
    assert f"redirects to {other}/login, and the credentials go nowhere else" in told.err
    assert elsewhere.heard == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"error_code": "INTERNAL_ERROR"}, "500 Broken", "answered 500. Try again"),
        ({"error_code": "UNAUTHENTICATED"}, "401 Who", "answered 401. Check MLFLOW_TRACKING_USERNAME"),
        ({"error_code": "PERMISSION_DENIED"}, "403 No", "answered 403. Give the account in MLFLOW_TRACKING_USERNAME"),
        ({"error_code": "ENDPOINT_NOT_FOUND"}, "404 None", "answered 404. Try again"),
        ("<html>Sign in</html>", "200 OK", "answered 200 and no JSON"),
        ([1, 2], "200 OK", "answered 200 and no JSON"),
        ({"model_version": {"name": "bike"}}, "200 OK", "answered something that is no model version"),
        ({"model_version": None}, "200 OK", "answered something that is no model version"),
    ],
)
def test_an_answer_that_leaves_the_question_open_allows_nothing(
    body: object, status: str, sentence: str, key: str
) -> None:
    with serving(answering(body, status)) as url:
        told = gate(url, "check", "models:/bike@champion", "--key", key)

    assert (told.code, told.out) == (3, "")
    assert sentence in told.err


def test_a_registry_that_is_down_allows_nothing(key: str) -> None:
    told = gate("http://127.0.0.1:9", "check", "models:/bike@champion", "--key", key)

    assert (told.code, told.out) == (3, "")
    assert "cannot tell: models:/bike@champion for alias:champion" in told.err
    assert "MLflow at http://127.0.0.1:9 does not answer" in told.err


def test_a_path_or_a_database_is_no_registry_to_ask(key: str) -> None:
    for address in ("sqlite:///mlflow.db", "./mlruns", "http://", "http://127.0.0.1:99999"):
        told = gate(address, "check", "models:/bike@champion", "--key", key)

        assert told.code == 2
        assert "MLFLOW_TRACKING_URI is not the address of an MLflow server" in told.err


@pytest.mark.parametrize("is_here", [False, True])
def test_an_address_that_is_not_set_is_said_and_where_it_may_be(
    is_here: bool, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if is_here:
        (tmp_path / "countersign.env").touch()

    told = gate("", "check", "models:/bike@champion", "--key", key)

    assert told.code == 2
    assert "MLFLOW_TRACKING_URI is not set. Set it to" in told.err
    assert ("set -a && . ./countersign.env" in told.err) is is_here


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            {"MLFLOW_TRACKING_URI": "databricks"},
            "MLFLOW_TRACKING_URI names a Databricks workspace, which is not supported",
        ),
        ({"MLFLOW_REGISTRY_URI": "databricks-uc"}, "MLFLOW_REGISTRY_URI names Unity Catalog, which is not supported"),
        ({"MLFLOW_REGISTRY_URI": "http://127.0.0.1:10"}, "MLFLOW_REGISTRY_URI names another registry"),
        ({"MLFLOW_WORKSPACE": "Team B"}, 'MLFLOW_WORKSPACE is "Team B", which is no workspace'),
        ({"COUNTERSIGN_REGISTRY": "eu/x"}, 'COUNTERSIGN_REGISTRY is "eu/x", which is no name'),
    ],
)
def test_a_registry_that_the_bot_cannot_watch_is_refused_before_any_call(setting, sentence: str, key: str) -> None:
    told = gate("http://127.0.0.1:9", "check", "models:/bike@champion", "--key", key, environ=setting)

    assert (told.code, told.out) == (2, "")
    assert sentence in told.err


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST_ANSWER", 2**20)

    with serving(answering("x" * 2**21)) as url, pytest.raises(NoAnswer, match="answers with more than 1 MiB"):
        ask(Server("MLflow", "MLFLOW_TRACKING_URI", url), "/", {})


def test_a_server_that_says_nothing_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TIMEOUT", 0.05)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NoAnswer, match="does not answer"):
            ask(Server("MLflow", "MLFLOW_TRACKING_URI", address), "/", {})


def test_a_server_that_drips_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "DEADLINE", -1.0)

    with serving(answering({"slow": True})) as url, pytest.raises(NoAnswer, match="to answer"):
        ask(Server("MLflow", "MLFLOW_TRACKING_URI", url), "/", {})


def test_a_name_with_odd_letters_reaches_mlflow_as_it_is(key: str) -> None:
    version = {**A_VERSION["model_version"], "name": "bike & co ü\ud800"}

    with serving(answering({"model_version": version})) as url:
        told = gate(url, "check", "models:/bike & co ü@champion", "--key", key)

    assert told.code == 1
    assert "models:/bike & co ü?/1" in told.err


def test_certificates_are_taken_from_mlflows_variables() -> None:
    server = registry_of(
        {
            "MLFLOW_TRACKING_URI": "https://mlflow.example.com",
            "MLFLOW_TRACKING_SERVER_CERT_PATH": "/etc/ca.pem",
            "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/etc/client.pem",
            "MLFLOW_TRACKING_INSECURE_TLS": "true",
        }
    )

    assert (server.certificates, server.client_certificate, server.verifies) == (
        "/etc/ca.pem",
        "/etc/client.pem",
        False,
    )
