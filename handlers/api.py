"""Door: asking for a transition over HTTP, for pipelines. The token says that the asker may ask; who they are is their own word."""

from __future__ import annotations

import hmac
import json

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot.domain.model import Ask, AskKind, Refused, Target
from bot.ports import Rejected
from bot.services import Services
from handlers.asking import checked_email, request_transition
from handlers.inbound import raw_body

BODY_LIMIT = 16 * 1024  # bytes


class Wish(BaseModel):
    """The body of `POST /api/requests`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=256)
    version: int = Field(ge=1)
    to: str
    requester: str
    comment: str = Field("", max_length=2000)

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


def api(s: Services, token: str) -> Blueprint:
    """Without a token the door stays shut."""
    door = Blueprint("api", __name__)

    @door.post("/api/requests")
    def ask() -> ResponseReturnValue:
        _check_token(token)
        wish = _read_wish(raw_body(BODY_LIMIT))
        opened = request_transition(
            wish.name, wish.version, Target.parse(wish.to), wish.requester, wish.comment, Ask(AskKind.API), s
        )
        return {
            "id": opened.id,
            "state": opened.state,
            "version": str(opened.version),
            "target": str(opened.target),
        }, 201

    return door


def _check_token(token: str) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    if not token:
        raise Rejected("not_configured", "COUNTERSIGN_API_TOKEN is not set, so nobody can ask this way", 401)
    if not hmac.compare_digest(given, token.encode()):
        raise Rejected("bad_token", "send the header Authorization: Bearer with the COUNTERSIGN_API_TOKEN", 401)


def _read_wish(body: bytes) -> Wish:
    try:
        return Wish.model_validate(json.loads(body))
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, m['loc'])) or 'body'}: {m['msg']}" for m in error.errors())
        raise Rejected("bad_body", mistakes, 400) from None
    except (ValueError, RecursionError):
        raise Rejected("bad_body", "the body is not JSON", 400) from None
