"""Jira's webhooks: a ticket moved by hand decides nothing, and says so."""

from __future__ import annotations

import hashlib
import hmac
import uuid

import pytest
import requests

from bot.domain.model import State
from tests.fixtures.installation import JIRA_SECRET, Installation


@pytest.fixture
def heard(installation: Installation) -> Installation:
    """The installation's Jira tells the bot what happens to its tickets."""
    installation.jira.webhook_url = f"{installation.url}/webhooks/jira"
    return installation


def test_a_ticket_closed_by_hand_gets_a_comment_and_the_request_still_waits(heard: Installation) -> None:
    request = heard.asked()
    ticket = heard.reread(request).ticket
    assert ticket is not None

    heard.jira.transition(ticket.key, "Approve", "ben")
    heard.settle_until(lambda: any("by hand" in comment.text for comment in heard.jira.comments(ticket.key)))

    assert heard.reread(request).state is State.PENDING
    assert heard.champion() is None
    heard.approve(request)
    assert heard.champion() == 1
    assert heard.ticket_status(request) == "Done"


def test_the_same_delivery_twice_is_looked_at_once_and_an_unsigned_one_never(installation: Installation) -> None:
    body = b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "10000", "key": "GOV-1"}}'
    signature = "sha256=" + hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest()
    signed = {"X-Hub-Signature": signature, "X-Atlassian-Webhook-Identifier": str(uuid.uuid4())}
    address = f"{installation.url}/webhooks/jira"

    first = requests.post(address, data=body, headers=signed, timeout=10)
    second = requests.post(address, data=body, headers=signed, timeout=10)
    unsigned = requests.post(address, data=body, timeout=10)

    assert (first.status_code, first.json()["result"]) == (200, "no_news")
    assert (second.status_code, second.json()["result"]) == (200, "duplicate")
    assert unsigned.status_code == 401
