"""What comes to Slack's door and cannot be Slack's, or cannot be read: a clear refusal, a counted metric, never a 500."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from urllib.parse import quote, urlencode, urlsplit

import pytest

from bot import metrics
from tests.fixtures.installation import CHANNEL, Installation

CLICK = urlencode({"payload": json.dumps({"type": "block_actions"})})
TIMESTAMP = "X-Slack-Request-Timestamp"
SIGNATURE = "X-Slack-Signature"

BAD_HEADERS: dict[str, tuple[dict[str, object], int, str]] = {
    "no timestamp": ({"headers": {TIMESTAMP: ""}}, 401, "unsigned"),
    "no signature": ({"headers": {SIGNATURE: ""}}, 401, "unsigned"),
    "another secret": ({"secret": "somebody else's"}, 401, "bad_signature"),
    "a signature of another scheme": ({"headers": {SIGNATURE: "v1=" + "0" * 64}}, 401, "malformed_signature"),
    "a signature that is not ASCII": ({"headers": {SIGNATURE: "v0=é".encode()}}, 401, "malformed_signature"),
    "a timestamp in words": ({"timestamp": "yesterday"}, 401, "malformed_signature"),
    "a negative timestamp": ({"timestamp": "-1"}, 401, "malformed_signature"),
    "a timestamp with a fraction": ({"timestamp": "1700000000.5"}, 401, "malformed_signature"),
    "a timestamp in other digits": ({"headers": {TIMESTAMP: "１７０".encode()}}, 401, "malformed_signature"),
    "a timestamp of bytes that are no text": ({"headers": {TIMESTAMP: b"\xff\xfe"}}, 401, "malformed_signature"),
    "a timestamp of long ago": ({"timestamp": "1700000000"}, 401, "bad_signature"),
    "a timestamp of the far future": ({"timestamp": "999999999999"}, 401, "bad_signature"),
}

# Signed by Slack's own secret, so that only the content is wrong.
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "a payload that is no JSON": (b"payload=%7Bnot+json", "malformed"),
    "a payload that is a list": (b"payload=%5B%5D", "malformed"),
    "a payload that is a word": (b"payload=%22approve%22", "malformed"),
    "a payload that is nothing": (b"payload=null", "malformed"),
    "a payload without end": (b"payload=" + quote("[" * 100_000).encode(), "malformed"),
    "a user that is a number": (b"payload=" + quote('{"type": "block_actions", "user": 5}').encode(), "malformed"),
    "a body that starts like JSON": (b'{"type": ', "malformed"),
    "bytes that are no text": (b"payload=\xff\xfe\x00", "malformed"),
    "an interaction of no kind": (b"payload=%7B%7D", "unknown"),
    "a click on nothing": (CLICK.encode(), "malformed"),
    "an empty body": (b"", "unknown"),
}


def rejections(reason: str) -> float:
    labels = {"source": "slack", "reason": reason}
    return metrics.REGISTRY.get_sample_value("countersign_webhook_rejected_total", labels) or 0.0


@pytest.fixture
def installation(open_installation: Callable[..., Installation]) -> Installation:
    return open_installation()


def test_a_request_that_slack_did_not_sign_is_refused(installation: Installation) -> None:
    counted = {reason: rejections(reason) for _, _, reason in BAD_HEADERS.values()}

    answers = {name: installation.slack.post_signed(CLICK, **how) for name, (how, _, _) in BAD_HEADERS.items()}  # type: ignore[arg-type]

    said = {name: (answer.status, answer.body.get("reason")) for name, answer in answers.items()}
    assert said == {name: (status, reason) for name, (_, status, reason) in BAD_HEADERS.items()}
    for reason, before in counted.items():
        assert rejections(reason) == before + sum(reason == expected for _, _, expected in BAD_HEADERS.values())


def test_a_real_press_counts_only_with_slacks_signature_of_now(installation: Installation) -> None:
    """Bolt answers 401 to a body without a person too, so only a whole one shows that the signature is checked."""
    installation.sweep()
    request = installation.asked()
    press = installation.slack.click_payload("ana", CHANNEL, installation.card(request).ts, "approve")
    body = urlencode({"payload": json.dumps(press)})

    forged = [
        installation.slack.post_signed(body, **BAD_HEADERS[how][0])  # type: ignore[arg-type]
        for how in ("another secret", "a timestamp of long ago")
    ]
    cast_before = installation.reread(request).votes
    real = installation.slack.post_signed(body)

    assert [answer.status for answer in forged] == [401, 401]
    assert cast_before == ()
    assert (real.status, len(installation.reread(request).votes)) == (200, 1)


def test_a_body_that_cannot_be_read_is_refused(installation: Installation) -> None:
    answers = {name: installation.slack.post_signed(body) for name, (body, _) in BAD_BODIES.items()}

    said = {name: (answer.status, answer.body.get("reason")) for name, answer in answers.items()}
    statuses = {"malformed": 400, "unknown": 404}
    assert said == {name: (statuses[reason], reason) for name, (_, reason) in BAD_BODIES.items()}


def test_a_body_that_cannot_be_read_is_refused_without_a_signature_too(installation: Installation) -> None:
    forged = {SIGNATURE: "v0=" + "0" * 64}

    answers = {name: installation.slack.post_signed(body, forged) for name, (body, _) in BAD_BODIES.items()}

    assert {answer.status for answer in answers.values()} <= {400, 401}


@pytest.mark.parametrize("road", ["/slack/events", "/webhooks/mlflow", "/webhooks/jira", "/api/requests"])
def test_ten_megabytes_are_refused_before_they_are_read(installation: Installation, road: str) -> None:
    """Only the first kilobyte is ever sent: reading the whole body would never end."""
    where = urlsplit(installation.url)
    head = f"POST {road} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 10000000\r\n"
    token = f"Authorization: Bearer {installation.settings.api_token.get_secret_value()}\r\n\r\n"

    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall((head + token).encode() + b"x" * 1024)
        answer = connection.recv(64)

    assert answer.split()[1] == b"413"
