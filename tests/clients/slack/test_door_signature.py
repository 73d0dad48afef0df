"""The door's own check of Slack's signature. Bolt would answer 401 too, so only a test without Bolt can see whether it is made."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from bot.clients.slack.notifier import SlackNotifier
from bot.errors import Rejected
from tests.clients.slack.test_inbound import PRESS

BODY = urlencode({"payload": json.dumps(PRESS)})
FORGED = "v0=" + "0" * 64


def signed(secret: str = "of-now", age: float = 0.0) -> dict[str, str]:  # seconds
    stamp = str(int(time.time() - age))
    made = hmac.new(secret.encode(), f"v0:{stamp}:{BODY}".encode(), hashlib.sha256).hexdigest()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return {**form, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={made}"}


def check(headers: dict[str, str], body: str = BODY) -> None:
    SlackNotifier("xoxb-1", signing_secrets=("of-now", "before")).check_request(headers, body.encode())


@pytest.mark.parametrize("secret", ["of-now", "before"])
def test_while_the_secret_changes_the_door_takes_both(secret: str) -> None:
    check(signed(secret))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (lambda: signed() | {"X-Slack-Signature": FORGED}, BODY),
        (lambda: signed("of-another-app"), BODY),
        (signed, BODY.replace("approve", "reject")),
        (lambda: signed(age=3600), BODY),
        (lambda: signed(age=-3600), BODY),
    ],
    ids=["forged", "another secret", "another body", "an hour old", "an hour to come"],
)
def test_the_door_refuses_what_slack_did_not_sign_just_now(headers: Callable[[], dict[str, str]], body: str) -> None:
    with pytest.raises(Rejected, match="not Slack's") as refused:
        check(headers(), body)

    assert (refused.value.reason, refused.value.status) == ("bad_signature", 401)
