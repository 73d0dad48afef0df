"""Every door of the real Flask app, called with any bytes, signed as the real sender would sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

from flask.testing import FlaskClient

from bot.app import flask_app
from bot.assembly import build_services
from bot.domain.events import PasskeyConfirmed, PasskeyEnrolled
from bot.links import Links, confirm_path, enrol_path, path_of
from bot.ports import Click
from bot.sandbox.slack.delivery import FORM, sign
from bot.services import Services
from bot.store.passkeys import PendingEnrolment, PendingVote
from config.settings import Settings
from handlers.policy.activation import activate_policy
from tests.builders import REQUEST_ID, a_vote
from tests.builders.passkeys import CHALLENGE, PARTY, PASSKEY, PAYLOAD
from tests.fixtures.installation import API_TOKEN, JIRA_SECRET, MLFLOW_SECRET, SLACK_SECRET, policy_text
from tests.fixtures.passkeys import SITE

NOWHERE = "http://127.0.0.1:9"  # the discard port: MLflow, Slack and Jira refuse the connection
LINK_KEY = "a-link-key-of-the-tests-0123456789"
JSON = "application/json"
WAITS = "0" * 32  # the id of the vote and of the page that wait for a passkey


@dataclass
class Doors:
    """Each method returns the status of the answer."""

    client: FlaskClient
    deliveries: count[int]

    def mlflow(self, body: bytes) -> int:
        delivery, at = f"f-{next(self.deliveries)}", str(int(time.time()))
        digest = hmac.new(MLFLOW_SECRET.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
        signature = "v1," + base64.b64encode(digest).decode()
        headers = {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": at, "X-MLflow-Signature": signature}
        return self._post("/webhooks/mlflow", body, headers)

    def jira(self, body: bytes) -> int:
        digest = hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": f"sha256={digest}", "X-Atlassian-Webhook-Identifier": str(next(self.deliveries))}
        return self._post("/webhooks/jira", body, headers)

    def slack_form(self, body: bytes) -> int:
        return self._slack(body, FORM)

    def slack_payload(self, payload: bytes) -> int:
        return self._slack(urlencode({"payload": payload}).encode(), FORM)

    def slack_event(self, body: bytes) -> int:
        return self._slack(body, JSON)

    def slack_unsigned(self, body: bytes) -> int:
        at = str(int(time.time()))
        forged = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": sign("guessed", at, body)}
        return self._post("/slack/events", body, {**forged, "Content-Type": FORM})

    def ask(self, body: bytes) -> int:
        return self._post("/api/requests", body, {"Authorization": f"Bearer {API_TOKEN}"})

    def go_back(self, body: bytes) -> int:
        return self._post("/api/rollbacks", body, {"Authorization": f"Bearer {API_TOKEN}"})

    def gate(self, text: bytes) -> int:
        """A path below /gate/, with its query."""
        return self._get(b"/gate/" + text, {"Authorization": f"Bearer {API_TOKEN}"})

    def page(self, name: bytes) -> int:
        """The page of a model of this name, by a link that is signed."""
        model = name.decode(errors="replace")
        link = Links("http://bot", [LINK_KEY]).to_version(model, 1, datetime.now(UTC))
        return self._get(unquote_to_bytes(path_of(model, 1)) + b"?" + urlsplit(link).query.encode(), {})

    def unsigned_page(self, text: bytes) -> int:
        return self._get(b"/models/" + text, {})

    def confirm(self, body: bytes) -> int:
        """What the page of a vote that waits sends, by a signed link."""
        return self._to_page(confirm_path(WAITS), body)

    def enrol(self, body: bytes) -> int:
        """What the page sends where a passkey is made, by a signed link."""
        return self._to_page(enrol_path(WAITS), body)

    def unsigned_passkeys(self, text: bytes) -> int:
        return max(self._get(b"/confirm/" + text, {}), self._get(b"/passkeys/" + text, {}))

    def headers(self, text: bytes) -> int:
        """The same text as each header that a door reads."""
        value = text.decode("latin-1").replace("\r", "").replace("\n", "")
        worst = 0
        for path, names in HEADERS.items():
            worst = max(worst, self._post(path, b"{}", dict.fromkeys(names, value)))
        return worst

    def _slack(self, body: bytes, content_type: str) -> int:
        at = str(int(time.time()))
        signed = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": sign(SLACK_SECRET, at, body)}
        return self._post("/slack/events", body, {**signed, "Content-Type": content_type})

    def _to_page(self, path: str, body: bytes) -> int:
        link = urlsplit(Links(SITE, [LINK_KEY]).to_page(path, datetime.now(UTC) + timedelta(minutes=1)))
        return self._post(f"{link.path}?{link.query}", body, {"Content-Type": JSON})

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        return self.client.post(path, data=body, headers=dict(headers)).status_code

    def _get(self, target: bytes, headers: Mapping[str, str]) -> int:
        """As the server passes it on: the path is unquoted, and each byte is one character."""
        path, _, query = target.partition(b"?")
        return self.client.open(
            "/",
            environ_overrides={"PATH_INFO": path.decode("latin-1"), "QUERY_STRING": query.decode("latin-1")},
            headers=dict(headers),
        ).status_code


HEADERS: Mapping[str, tuple[str, ...]] = {
    "/webhooks/mlflow": ("X-MLflow-Delivery-Id", "X-MLflow-Timestamp", "X-MLflow-Signature"),
    "/webhooks/jira": ("X-Hub-Signature", "X-Atlassian-Webhook-Identifier"),
    "/slack/events": ("X-Slack-Request-Timestamp", "X-Slack-Signature", "Content-Type"),
    "/api/requests": ("Authorization",),
}


@contextmanager
def open_doors(url: str) -> Iterator[Doors]:
    """On this migrated database. Vendors are not there: what must ask them answers that it cannot."""
    settings = Settings.model_validate(
        {
            "DATABASE_URL": url,
            "COUNTERSIGN_URL": SITE,
            "COUNTERSIGN_API_TOKEN": API_TOKEN,
            "COUNTERSIGN_LINK_KEY": LINK_KEY,
            "MLFLOW_TRACKING_URI": NOWHERE,
            "MLFLOW_WEBHOOK_SECRET": MLFLOW_SECRET,
            "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
            "SLACK_SIGNING_SECRET": SLACK_SECRET,
            "SLACK_API_URL": f"{NOWHERE}/api/",
            "JIRA_URL": NOWHERE,
            "JIRA_EMAIL": "bot@example.com",
            "JIRA_API_TOKEN": "a-jira-token-of-the-tests",
            "JIRA_WEBHOOK_SECRET": JIRA_SECRET,
        }
    )
    services = build_services(settings, url)
    activate_policy(policy_text("bike-*"), "test", services)
    _make_passkeys_wait(services)
    yield Doors(flask_app(services, settings, url).test_client(), count())
    services.store.engine.dispose()


def _make_passkeys_wait(s: Services) -> None:
    """A vote that the passkey of the seeds may sign, and a page where one may be made."""
    now = datetime.now(UTC)
    ends = now + timedelta(days=1)
    click = Click("T1", "A1", "C1", "1.2", "U0CY0000003", "approve", REQUEST_ID, "")
    with s.store.transaction() as tx:
        person = tx.people.get_or_add("ana@example.com", "Ana Ruiz").id
        tx.record([PasskeyEnrolled(now, "cy", PASSKEY.credential, PASSKEY.public_key, PARTY.id, "U0CY0000003", "T1")])
        tx.record([PasskeyConfirmed(now, "cy", PASSKEY.credential, person, "U0ANA000001", "T1")])
        tx.passkeys.keep_pending(PendingVote(WAITS, REQUEST_ID, a_vote("cy"), click, PAYLOAD.decode(), now, ends))
        tx.passkeys.keep_enrolment(PendingEnrolment(WAITS, person, "U0ANA000001", "T1", CHALLENGE, now, ends))


def each_door(doors: Doors) -> Mapping[str, Callable[[bytes], int]]:
    return {
        "mlflow": doors.mlflow,
        "jira": doors.jira,
        "slack-form": doors.slack_form,
        "slack-payload": doors.slack_payload,
        "slack-event": doors.slack_event,
        "slack-unsigned": doors.slack_unsigned,
        "api-requests": doors.ask,
        "api-rollbacks": doors.go_back,
        "gate": doors.gate,
        "page": doors.page,
        "unsigned-page": doors.unsigned_page,
        "confirm": doors.confirm,
        "enrol": doors.enrol,
        "unsigned-passkeys": doors.unsigned_passkeys,
        "headers": doors.headers,
    }
