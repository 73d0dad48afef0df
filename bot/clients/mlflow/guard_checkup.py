"""What `countersign doctor` asks about the guard of an MLflow server (plugins/mlflow-countersign-guard): what it says of itself, and what
an address answers to somebody without an account. A write is asked for version 0 alone, which MLflow never has, so nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, cast
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.clients.mlflow.http import NOT_THERE, writing
from bot.domain.model import Target, TargetKind

GUARD = "[countersign-guard]"  # in each of its refusals
TIMEOUT = 5.0  # seconds; a firewall answers nothing
NO_VERSION = "0"  # MLflow counts versions from 1
NO_UPLOAD = "countersign-doctor"
API, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts"


class ListSeen(BaseModel):
    """The signed list that the guard goes by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issued: datetime
    expires: datetime
    rules: int
    versions: int


class ReportsSeen(BaseModel):
    """Writes that the bot has not been told of; `waiting` is None when the guard's file cannot be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    waiting: int | None
    since: datetime | None
    trouble: str


class GuardSeen(BaseModel):
    """What the guard says about itself; `trouble` is why its list was not renewed. The names of the fields are the guard's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    registry: str
    keys: tuple[str, ...]
    governed: ListSeen | None
    trouble: str
    reports: ReportsSeen
    basic_auth: bool


def guard_in(answer: requests.Response) -> GuardSeen | None:
    """None when it is no answer of a guard that knows our secret."""
    if answer.status_code != 200:
        return None
    try:
        return GuardSeen.model_validate_json(answer.content)
    except ValidationError:
        return None


class Met(StrEnum):
    """What somebody without an account meets who asks to move a target."""

    GUARD = "guard"
    SIGN_IN = "sign-in"
    NOTHING = "nothing"  # in the way: MLflow looked for the version
    ANOTHER_REGISTRY = "another registry"
    NO_ANSWER = "no answer"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Tried:
    """`said` is what the address answered, where that is worth saying."""

    met: Met
    said: str = ""


def tried_without_account(address: str, model: str, target: Target) -> Tried:
    """What becomes of a request to move an alias or a stage of the model to version 0."""
    address = _without_account(address)
    try:
        answer = _asked_to_move(address, model, target)
        if answer.status_code == 404 and _code_in(answer) == NOT_THERE:
            return Tried(Met.NOTHING if _has(address, model) else Met.ANOTHER_REGISTRY)
    except requests.RequestException as trouble:
        return Tried(Met.NO_ANSWER, type(trouble).__name__)
    if answer.status_code == 403 and GUARD in answer.text:
        return Tried(Met.GUARD)
    if answer.status_code in (401, 403) or 300 <= answer.status_code < 400:
        return Tried(Met.SIGN_IN, str(answer.status_code))
    return Tried(Met.UNKNOWN, str(answer.status_code))


def tried_to_end_an_upload(address: str, path: str) -> Tried:
    """What becomes of a request to end an upload that never began, into a file that MLflow's server keeps; with the account that
    `open_client` has set. Nothing is written or deleted by it. Raises as `writing` does.
    """
    with writing("trying to end an upload that never began"):
        answer = _asked_to_end_upload(address, path)
    if answer.status_code == 403 and GUARD in answer.text:
        return Tried(Met.GUARD)
    if answer.status_code in (401, 403):
        return Tried(Met.SIGN_IN, str(answer.status_code))
    if answer.status_code in (404, 405, 502, 503, 504):
        return Tried(Met.UNKNOWN, str(answer.status_code))
    return Tried(Met.NOTHING, str(answer.status_code))


def _asked_to_end_upload(address: str, path: str) -> requests.Response:
    """Whatever the status. Raises MlflowException when there is no answer."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    account, body = get_default_host_creds(address), {"path": path, "upload_id": NO_UPLOAD}  # type: ignore[no-untyped-call]
    try:
        answer = http_request(account, f"{FILES}/mpu/abort/{quote(path)}", "POST", json=body)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        cause = error.__context__
        if not isinstance(cause, requests.HTTPError) or cause.response is None:
            raise
        answer = cause.response
    return cast("requests.Response", answer)


def _asked_to_move(address: str, model: str, target: Target) -> requests.Response:
    if target.kind is TargetKind.STAGE:
        body = {"name": model, "version": NO_VERSION, "stage": target.name}
        return _sent("POST", f"{address}{API}/model-versions/transition-stage", json=body)
    body = {"name": model, "version": NO_VERSION, "alias": target.name}
    return _sent("POST", f"{address}{API}/registered-models/alias", json=body)


def _without_account(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def _has(address: str, model: str) -> bool:
    return _sent("GET", f"{address}{API}/registered-models/get", params={"name": model}).status_code == 200


def _sent(method: Literal["GET", "POST"], url: str, **more: object) -> requests.Response:
    return requests.request(method, url, timeout=TIMEOUT, allow_redirects=False, auth=_no_account, **more)  # type: ignore[arg-type]


def _no_account(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of the account that requests would find in a .netrc file."""
    return request


def _code_in(answer: requests.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("error_code", "")) if isinstance(said, dict) else ""
