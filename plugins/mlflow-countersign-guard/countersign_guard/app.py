"""The app that `mlflow server --app-name countersign` serves: MLflow's own, with a check before each write.

Settings: COUNTERSIGN_URL, COUNTERSIGN_API_TOKEN (the bot and the token of its API), COUNTERSIGN_GUARD_SECRET (what the bot shows to
be let through), COUNTERSIGN_GUARD_KEYS (a file with the public keys that sign approvals), COUNTERSIGN_GUARD_DIR (where the list is kept),
COUNTERSIGN_GUARD_REGISTRY (the registry's name in the policy; "default"), COUNTERSIGN_GUARD_BASIC_AUTH=true (with MLflow's basic auth),
COUNTERSIGN_GUARD_EVERY (seconds between two questions to the bot; 15).
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio import to_thread
from flask import Flask, Response, request
from starlette.middleware import Middleware

from countersign_guard.decide import refusal
from countersign_guard.governed import NotValid
from countersign_guard.keeping import Keeper, Source, read_keys
from countersign_guard.names import shown
from countersign_guard.routes import (
    READS,
    NotGuarded,
    NotReadable,
    check_flask_routes,
    check_native_routes,
    decoded,
    messages,
    read_write,
)
from countersign_guard.stores import MLFLOW, NotUnderstood, Unknown, with_address
from countersign_guard.writes import Act, Write

log = logging.getLogger("countersign_guard")
HEADER = "X-Countersign-Guard"
FEWEST_LETTERS = 32  # of the secret
UNDECIDED = "MLflow's store does not answer, so Countersign's guard cannot decide whether this may change. Try again in a moment."
ARTIFACTS = "/mlflow-artifacts/artifacts/"
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
    settings = read_settings(os.environ)
    flask_app, serve = _mlflow_app()
    check_flask_routes(flask_app)
    keeper = Keeper(settings.source, settings.folder)
    guard = Guard(keeper, settings.secret)
    flask_app.before_request(guard.before_request)
    served = serve()
    if served is flask_app:
        keeper.start()
        return flask_app
    check_native_routes(_native_endpoints(served))
    served.user_middleware.append(
        Middleware(NativeGuard, guard=guard)
    )  # innermost: behind basic auth and the choice of the workspace
    keeper.start()
    return served


def _mlflow_app() -> tuple[Flask, Callable[[], Any]]:
    """The Flask app, and what makes the app that is served of it once our check is in place, behind that of basic auth."""
    from mlflow.server import app as flask_app

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


@dataclass(frozen=True)
class Answer:
    """Why a write does not go on."""

    status: int
    code: str
    sentence: str


class Guard:
    """Answers 403 with the reason to whoever changes what is governed without the bot's secret."""

    def __init__(self, keeper: Keeper, secret: str) -> None:
        self.keeper = keeper
        self.secret = secret.encode()
        self.messages = messages()

    def before_request(self) -> Response | None:
        if request.method in READS or self.is_bot(request.headers.get(HEADER, "")):
            return None
        answer = self.refuses(lambda: read_write(request, _workspace(), self.messages))
        return _answer(answer) if answer is not None else None

    def refuses(self, read: Callable[[], Write | None]) -> Answer | None:
        """None when the write may go on. What cannot be decided does not."""
        try:
            write = read()
            if write is None:
                return None
            sentence = refusal(with_address(write), self.keeper.governed, MLFLOW)
        except (NotReadable, NotUnderstood) as refused:
            return Answer(400, "INVALID_PARAMETER_VALUE", str(refused))
        except Unknown as trouble:
            log.warning("countersign-guard: not decided, so refused: %s", shown(str(trouble)))
            return Answer(503, "TEMPORARILY_UNAVAILABLE", UNDECIDED)
        if not sentence:
            return None
        log.warning("countersign-guard: refused %s: %s", write.act.name, sentence)
        return Answer(403, "PERMISSION_DENIED", sentence)

    def is_bot(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self.secret)


class NativeGuard:
    """What FastAPI serves beside Flask: uploads of artifacts. Refused before the first byte of the body is read."""

    def __init__(self, app: Any, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = _artifact_in(scope)
        refused = await to_thread.run_sync(self._refuses, scope, path) if path is not None else None
        if refused is None:
            await self.app(scope, receive, send)
            return
        body = _body(refused)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refuses(self, scope: Any, path: str) -> Answer | None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.guard.is_bot(headers.get(HEADER.lower().encode(), "")):
            return None
        return self.guard.refuses(lambda: Write(Act.WRITE_FILE, _workspace(), path=decoded(path)))


def _artifact_in(scope: Any) -> str | None:
    """The path of the artifact that is written; None for another request."""
    if scope["type"] != "http" or scope["method"] in READS:
        return None
    _, found, path = str(scope["path"]).partition(ARTIFACTS)
    return path if found else None


def _workspace() -> str:
    try:
        from mlflow.utils.workspace_context import get_request_workspace
    except ImportError:  # before MLflow 3.10
        return "default"
    return get_request_workspace() or "default"


def _native_endpoints(app: Any) -> Iterator[Callable[..., Any]]:
    """The functions of all routes that FastAPI serves itself; what is mounted at / is Flask."""
    for route in getattr(app, "routes", ()):
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from _native_endpoints(router)
        elif getattr(route, "endpoint", None) is not None and set(getattr(route, "methods", None) or ()) - READS:
            yield route.endpoint


def _answer(answer: Answer) -> Response:
    return Response(_body(answer), answer.status, content_type="application/json")


def _body(answer: Answer) -> bytes:
    """In the form of MLflow's own errors, so that its client and its pages show the sentence."""
    return json.dumps({"error_code": answer.code, "message": answer.sentence}).encode()
