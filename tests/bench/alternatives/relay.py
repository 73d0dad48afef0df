"""The webhook relay: a handler that verifies MLflow's signature, posts what it says to Slack and forgets it.

Approvers set the alias with MLflow's own client, as the message says. As it is usually written: a failed post is a 500, so that
MLflow sends the webhook again, and every alias that is set is posted, also one that was not asked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from flask import Flask, request
from mlflow import MlflowClient
from slack_sdk import WebClient

MAX_AGE = 300  # seconds


class Relay:
    def __init__(self, registry: MlflowClient, slack: WebClient, webhook_secret: str, channel: str) -> None:
        self.registry, self.slack = registry, slack
        self.secret, self.channel = webhook_secret, channel

    def app(self) -> Flask:
        app = Flask("relay")
        app.post("/mlflow")(self.received)
        return app

    def received(self) -> tuple[str, int]:
        if not is_signed(request.headers, request.get_data(), self.secret):
            return "", 401
        event = request.get_json()
        data = event["data"]
        if event["entity"] != "model_version_alias" or event["action"] != "created":
            return "", 200
        key = f"{data['name']}/{data['version']}"
        if data["alias"] == "candidate":
            version = self.registry.get_model_version(data["name"], data["version"])
            metrics = self.registry.get_run(version.run_id).data.metrics
            figures = ", ".join(f"{name} {value:g}" for name, value in sorted(metrics.items()))
            text = f"*{key}* wants to be champion: {figures}. If you agree, set the alias `champion`"
        else:
            text = f"*{key}* is {data['alias']} now"
        self.slack.chat_postMessage(channel=self.channel, text=text)
        return "", 200


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """As MLflow documents it."""
    delivery, at = headers.get("X-MLflow-Delivery-Id", ""), headers.get("X-MLflow-Timestamp", "")
    signed = hmac.new(secret.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(signed).decode()
    is_young = at.isdigit() and abs(time.time() - int(at)) < MAX_AGE
    return is_young and hmac.compare_digest(expected, headers.get("X-MLflow-Signature", ""))
