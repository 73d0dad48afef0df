"""Calling the bot's API, for the commands that open requests where its address is set."""

from __future__ import annotations

from collections.abc import Mapping

import requests as http

from bot.commands.context import Failed
from bot.domain.workspaces import Workspace, same_server
from config.settings import Settings


def place_in(workspace: str, settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """How a job tells the bot where its model is: the place that was named, or the one that its MLflow client would talk to."""
    if workspace.strip():
        return {"workspace": str(Workspace.parse(workspace))}
    said = {
        "workspace": environ.get("MLFLOW_WORKSPACE", "").strip(),
        "registry": settings.job_registry,
    }
    return {name: text for name, text in said.items() if text}


def asks_over_http(settings: Settings) -> bool:
    return bool(settings.public_url and settings.api_token.get_secret_value())


def post(path: str, body: Mapping[str, object], settings: Settings) -> Mapping[str, str]:
    """The bot's answer. Raises Failed with the bot's own sentence when it refuses."""
    token = settings.api_token.get_secret_value()
    address = f"{settings.public_url.rstrip('/')}{path}"
    at = {
        "tracking_uri": same_server(settings.mlflow_tracking_uri)
    }  # beside the body, where a bot with one registry ignores it
    try:
        answer = http.post(address, json=body, params=at, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    except http.RequestException as trouble:
        raise Failed(f"{address} does not answer ({type(trouble).__name__}). Is the bot running?") from None
    if answer.status_code != 201:
        raise Failed(_sentence_of(answer))
    opened: Mapping[str, str] = answer.json()
    return opened


def _sentence_of(answer: http.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}: {answer.text[:200].strip()}"
