"""The state in the button: a webhook posts a card whose button carries model and version, and the click's handler sets the alias.

As it is usually written: both signatures are verified, approvers are a list of Slack ids, the card loses its buttons after the decision,
a failed post is a 500, so that MLflow sends the webhook again. There is no database.
"""

from __future__ import annotations

import json

from flask import Flask, request
from mlflow import MlflowClient
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from tests.bench.alternatives.poller import card
from tests.bench.alternatives.relay import is_signed


class Button:
    def __init__(
        self,
        registry: MlflowClient,
        slack: WebClient,
        webhook_secret: str,
        signing_secret: str,
        channel: str,
        approvers: frozenset[str],
    ) -> None:
        self.registry, self.slack, self.channel = registry, slack, channel
        self.secret, self.verifier = webhook_secret, SignatureVerifier(signing_secret)
        self.approvers = approvers

    def app(self) -> Flask:
        app = Flask("button")
        app.post("/mlflow")(self.received)
        app.post("/slack")(self.clicked)
        return app

    def received(self) -> tuple[str, int]:
        if not is_signed(request.headers, request.get_data(), self.secret):
            return "", 401
        event = request.get_json()
        data = event["data"]
        if (event["entity"], event["action"], data.get("alias")) != ("model_version_alias", "created", "candidate"):
            return "", 200
        version = self.registry.get_model_version(data["name"], data["version"])
        metrics = self.registry.get_run(version.run_id).data.metrics
        key = f"{data['name']}/{data['version']}"
        self.slack.chat_postMessage(channel=self.channel, text=f"New candidate {key}", blocks=card(key, metrics))
        return "", 200

    def clicked(self) -> tuple[str, int]:
        if not self.verifier.is_valid_request(request.get_data(), dict(request.headers)):
            return "", 401
        payload = json.loads(request.form["payload"])
        action, person, channel = payload["actions"][0], payload["user"]["id"], payload["channel"]["id"]
        if person not in self.approvers:
            self.slack.chat_postEphemeral(channel=channel, user=person, text="You may not approve this.")
            return "", 200
        name, version = action["value"].rsplit("/", 1)
        if action["action_id"] == "approve":
            self.registry.set_registered_model_alias(name, "champion", version)
        verdict = "approved" if action["action_id"] == "approve" else "rejected"
        text = f"{action['value']}: {verdict} by <@{person}>"
        self.slack.chat_update(channel=channel, ts=payload["message"]["ts"], text=text, blocks=[])
        return "", 200
