"""What FastAPI serves beside Flask: uploads of artifacts, refused before the first byte of the body is read, and MLflow's own jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from anyio import to_thread

from countersign_guard.guard import HEADER, Answer, Guard, body_of, workspace
from countersign_guard.routes import READS, decoded
from countersign_guard.writes import Act, Write

ARTIFACTS, JOBS = "/mlflow-artifacts/artifacts/", "/ajax-api/3.0/jobs"
LARGEST = 1 << 20  # bytes of a job's parameters
TOO_LARGE = Answer(413, "INVALID_PARAMETER_VALUE", f"The parameters of this job are larger than {LARGEST >> 20} MiB.")


class NativeGuard:
    """The innermost middleware, behind basic auth and the choice of the workspace.

    Where Flask serves uploads, as older releases of MLflow do, they are judged there: basic auth is there too.
    """

    def __init__(self, app: Any, guard: Guard, has_uploads: bool) -> None:
        self.app = app
        self.guard = guard
        self.has_uploads = has_uploads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refused = None
        if scope["type"] == "http" and scope["method"] not in READS:
            _, is_artifact, path = str(scope["path"]).partition(ARTIFACTS)
            if is_artifact and self.has_uploads and not self._is_bot(scope):
                refused = await to_thread.run_sync(self._judge_file, path)
            elif JOBS in str(scope["path"]) and not self._is_bot(scope):
                body = await _read(receive)
                refused = TOO_LARGE if body is None else await to_thread.run_sync(self._judge_job, body)
                receive = _again(body or b"", receive)
        if refused is None:
            await self.app(scope, receive, send)
        else:
            await _refuse(refused, send)

    def _is_bot(self, scope: Any) -> bool:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return self.guard.is_bot(headers.get(HEADER.lower().encode(), ""))

    def _judge_file(self, path: str) -> Answer | None:
        return self.guard.refuses(lambda: Write(Act.WRITE_FILE, workspace(), path=decoded(path)))

    def _judge_job(self, body: bytes) -> Answer | None:
        """A job writes to the run that its parameters name."""
        return self.guard.refuses(lambda: Write(Act.WRITE_RUN, workspace(), ids=_named_in(body)))


def _named_in(body: bytes) -> tuple[str, ...]:
    """All texts among a job's parameters: which of them is a run's id, the job knows."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ()  # FastAPI refuses it
    params = said.get("params") if isinstance(said, dict) else None
    return tuple(value for value in params.values() if isinstance(value, str)) if isinstance(params, dict) else ()


async def _read(receive: Any) -> bytes | None:
    """None for what is too large, or from a client that has gone."""
    body, is_over = bytearray(), False
    while not is_over:
        message = await receive()
        body += message.get("body", b"")
        is_over = not message.get("more_body", False)
        if message["type"] != "http.request" or len(body) > LARGEST:
            return None
    return bytes(body)


def _again(body: bytes, receive: Any) -> Callable[[], Any]:
    """Hands out the body that was read, then what comes after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Any:
        return waiting.pop() if waiting else await receive()

    return next_message


async def _refuse(answer: Answer, send: Any) -> None:
    body = body_of(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def native_endpoints(app: Any) -> Iterator[Callable[..., Any]]:
    """The functions of all routes that FastAPI serves itself; what is mounted at / is Flask."""
    for route in getattr(app, "routes", ()):
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from native_endpoints(router)
        elif getattr(route, "endpoint", None) is not None and set(getattr(route, "methods", None) or ()) - READS:
            yield route.endpoint
