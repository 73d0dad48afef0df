"""The app that `mlflow server --app-name countersign` serves: MLflow's own, with a check before each write.

Settings: COUNTERSIGN_URL, COUNTERSIGN_API_TOKEN (the bot and the token of its API), COUNTERSIGN_GUARD_SECRET (what the bot shows to
be let through), COUNTERSIGN_GUARD_KEYS (a file with the public keys that sign approvals), COUNTERSIGN_GUARD_DIR (where the list is kept),
COUNTERSIGN_GUARD_REGISTRY (the registry's name in the policy; "default"), COUNTERSIGN_GUARD_BASIC_AUTH=true (with MLflow's basic auth),
COUNTERSIGN_GUARD_EVERY (seconds between two questions to the bot; 15).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from flask import Flask, Response
from packaging.version import Version
from starlette.middleware import Middleware

from countersign_guard.governed import NotValid
from countersign_guard.guard import Guard
from countersign_guard.keeping import Keeper, Source, read_keys
from countersign_guard.native import NativeGuard, native_endpoints
from countersign_guard.outbox import Outbox
from countersign_guard.reporting import Reporter, basic_auth_user, nobody
from countersign_guard.routes import NotGuarded, check_flask_routes, check_native_routes
from countersign_guard.state import answer_about

OLDEST = (3, 8)  # of MLflow
FEWEST_LETTERS = 32  # of the secret
UPLOAD = "upload_artifact"
GATEWAY_TOKEN = "_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN"
BASIC_AUTH = "COUNTERSIGN_GUARD_BASIC_AUTH"


def _with_basic_auth() -> bool:
    return os.environ.get(BASIC_AUTH, "").strip().lower() in {"1", "true", "yes", "on"}


if _with_basic_auth():
    # `mlflow server` makes this token for --app-name basic-auth alone. It imports this module before it starts its workers,
    # so all of them get the same one.
    os.environ.setdefault(GATEWAY_TOKEN, secrets.token_hex(32))


@dataclass(frozen=True)
class Settings:
    source: Source
    secret: str
    folder: Path


def create_app() -> Any:
    """MLflow's app for uvicorn (ASGI) or for gunicorn and waitress (WSGI). Raises NotGuarded before it serves anything half guarded."""
    check_version(mlflow.__version__)
    settings = read_settings(os.environ)
    keeper, outbox = Keeper(settings.source, settings.folder), Outbox(settings.folder / "writes.sqlite")
    reporter = Reporter(settings.source, settings.secret, outbox, basic_auth_user if _with_basic_auth() else nobody)
    flask_app, serve = _mlflow_app(answer_about(keeper, reporter, outbox, settings.secret, _with_basic_auth()))
    check_flask_routes(flask_app)
    guard = Guard(keeper, settings.secret, reporter)
    flask_app.before_request(guard.before_request)
    flask_app.after_request(guard.after_request)
    served = serve()
    if served is flask_app:
        keeper.start()
        reporter.start()
        return flask_app
    endpoints = list(native_endpoints(served))
    check_native_routes(endpoints)
    has_uploads = any(endpoint.__name__ == UPLOAD for endpoint in endpoints)
    # The innermost one, so that it comes after basic auth and after the choice of the workspace.
    served.user_middleware.append(Middleware(NativeGuard, guard=guard, has_uploads=has_uploads))
    keeper.start()
    reporter.start()
    return served


def check_version(version: str) -> None:
    """Raises NotGuarded for an MLflow from before the ways around the guard were tried. MLflow 2 has no route that is in no table."""
    if Version(version).release[:2] < OLDEST:
        raise NotGuarded(
            f"countersign-guard does not know this MLflow ({version}): it is older than {'.'.join(map(str, OLDEST))}. "
            "It guards all or does not start. Upgrade MLflow."
        )


def _mlflow_app(first: Callable[[], Response | None]) -> tuple[Flask, Callable[[], Any]]:
    """The Flask app, and what makes the app that is served of it once our check is in place, behind that of basic auth; `first` is
    before it.
    """
    from mlflow.server import app as flask_app

    flask_app.before_request(first)
    if _with_basic_auth():
        from mlflow.server import auth

        served = auth.create_app(flask_app)
        return flask_app, lambda: served
    if os.environ.get("_MLFLOW_SGI_NAME") == "uvicorn":
        from mlflow.server.fastapi_app import create_fastapi_app

        return flask_app, lambda: create_fastapi_app(flask_app)
    return flask_app, lambda: flask_app


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises NotGuarded with all that is missing."""
    names = (
        "COUNTERSIGN_URL",
        "COUNTERSIGN_API_TOKEN",
        "COUNTERSIGN_GUARD_SECRET",
        "COUNTERSIGN_GUARD_KEYS",
        "COUNTERSIGN_GUARD_DIR",
    )
    missing = [name for name in names if not environment.get(name, "").strip()]
    if missing:
        raise NotGuarded(
            f"set {', '.join(missing)} for `mlflow server --app-name countersign`, or leave the option out"
        )
    url, token, secret, keys, folder = (environment[name].strip() for name in names)
    if len(secret) < FEWEST_LETTERS:
        raise NotGuarded(
            f"COUNTERSIGN_GUARD_SECRET has {len(secret)} characters, fewer than {FEWEST_LETTERS}; `openssl rand -hex 32` makes one"
        )
    try:
        known = read_keys(Path(keys).read_text())
    except (OSError, NotValid) as error:
        raise NotGuarded(f"COUNTERSIGN_GUARD_KEYS={keys}: {error}") from None
    registry = environment.get("COUNTERSIGN_GUARD_REGISTRY", "").strip() or "default"
    every = _seconds(environment.get("COUNTERSIGN_GUARD_EVERY", "").strip() or "15")
    return Settings(Source(url, token, registry, known, every), secret, Path(folder))


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.5 <= found <= 3600:
        raise NotGuarded(f"COUNTERSIGN_GUARD_EVERY={text}: write a number of seconds from 0.5 to 3600")
    return found
