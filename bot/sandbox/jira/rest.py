"""The REST blueprint for all routes: checks of version and credentials, and Jira's error bodies."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, request

from bot.sandbox.jira.access import (
    answer_as_anonymous,
    require_credentials,
    require_gateway,
    require_quota,
    sandbox,
    site,
)
from bot.sandbox.jira.records import Deployment
from bot.sandbox.jira.refusals import Refusal
from bot.sandbox.jira.views import View

api = Blueprint("api", __name__, url_prefix="/rest/api/<version>")

VERSIONS = {
    Deployment.CLOUD: {"2": "2", "3": "3", "latest": "3"},
    Deployment.SERVER: {"2": "2", "latest": "2"},
}


@api.url_value_preprocessor
def take_version(_endpoint: str | None, values: dict[str, str] | None) -> None:
    asked = (values or {}).pop("version", "")
    version = VERSIONS[site().deployment].get(asked)
    if version is None:
        raise Refusal(404, (f"There is no REST API version {asked} here.",))
    g.view = View(site(), version)


@api.before_request
def authenticate() -> Response | None:
    require_quota()
    require_gateway()
    anonymous = answer_as_anonymous()
    if anonymous is not None:
        response = jsonify(anonymous)
        response.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
        return response
    if sandbox().token_expired and request.endpoint == "api.server_info":
        return None
    if request.endpoint != "api.server_info" or "Authorization" in request.headers:
        require_credentials()
    return None


@api.get("/serverInfo")
def server_info() -> Response:
    cloud = site().deployment is Deployment.CLOUD
    numbers = [1001, 0, 0] if cloud else [9, 12, 5]
    return jsonify(
        baseUrl=site().base_url,
        version=".".join(map(str, numbers if not cloud else ["1001", "0", "0-SNAPSHOT"])),
        versionNumbers=numbers,
        deploymentType="Cloud" if cloud else "Server",
        buildNumber=100_287 if cloud else 9_120_005,
        serverTitle="Jira",
    )


def refusal_response(refusal: Refusal) -> Response:
    response = jsonify(errorMessages=list(refusal.messages), errors=refusal.errors)
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


def created(body: object, status: int = 201) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response


def no_content(status: int = 204) -> Response:
    response = Response(status=status)
    response.headers["Content-Type"] = "application/json"
    return response
