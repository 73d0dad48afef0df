"""MLflow's webhooks: the real ones, and every kind that must not be believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from mlflow.entities.webhook import WebhookEventStr

from bot.clients.mlflow.checkup import WEBHOOKS
from bot.domain.events import RequestOpened
from bot.domain.model import State
from tests.fixtures.installation import MLFLOW_SECRET, Installation
from tests.fixtures.mlflow_seed import needs

ALIAS_SET = ("model_version_alias", "created")


def event(installation: Installation, kind: tuple[str, str] = ALIAS_SET, **content: object) -> bytes:
    entity, action = kind
    told = {"name": installation.model, "alias": "candidate", "version": "1", **content}
    return json.dumps({"entity": entity, "action": action, "timestamp": "2026-11-22T20:53:37Z", "data": told}).encode()


def signed(body: bytes, *, at: str = "", delivery: str = "", secret: str = MLFLOW_SECRET) -> dict[str, str]:
    """The headers that MLflow sends with this body."""
    at, delivery = at or str(int(time.time())), delivery or str(uuid4())
    digest = hmac.new(secret.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": at,
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def deliver(installation: Installation, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
    sent = {name: text.encode() for name, text in (headers or signed(body)).items()}
    return requests.post(f"{installation.url}/webhooks/mlflow", data=body, headers=sent, timeout=10)


def counted(installation: Installation, **labels: str) -> float:
    """The metric of refused webhooks, or, asked for a result, of believed ones, as a scrape shows it."""
    name = "countersign_webhooks_received_total" if "result" in labels else "countersign_webhook_rejected_total"
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted({**labels, "source": "mlflow"}.items()))
    page = requests.get(f"{installation.status_url}/metrics", timeout=10).text
    found = re.search(rf"^{name}{{{re.escape(wanted)}}} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


@contextmanager
def registered_webhook(installation: Installation, *events: WebhookEventStr) -> Iterator[None]:
    """A webhook of the real MLflow that leads to this installation."""
    needs(installation.mlflow.tracking_uri, WEBHOOKS)
    address = f"{installation.url}/webhooks/mlflow"
    hook = installation.mlflow.create_webhook(
        f"installation-{uuid4().hex[:8]}", address, list(events), secret=MLFLOW_SECRET
    )
    try:
        time.sleep(1.1)  # the server looks its webhooks up once a second: MLFLOW_WEBHOOK_CACHE_TTL
        yield
    finally:
        installation.mlflow.delete_webhook(hook.webhook_id)


def test_mlflows_own_webhook_brings_a_wish_to_a_card_without_any_sweep(installation: Installation) -> None:
    installation.register()

    with registered_webhook(installation, "model_version_alias.created"):
        installation.ask(1)
        installation.settle_until(lambda: installation.requests(State.PENDING))

    assert installation.request(1).version.version == 1
    assert "unknown (in the registry)" in installation.card(installation.request(1)).all_text


def test_webhook_and_poll_at_once_make_one_request(installation: Installation) -> None:
    installation.register()
    before = counted(installation, result="recorded")

    with registered_webhook(installation, "model_version_alias.created", "model_version_tag.set"):
        installation.ask(1)
        installation.mlflow.set_model_version_tag(installation.model, "1", "countersign.ask", "yes")
        installation.sweep()
        installation.settle_until(lambda: counted(installation, result="recorded") >= before + 2)
        installation.sweep()

    assert installation.happened(RequestOpened) == ["RequestOpened"]
    assert len(installation.cards()) == len(installation.jira.issues()) == 1


def test_the_same_delivery_five_times_is_one_request(installation: Installation) -> None:
    installation.register()
    installation.ask(1)
    body = event(installation)
    headers = signed(body)

    answers = []
    for _ in range(5):
        answers.append(deliver(installation, body, headers))
        installation.settle()

    assert [answer.status_code for answer in answers] == [202] * 5
    assert [answer.json()["result"] for answer in answers] == ["recorded", *["duplicate"] * 4]
    assert installation.happened(RequestOpened) == ["RequestOpened"]
    assert len(installation.cards()) == 1


def test_the_body_is_only_a_hint(installation: Installation) -> None:
    installation.register()

    answer = deliver(installation, event(installation, alias="champion", version="1"))
    installation.settle()

    assert answer.status_code == 202
    assert installation.happened() == []
    assert installation.champion() is None


@pytest.mark.parametrize("kind", [ALIAS_SET, ("model_version_alias", "deleted"), ("model_version_tag", "set")])
def test_an_event_that_changed_nothing_is_no_news(installation: Installation, kind: tuple[str, str]) -> None:
    installation.asked()
    before = installation.happened()

    answer = deliver(installation, event(installation, kind))
    installation.settle()

    assert (answer.status_code, answer.json()) == (202, {"result": "recorded"})
    assert installation.happened() == before


@pytest.mark.parametrize(
    "content", [{"version": "99"}, {"name": "a-model-that-never-was"}, {"name": "example_model"}, {"version": None}]
)
def test_what_is_gone_is_accepted_and_comes_to_nothing(installation: Installation, content: dict[str, Any]) -> None:
    installation.register()

    answer = deliver(installation, event(installation, **content))
    installation.settle()

    assert answer.status_code == 202
    assert installation.happened() == []
    assert installation.unfinished() == []


def test_an_event_we_do_not_care_about_is_accepted_and_comes_to_nothing(installation: Installation) -> None:
    answer = deliver(installation, event(installation, ("prompt", "created")))

    assert (answer.status_code, answer.json()) == (202, {"result": "no_news"})


BODY = b'{"entity": "model_version", "action": "created", "data": {"name": "bike"}}'


def unbelievable() -> dict[str, tuple[bytes, dict[str, str], int, str]]:
    """Body, headers, and the status and reason of the answer; signed now, because a signature ages."""
    return {
        "a wrong secret": (BODY, signed(BODY, secret="not-the-secret"), 401, "bad_signature"),
        "a body that was changed": (BODY + b" ", signed(BODY), 401, "bad_signature"),
        "no signature": (BODY, {"Content-Type": "application/json"}, 401, "unsigned"),
        "a signature that is no base64": (BODY, signed(BODY) | {"X-MLflow-Signature": "v1,%%%"}, 401, "bad_signature"),
        "a signature that is not ASCII": (BODY, signed(BODY) | {"X-MLflow-Signature": "v1,é"}, 401, "bad_signature"),
        "another scheme": (BODY, signed(BODY) | {"X-MLflow-Signature": "v2,AAAA"}, 401, "bad_signature"),
        "an old time": (BODY, signed(BODY, at="1700000000"), 401, "stale"),
        "a time to come": (BODY, signed(BODY, at="99999999999"), 401, "stale"),
        "a time that is no number": (BODY, signed(BODY, at="yesterday"), 401, "bad_timestamp"),
        "a time that is not ASCII": (BODY, signed(BODY) | {"X-MLflow-Timestamp": "²³"}, 401, "bad_timestamp"),
        "a delivery id without end": (BODY, signed(BODY, delivery="x" * 5000), 401, "bad_delivery_id"),
        "no JSON": (b"{", signed(b"{"), 400, "malformed"),
        "no text": (b"\xff\xfe", signed(b"\xff\xfe"), 400, "malformed"),
        "nothing": (b"", signed(b""), 400, "malformed"),
        "a list": (b"[]", signed(b"[]"), 400, "malformed"),
        "a nest": (b"[" * 50_000, signed(b"[" * 50_000), 400, "malformed"),
    }


def test_what_is_not_to_be_believed_is_refused_counted_and_changes_nothing(installation: Installation) -> None:
    wrong = []
    for case, (body, headers, status, reason) in unbelievable().items():
        before = counted(installation, reason=reason)
        answer = deliver(installation, body, headers)
        said = answer.json()
        if (answer.status_code, said["reason"], counted(installation, reason=reason)) != (status, reason, before + 1):
            wrong.append((case, answer.status_code, said))
    installation.settle()

    assert wrong == []
    assert installation.happened() == []


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(installation: Installation) -> None:
    before = counted(installation, reason="too_large")
    where = urlsplit(installation.url)
    line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)

    line.putrequest("POST", "/webhooks/mlflow")
    line.putheader("Content-Length", str(10 * 1024 * 1024))
    line.endheaders(b"{" * 1024)
    answer = line.getresponse()
    said = json.loads(answer.read())
    line.close()

    assert (answer.status, said["reason"]) == (413, "too_large")
    assert counted(installation, reason="too_large") == before + 1


def test_a_body_just_over_the_limit_is_refused_although_it_is_signed(installation: Installation) -> None:
    answer = deliver(installation, b" " * (64 * 1024 + 1))

    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
