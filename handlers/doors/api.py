"""Door: asking for a transition or a rollback over HTTP. The token lets the client ask; the requester's identity is not verified."""

from __future__ import annotations

import hmac
import json
from typing import TypeVar

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot import tracing
from bot.domain.model import Ask, AskKind, Target
from bot.errors import Refused, Rejected
from bot.services import Services
from handlers.custody.places import Named, place_of
from handlers.doors.errors import raw_body
from handlers.queries.request_answer import answer_to
from handlers.request import rollbacks
from handlers.request.asking import COMMENT_LIMIT, checked_email, request_transition

BODY_LIMIT = 16 * 1024  # bytes
NAMED_LIMIT = 2_000  # characters of an address or a place


class Asked(BaseModel):
    """What every body says: which registered model, which target, and who asks."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=256)
    to: str
    requester: str
    workspace: str = Field("", max_length=NAMED_LIMIT)
    registry: str = Field("", max_length=NAMED_LIMIT)

    @field_validator("to")
    @classmethod
    def names_a_target(cls, text: str) -> str:
        try:
            return str(Target.parse(text))
        except Refused as refusal:
            raise ValueError(str(refusal)) from None

    @field_validator("requester")
    @classmethod
    def names_a_person(cls, text: str) -> str:
        try:
            return checked_email(text)
        except Refused as refusal:
            raise ValueError(str(refusal)) from None


class Wish(Asked):
    """The body of `POST /api/requests`."""

    version: int = Field(ge=1)
    comment: str = Field("", max_length=COMMENT_LIMIT)


class WayBack(Asked):
    """The body of `POST /api/rollbacks`. Without a version it is the one approved before."""

    version: int | None = Field(None, ge=1)
    reason: str = Field(min_length=1, max_length=COMMENT_LIMIT)


Body = TypeVar("Body", Wish, WayBack)


def api(s: Services, token: str) -> Blueprint:
    """Without a configured token the routes refuse everything."""
    door = Blueprint("api", __name__)

    @door.post("/api/requests")
    def ask() -> ResponseReturnValue:
        check_token(token)
        wish = _read(Wish, raw_body(BODY_LIMIT))
        with tracing.door("POST /api/requests"):
            opened = request_transition(
                wish.name,
                wish.version,
                Target.parse(wish.to),
                wish.requester,
                wish.comment,
                Ask(AskKind.API),
                s,
                _place(wish, s),
            )
        return answer_to(opened, s), 201

    @door.post("/api/rollbacks")
    def go_back() -> ResponseReturnValue:
        check_token(token)
        wish = _read(WayBack, raw_body(BODY_LIMIT))
        with tracing.door("POST /api/rollbacks"):
            opened = rollbacks.roll_back(
                wish.name,
                Target.parse(wish.to),
                wish.version,
                wish.reason,
                wish.requester,
                Ask(AskKind.ROLLBACK),
                s,
                workspace=_place(wish, s),
            )
        return answer_to(opened, s), 201

    return door


def _place(asked: Asked, s: Services) -> str:
    """Raises Refused."""
    named = Named(asked.workspace, asked.registry, request.args.get("tracking_uri", "")[:NAMED_LIMIT])
    with s.store.transaction() as tx:
        return place_of(named, s, tx)


def check_token(token: str) -> None:
    """For all doors that need the token. Raises Rejected."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    if not token:
        raise Rejected("not_configured", "COUNTERSIGN_API_TOKEN is not set, so nobody can ask this way", 401)
    if not hmac.compare_digest(given, token.encode()):
        raise Rejected("bad_token", "send the header Authorization: Bearer with the COUNTERSIGN_API_TOKEN", 401)


def _read(shape: type[Body], body: bytes) -> Body:
    try:
        return shape.model_validate(json.loads(body))
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, m['loc'])) or 'body'}: {m['msg']}" for m in error.errors())
        raise Rejected("bad_body", mistakes, 400) from None
    except (ValueError, RecursionError):
        raise Rejected("bad_body", "the body is not JSON", 400) from None
