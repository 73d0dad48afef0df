"""The routes for bots: `/api/<method>`, response URLs, uploads and the socket. Checks the token and its scopes, and calls the method."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from ..backend import Backend
from ..response_urls import answer
from ..wire import Json, SlackError, parsed
from . import chat, conversations, files, people, unfurl, views
from .calls import Call

if TYPE_CHECKING:
    from .calls import Method

METHODS: dict[str, tuple[Method, str]] = {
    **people.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **views.METHODS,
    **unfurl.METHODS,
    **files.METHODS,
}
WITHOUT_TOKEN = {"api.test"}
WITH_APP_TOKEN = {"apps.connections.open"}


def web_api(backend: Backend) -> Blueprint:
    routes = Blueprint("web_api", __name__)

    @routes.route("/api/<method>", methods=["GET", "POST"])
    def call_method(method: str) -> Response:
        try:
            content = {"ok": True, **_call(backend, method)}
        except SlackError as error:
            return _refusal(error)
        return _with_scopes(jsonify(content), backend, method)

    @routes.post("/actions/<_team_id>/<secret>")
    def answer_interaction(_team_id: str, secret: str) -> tuple[Response, int] | Response:
        body = parsed(request.get_data(as_text=True))
        if not isinstance(body, dict):
            return jsonify(ok=False, error="invalid_payload"), 400
        try:
            answer(backend.workspace, backend.app.bot_user_id, backend.response_urls.redeem(secret), body)
        except SlackError as error:
            status = 404 if error.code.endswith("_url") else 400
            return jsonify(ok=False, error=error.code, **error.details), status
        return jsonify(ok=True)

    @routes.post("/upload/v1/<ticket>")
    def take_upload(ticket: str) -> tuple[str, int]:
        upload = backend.uploads.get(ticket)
        if upload is None:
            return "no such upload", 404
        content = _uploaded_bytes()
        if len(content) != upload.length:
            return f"expected {upload.length} bytes and got {len(content)}", 400
        upload.content = content
        return f"OK - {len(content)}", 200

    @routes.get("/files/<file_id>/<_name>")
    def read_file(file_id: str, _name: str) -> Response:
        """Always a download, so that no uploaded HTML page can run under the sandbox's address."""
        file = backend.workspace.files.get(file_id)
        if file is None:
            return Response("no such file", 404)
        headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
        return Response(file.content, mimetype="application/octet-stream", headers=headers)

    return routes


def _call(backend: Backend, method: str) -> Json:
    if method not in METHODS:
        raise SlackError("unknown_method", req_method=method)
    arguments = _arguments()
    if method not in WITHOUT_TOKEN:
        _check_token(backend, method, arguments)
    call = Call(arguments, request.host_url.rstrip("/"), backend)
    run, scope = METHODS[method]
    if scope:
        call.require(scope)
    return run(call)


def _arguments() -> Mapping[str, object]:
    """Query, form and JSON body, as Slack accepts them; slack_sdk sends a JSON content type even with an empty body."""
    if not request.is_json or not request.get_data():
        return {**request.args.to_dict(), **request.form.to_dict()}
    body = parsed(request.get_data(as_text=True))
    if not isinstance(body, dict):
        raise SlackError("invalid_json" if body is None else "json_not_object")
    return {**request.args.to_dict(), **body}


def _check_token(backend: Backend, method: str, arguments: Mapping[str, object]) -> None:
    app = backend.app
    bearer = request.headers.get("Authorization", "")
    token = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else str(arguments.get("token") or "")
    wanted, other = (app.app_token, app.bot_token) if method in WITH_APP_TOKEN else (app.bot_token, app.app_token)
    if not token:
        raise SlackError("not_authed")
    if _same(token, other):
        raise SlackError("not_allowed_token_type")
    if not _same(token, wanted):
        raise SlackError("invalid_auth")
    if app.revoked:
        raise SlackError("token_revoked")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _refusal(error: SlackError) -> Response:
    retry_after = error.details.pop("retry_after", None)
    response = jsonify(ok=False, error=error.code, **error.details)
    if retry_after is not None:
        response.status_code = 429
        response.headers["Retry-After"] = str(retry_after)
    return response


def _with_scopes(response: Response, backend: Backend, method: str) -> Response:
    response.headers["x-oauth-scopes"] = ",".join(sorted(backend.app.scopes))
    response.headers["x-accepted-oauth-scopes"] = METHODS[method][1]
    return response


def _uploaded_bytes() -> bytes:
    """Slack takes the raw body or a multipart form with one file."""
    raw = request.get_data() if request.mimetype != "multipart/form-data" else b""
    return raw or b"".join(file.read() for file in request.files.values())
