"""The Slack app's manifest with this installation's address, and the link that creates the app from it.

The manifest is config/slack_manifest.yaml, so that there is one list of scopes.
https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="
EXAMPLE = "https://countersign.example.com"


def manifest(address: str, mlflow: str = "") -> dict[str, Any]:
    """With Slack's way in to `address`; without an address, in Socket Mode. `mlflow` is where people open MLflow's pages."""
    text = files("config").joinpath("slack_manifest.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text.replace(EXAMPLE, address or EXAMPLE))
    if not address:
        found["settings"]["socket_mode_enabled"] = True
        del found["settings"]["interactivity"]["request_url"]
        del found["settings"]["event_subscriptions"]["request_url"]
        del found["oauth_config"]["redirect_urls"]
        for command in found["features"]["slash_commands"]:
            del command["url"]
    domains = [host for host in map(_host, (address, mlflow)) if host]
    found["features"]["unfurl_domains"] = domains
    if not domains:
        del found["features"]["unfurl_domains"]
    return found


def new_app_link(address: str, mlflow: str = "") -> str:
    return NEW_APP + quote(yaml.safe_dump(manifest(address, mlflow), sort_keys=False, allow_unicode=True), safe="")


def _host(url: str) -> str:
    """Of an address that Slack takes as a domain: no number, and no name without a dot."""
    host = urlsplit(url).hostname or ""
    return host if "." in host and not host.replace(".", "").isdigit() else ""
