"""Door: the guard of an MLflow server asks what is governed, and reports who wrote what in its registry.

A report is signed with the guard's secret, which only the server and the bot have: the API's token, which CI has, is not enough.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.domain.registry.writes import RegistryWrite, WriteAct
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import Refused, Rejected
from bot.language import N_
from bot.services import Services
from handlers.attestation.governed import SOON, governed_list
from handlers.doors.api import check_token
from handlers.doors.errors import raw_body
from handlers.registry.writers import take_writes

SIGNATURE = "X-Countersign-Guard-Signature"
BODY_LIMIT = 1024 * 1024  # bytes
MOST = 200  # writes in one report
LARGEST_NUMBER = 2**31 - 1  # of a version, in our tables
VOUCHERS = {"basic-auth": N_("MLflow's basic auth")}


class Reported(BaseModel):
    """One write; the names of the fields are the guard's."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=16, max_length=64)
    at: AwareDatetime
    user: str = Field("", max_length=320)
    vouched_by: str = Field("", max_length=40)
    act: str = Field(max_length=40)
    workspace: str = Field(DEFAULT, max_length=200)
    model: str = Field(min_length=1, max_length=256)
    version: int | None = Field(None, ge=1, le=LARGEST_NUMBER)
    names: list[str] = Field([], max_length=100)
    is_certain: bool = True


class Report(BaseModel):
    """The body of `POST /guard/writes`. Each write is read by itself, so that one that cannot be read holds up no other."""

    registry: str = Field(DEFAULT, max_length=200)
    writes: list[dict[str, object]] = Field(max_length=MOST)


def guard_doors(s: Services, token: str, secrets: Mapping[str, str]) -> Blueprint:
    """`secrets` are those of the guards, by the registry's name."""
    door = Blueprint("guard", __name__)

    @door.get("/guard/governed")
    def governed() -> ResponseReturnValue:
        """What the guard of a registry's server refuses: an envelope that the worker signed. Retry-After: a newer one is being made."""
        check_token(token)
        registry = request.args.get("registry", DEFAULT)
        try:
            with s.store.transaction() as tx:
                there, is_current = governed_list(registry, tx, s)
        except Refused as refusal:
            raise Rejected("unknown_registry", str(refusal), 404) from None
        if there is None:
            raise Rejected("not_ready", "the list is being signed for the first time; ask again in some seconds", 503)
        soon = {} if is_current else {"Retry-After": str(SOON)}
        return Response(there.envelope, content_type="application/json", headers=soon)

    @door.post("/guard/writes")
    def writes() -> ResponseReturnValue:
        """Who wrote what in the registry. A write that was reported before changes nothing."""
        check_token(token)
        body = raw_body(BODY_LIMIT)
        report = _read(body)
        _check_signature(body, secrets.get(report.registry, ""))
        known, refused = list[RegistryWrite](), dict[str, str]()
        for one in report.writes:
            try:
                known.append(_write_of(one, report.registry))
            except (ValidationError, Refused) as why:
                refused[str(one.get("id", ""))[:64]] = _first_line(why)
        return {"new": take_writes(known, s), "refused": refused}, 200

    return door


def _read(body: bytes) -> Report:
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        raise Rejected("bad_report", _first_line(error), 400) from None


def _first_line(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _check_signature(body: bytes, secret: str) -> None:
    """Raises Rejected."""
    if not secret:
        raise Rejected(
            "no_guard", "this registry has no guard here: set COUNTERSIGN_GUARD_SECRET for the web process too", 403
        )
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), request.headers.get(SIGNATURE, "").encode()):
        raise Rejected("bad_signature", "the report is not signed with COUNTERSIGN_GUARD_SECRET", 401)


def _write_of(said: Mapping[str, object], registry: str) -> RegistryWrite:
    """Raises ValidationError, and Refused for an act of a newer guard or a name that no workspace has."""
    one = Reported.model_validate(said)
    if one.act not in set(WriteAct):
        raise Refused(f"this release does not know the write {one.act}")
    place = str(Workspace(registry, Workspace.parse(one.workspace).name))
    return RegistryWrite(
        id=one.id,
        at=one.at,
        user=one.user if one.vouched_by in VOUCHERS else "",
        vouched_by=VOUCHERS.get(one.vouched_by, ""),
        act=WriteAct(one.act),
        workspace=place,
        model=one.model,
        version=one.version,
        names=tuple(one.names),
        is_certain=one.is_certain,
    )
