"""The naive poller: a loop over `search_model_versions` posts each new version with two buttons, and a file remembers what was posted.

As it is usually written: approvers are a list of Slack ids, Slack's signature is verified, a rate limit is waited for once, an error is
logged and the next round tries again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from flask import Flask, request
from mlflow import MlflowClient
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

log = logging.getLogger("poller")


class Poller:
    def __init__(
        self,
        registry: MlflowClient,
        slack: WebClient,
        signing_secret: str,
        channel: str,
        approvers: frozenset[str],
        prefix: str,
        state: Path,
    ) -> None:
        self.registry, self.slack, self.channel = registry, slack, channel
        self.verifier = SignatureVerifier(signing_secret)
        self.approvers, self.prefix, self.file = approvers, prefix, state
        self.state: dict[str, str] = json.loads(state.read_text()) if state.exists() else {}

    def app(self) -> Flask:
        app = Flask("poller")
        app.post("/slack")(self.clicked)
        return app

    def poll(self) -> None:
        """One round of the loop."""
        for version in self.registry.search_model_versions(f"name LIKE '{self.prefix}%'"):
            key = f"{version.name}/{version.version}"
            if key in self.state:
                continue
            try:
                metrics = self.registry.get_run(version.run_id).data.metrics
                self.slack.chat_postMessage(channel=self.channel, text=f"New version {key}", blocks=card(key, metrics))
                self.remember(key, "posted")
            except Exception:
                log.exception("could not post %s; the next round tries again", key)

    def clicked(self) -> tuple[str, int]:
        if not self.verifier.is_valid_request(request.get_data(), dict(request.headers)):
            return "", 401
        payload = json.loads(request.form["payload"])
        action, person = payload["actions"][0], payload["user"]["id"]
        key, channel = action["value"], payload["channel"]["id"]
        if person not in self.approvers:
            self.slack.chat_postEphemeral(channel=channel, user=person, text="You may not approve this.")
            return "", 200
        if self.state.get(key) not in (None, "posted"):
            self.slack.chat_postEphemeral(channel=channel, user=person, text=f"Already {self.state[key]}.")
            return "", 200
        if action["action_id"] == "approve":
            name, version = key.rsplit("/", 1)
            self.registry.set_registered_model_alias(name, "champion", version)
        verdict = "approved" if action["action_id"] == "approve" else "rejected"
        self.remember(key, verdict)
        self.slack.chat_update(
            channel=channel, ts=payload["message"]["ts"], text=f"{key}: {verdict} by <@{person}>", blocks=[]
        )
        return "", 200

    def remember(self, key: str, what: str) -> None:
        self.state[key] = what
        self.file.write_text(json.dumps(self.state))


def card(key: str, metrics: dict[str, float]) -> list[dict[str, object]]:
    figures = ", ".join(f"{name} {value:g}" for name, value in sorted(metrics.items()))
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{key}* wants to be champion: {figures}"}},
        {"type": "actions", "elements": [button("approve", key), button("reject", key)]},
    ]


def button(action: str, value: str) -> dict[str, object]:
    label = {"type": "plain_text", "text": action.title()}
    return {"type": "button", "action_id": action, "text": label, "value": value}
