"""MLflow's webhook signature: vectors made with openssl, not with our code, and everything that must be refused.

printf '%s' "$ID.$TIME.$BODY" | openssl dgst -sha256 -hmac "$SECRET" -binary | base64
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from bot.clients.mlflow.webhook import read_webhook
from bot.errors import Rejected
from bot.ports import RegistryHint

DELIVERY = "930c4bd7-2532-4d21-8d6a-600e47128129"
SIGNED_AT = 1795380817
NOW = datetime.fromtimestamp(SIGNED_AT + 4, UTC)
SECRET = "whsec-first"
BODY = b'{"entity": "model_version", "action": "created", "data": {"name": "bike-demand", "version": "3"}}'
BY_OPENSSL = "v1,+EUodXFpECPEEMCoS5u69n59blKnPqWDz1tZykyunLw="
HEADERS = {
    "X-MLflow-Delivery-Id": DELIVERY,
    "X-MLflow-Timestamp": str(SIGNED_AT),
    "X-MLflow-Signature": BY_OPENSSL,
}


def signature(body: bytes, secret: str = SECRET, timestamp: str = str(SIGNED_AT), delivery: str = DELIVERY) -> str:
    digest = hmac.new(secret.encode(), f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signed(body: bytes) -> dict[str, str]:
    return {**HEADERS, "X-MLflow-Signature": signature(body)}


def event(entity: str, action: str, name: object = "bike-demand", **more: object) -> bytes:
    return json.dumps({"entity": entity, "action": action, "data": {"name": name}, **more}).encode()


def rejected(
    headers: dict[str, str], body: bytes = BODY, now: datetime = NOW, secrets: tuple[str, ...] = (SECRET,)
) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        read_webhook(headers, body, now, secrets)
    return refusal.value


def test_the_vector_made_by_openssl_is_believed():
    hint = read_webhook(HEADERS, BODY, NOW, [SECRET])

    assert hint == RegistryHint(DELIVERY, "bike-demand")


def test_a_vector_with_letters_beyond_ascii_in_secret_and_body_is_believed():
    body = '{"entity": "model_version", "action": "created", "data": {"name": "año"}}'.encode()
    headers = {**HEADERS, "X-MLflow-Signature": "v1,plhWUcZ2knIzFqD33R0p3CJZaUBEZfhlmhjWP+WYTQ8="}

    assert read_webhook(headers, body, NOW, ["clé-ñ"]).model == "año"


@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_header_names_may_be_spelt_in_any_case(spell):
    headers = {spell(name): text for name, text in HEADERS.items()}

    assert read_webhook(headers, BODY, NOW, [SECRET]).model == "bike-demand"


@pytest.mark.parametrize("secrets", [["new", SECRET], [SECRET, "old"], ["", SECRET]])
def test_any_of_several_secrets_will_do_while_they_are_being_changed(secrets):
    assert read_webhook(HEADERS, BODY, NOW, secrets).model == "bike-demand"


@pytest.mark.parametrize(
    "header", [f"v1,AAAA {BY_OPENSSL}", f"{BY_OPENSSL} v1,AAAA", f"v2,zzz {BY_OPENSSL}", f"v1,é {BY_OPENSSL}"]
)
def test_any_of_several_signatures_will_do(header):
    headers = {**HEADERS, "X-MLflow-Signature": header}

    assert read_webhook(headers, BODY, NOW, [SECRET]).model == "bike-demand"


@pytest.mark.parametrize("missing", HEADERS)
@pytest.mark.parametrize("how", ["absent", "empty", "blank"])
def test_a_delivery_that_lacks_a_header_is_unsigned(missing, how):
    headers = {**HEADERS, missing: " " if how == "blank" else ""}
    if how == "absent":
        del headers[missing]

    refusal = rejected(headers)

    assert (refusal.reason, refusal.status) == ("unsigned", 401)
    assert missing.lower() in str(refusal)


@pytest.mark.parametrize(
    "header",
    [
        signature(BODY, secret="another"),
        signature(BODY + b" "),
        signature(BODY, timestamp="1795380818"),
        signature(BODY, delivery="another"),
        BY_OPENSSL.removeprefix("v1,"),
        BY_OPENSSL.replace("v1", "v2"),
        BY_OPENSSL.replace("v1", "V1"),
        BY_OPENSSL[:-1],
        BY_OPENSSL.lower(),
        "v1,",
        "v1,=",
        "v1,not base64!",
        "v1,été",
        "v1,\x00",
        f"{BY_OPENSSL},{BY_OPENSSL}",
        "v1," + "A" * 100_000,
    ],
)
def test_a_wrong_signature_is_refused(header):
    refusal = rejected({**HEADERS, "X-MLflow-Signature": header})

    assert (refusal.reason, refusal.status) == ("bad_signature", 401)


@pytest.mark.parametrize(
    "timestamp", ["soon", "1795380817.5", "-1795380817", "+1795380817", "٣٤٥", "²", "1e9", "0x6b", "9" * 5000, "1 2"]
)
def test_a_timestamp_that_is_not_a_number_is_refused(timestamp):
    refusal = rejected({**HEADERS, "X-MLflow-Timestamp": timestamp})

    assert (refusal.reason, refusal.status) == ("bad_timestamp", 401)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_the_window_reaches_five_minutes_both_ways(seconds):
    now = datetime.fromtimestamp(SIGNED_AT + seconds, UTC)

    assert read_webhook(HEADERS, BODY, now, [SECRET]).model == "bike-demand"


@pytest.mark.parametrize(("seconds", "side"), [(301, "old"), (-301, "in the future"), (600, "old")])
def test_outside_the_window_a_delivery_is_stale_and_the_clocks_are_named(seconds, side):
    refusal = rejected(HEADERS, now=datetime.fromtimestamp(SIGNED_AT + seconds, UTC))

    assert refusal.reason == "stale"
    assert side in str(refusal)
    assert "clocks" in str(refusal)


@pytest.mark.parametrize("delivery", ["é" * 4, "a\nb", "x" * 201])
def test_a_delivery_id_that_cannot_be_stored_is_refused(delivery):
    refusal = rejected({**HEADERS, "X-MLflow-Delivery-Id": delivery})

    assert refusal.reason == "bad_delivery_id"


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",)])
def test_without_a_secret_nothing_is_believed_and_the_setting_is_named(secrets):
    headers = {**HEADERS, "X-MLflow-Signature": signature(BODY, secret="".join(secrets))}

    refusal = rejected(headers, secrets=secrets)

    assert refusal.reason == "no_secret"
    assert "Set MLFLOW_WEBHOOK_SECRET" in str(refusal)


def test_a_body_over_64_kb_is_refused_before_it_is_looked_at():
    body = b" " * (64 * 1024 + 1)

    refusal = rejected(signed(body), body)

    assert (refusal.reason, refusal.status) == ("too_large", 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'"model_version"',
        b"null",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"1" * 5000,
        event("model_version", "created", name=None),
        event("model_version", "created", name=""),
        event("model_version", "created", name=["bike-demand"]),
        event("model_version", "created", name="nul\0"),
        event("model_version", "created", name="\ud800"),
        event("model_version", "created", data="bike-demand"),
        event("model_version", "created", data=None),
    ],
)
def test_a_signed_body_that_is_not_an_event_is_refused_as_malformed(body):
    refusal = rejected(signed(body), body)

    assert (refusal.reason, refusal.status) == ("malformed", 400)


@pytest.mark.parametrize(
    ("entity", "action"),
    [
        ("registered_model", "created"),
        ("model_version", "created"),
        ("model_version_tag", "set"),
        ("model_version_tag", "deleted"),
        ("model_version_alias", "created"),
        ("model_version_alias", "deleted"),
    ],
)
def test_an_event_about_a_model_hints_at_it(entity, action):
    body = event(entity, action)

    assert read_webhook(signed(body), body, NOW, [SECRET]).model == "bike-demand"


@pytest.mark.parametrize(
    ("entity", "action"),
    [
        ("prompt", "created"),
        ("prompt_alias", "created"),
        ("budget_policy", "exceeded"),
        ("model_version", "invented"),
        (["x"], {}),
    ],
)
def test_an_event_about_something_else_has_no_news(entity, action):
    body = event(entity, action)

    assert read_webhook(signed(body), body, NOW, [SECRET]) == RegistryHint(DELIVERY, None)


def test_mlflows_test_delivery_has_no_news():
    body = event("model_version", "created", name="example_model")

    assert read_webhook(signed(body), body, NOW, [SECRET]).model is None


def test_the_workspace_in_the_body_is_not_believed():
    body = event("model_version", "created", workspace="team-b")

    assert read_webhook(signed(body), body, NOW, [SECRET]) == RegistryHint(DELIVERY, "bike-demand")


def test_reading_a_webhook_does_not_import_mlflow():
    script = (
        "import sys\n"
        "from bot.clients.mlflow.registry import MlflowRegistry\n"
        "from bot.errors import Rejected\n"
        "from datetime import datetime, UTC\n"
        "try: MlflowRegistry('http://mlflow', webhook_secrets=['s']).read_webhook({}, b'', datetime.now(UTC))\n"
        "except Rejected: print('mlflow' in sys.modules)\n"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"
