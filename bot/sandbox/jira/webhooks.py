"""Delivers webhooks: signed, in order, in a background thread, with a limited number of retries."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import queue
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from bot.sandbox.jira.views import View

if TYPE_CHECKING:
    from bot.sandbox.jira.fields import JsonObject
    from bot.sandbox.jira.site import News, Site

LOG = logging.getLogger(__name__)
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
CONNECT_AND_ANSWER_SECONDS = (5, 20)  # what Jira allows a receiver
BRIEF_FIELDS = frozenset({"summary", "issuetype", "project", "status", "priority", "assignee"})
ISSUE_EVENT_TYPES = {"jira:issue_created": "issue_created", "jira:issue_updated": "issue_generic"}


@dataclass(frozen=True)
class Delivery:
    """The identifier is the same for all retries."""

    identifier: str
    body: bytes


class Webhooks:
    """Sends nothing while `url` is None. `pauses` are the seconds before each retry."""

    def __init__(self, site: Site, url: str | None, secret: str, pauses: tuple[float, ...]) -> None:
        self.site = site
        self.url = url
        self.secret = secret
        self.pauses = pauses
        self._queue: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._sender: threading.Thread | None = None

    def tell(self, news: News) -> None:
        if self.url is None:
            return
        body = json.dumps(as_payload(news, self.site)).encode()
        self._queue.put(Delivery(str(uuid.uuid4()), body))
        with self._lock:
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_all, name="jira-sandbox-webhooks", daemon=True)
                self._sender.start()

    def _send_all(self) -> None:
        while True:
            self._send(self._queue.get())

    def _send(self, delivery: Delivery) -> None:
        for tried, pause in enumerate((*self.pauses, None)):
            if self._try_to_send(delivery, tried):
                return
            if pause is not None:
                time.sleep(pause)
        LOG.warning("webhook %s was given up after %d tries", delivery.identifier, len(self.pauses) + 1)

    def _try_to_send(self, delivery: Delivery, tried: int) -> bool:
        """True when it is finished: accepted, or refused permanently."""
        headers = self._headers(delivery, tried)
        try:
            answer = requests.post(
                self.url or "", data=delivery.body, headers=headers, timeout=CONNECT_AND_ANSWER_SECONDS
            )
        except requests.RequestException as error:
            LOG.info("webhook %s did not arrive: %s", delivery.identifier, error)
            return False
        return answer.status_code not in RETRIED

    def _headers(self, delivery: Delivery, tried: int) -> dict[str, str]:
        signature = hmac.new(self.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Atlassian-Webhook-Identifier": delivery.identifier,
            "X-Atlassian-Webhook-Flow": "Primary",
            "X-Hub-Signature": f"sha256={signature}",
        }
        return headers | ({"X-Atlassian-Webhook-Retry": str(tried)} if tried else {})


def as_payload(news: News, site: Site) -> JsonObject:
    """Jira's webhook bodies are those of REST version 2, on both deployments."""
    view = View(site, "2")
    payload: JsonObject = {"timestamp": int(time.time() * 1000), "webhookEvent": news.happening.value}
    if news.comment is not None:
        brief = view.issue(news.issue, BRIEF_FIELDS)
        return payload | {"comment": view.comment(news.issue, news.comment), "issue": brief}
    payload |= {"user": view.user(news.actor), "issue": view.issue(news.issue, frozenset({"*all"}))}
    if news.happening.value in ISSUE_EVENT_TYPES:
        payload["issue_event_type_name"] = ISSUE_EVENT_TYPES[news.happening.value]
    if news.change is not None:
        payload["changelog"] = {"id": news.change.id, "items": view.change_items(news.change)}
    return payload
