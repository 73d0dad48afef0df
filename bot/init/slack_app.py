"""The Slack app's manifest with this installation's address, and the link that creates the app from it.

The manifest is config/slack_manifest.yaml, so that there is one list of scopes.
https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any
from urllib.parse import quote

import yaml

NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="
EXAMPLE = "https://countersign.example.com"


def manifest(address: str) -> dict[str, Any]:
    """With Slack's way in to `address`; without an address, in Socket Mode."""
    text = files("config").joinpath("slack_manifest.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text.replace(EXAMPLE, address or EXAMPLE))
    if not address:
        found["settings"]["socket_mode_enabled"] = True
        del found["settings"]["interactivity"]["request_url"]
        del found["oauth_config"]["redirect_urls"]
        for command in found["features"]["slash_commands"]:
            del command["url"]
    return found


def new_app_link(address: str) -> str:
    return NEW_APP + quote(yaml.safe_dump(manifest(address), sort_keys=False, allow_unicode=True), safe="")
