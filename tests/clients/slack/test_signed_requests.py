"""Slack's request as it was kept with a vote: its signature is verified again, long after the door verified it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.clients.slack.signed_requests import RequestSignatures
from bot.domain.grounds import SignedRequest
from bot.domain.model import SignedBy
from bot.errors import Rejected, Temporary
from tests.clients.slack.test_inbound import PRESS

SECRET, OLD_SECRET, TOKEN = "the-secret-of-now", "the-secret-before", "xoxb-1"
BODY = urlencode({"payload": json.dumps(PRESS)})


def signatures(*secrets: str, seals_count: bool = False, token: str = TOKEN) -> RequestSignatures:
    return RequestSignatures(secrets, token.split(","), seals_count=seals_count)


def signed(secret: str = SECRET, body: str = BODY, stamp: str = "1700000000") -> SignedRequest:
    made = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={made}"}
    return signatures(secret).of_http(body, headers)


def test_a_kept_request_says_again_what_was_pressed() -> None:
    click = signatures(SECRET).read(signed())

    assert (click.account, click.action) == (PRESS["user"]["id"], PRESS["actions"][0]["action_id"])


def test_while_the_secret_changes_requests_of_the_old_one_still_count() -> None:
    kept = signed(OLD_SECRET)

    assert signatures(SECRET, OLD_SECRET).read(kept).account


def test_a_request_under_a_secret_that_this_process_does_not_know_waits_and_is_not_refused() -> None:
    """Web and worker are restarted one after the other."""
    kept, sealed = signed(OLD_SECRET), signatures(token="xoxb-another").seal(PRESS, 1700000000)

    with pytest.raises(Temporary, match="with the same SLACK_SIGNING_SECRET"):
        signatures(SECRET).read(kept)
    with pytest.raises(Temporary, match="with the same SLACK_BOT_TOKEN"):
        signatures(seals_count=True).read(sealed)


def test_the_name_of_a_known_secret_makes_no_signature_good() -> None:
    forged = replace(signed(), signature="v0=" + "0" * 64)

    with pytest.raises(Rejected, match="does not hold under any secret"):
        signatures(SECRET).read(forged)
    with pytest.raises(Rejected, match="does not hold under any secret"):
        signatures(SECRET).read(replace(forged, key=""))


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY.replace("U", "W")},
        {"timestamp": "1700000001"},
        {"signature": "v0=" + "0" * 64},
        {"signature": "\u00e9"},
        {"signed_by": SignedBy.BOT},
    ],
)
def test_any_change_of_a_kept_request_voids_it(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        signatures(SECRET).read(replace(signed(), **changes))


def test_over_a_socket_our_own_seal_counts_and_only_where_a_socket_is_used() -> None:
    kept = signatures().seal(PRESS, 1700000000)

    assert signatures(seals_count=True).read(kept).account == PRESS["user"]["id"]
    with pytest.raises(Rejected, match="does not use it"):
        signatures(SECRET).read(kept)
    assert signatures(seals_count=True, token=f"xoxb-newer,{TOKEN}").read(kept).account == PRESS["user"]["id"]
    with pytest.raises(Rejected, match="was not received by this bot"):
        signatures(seals_count=True).read(replace(kept, signature="v0=" + "0" * 64))


@pytest.mark.parametrize("body", ["", "payload=", "payload=[]", "payload=%7B", "a=b&" * 50, "payload=1&payload=2"])
def test_a_signed_body_that_is_no_interaction_is_refused(body: str) -> None:
    with pytest.raises(Rejected):
        signatures(SECRET).read(signed(body=body))


def test_a_body_that_the_database_cannot_hold_is_refused_at_the_door() -> None:
    with pytest.raises(Rejected, match="NUL"):
        signed(body="payload=\0")
