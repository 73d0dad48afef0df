"""What a ledger entry is about: the request and its transition, as far as the entry's body says.

The database may have been tampered with, so anything in a body that we would not write is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """`target` as in `alias:champion`; unknown values are None."""

    request_id: str | None = None
    model: str | None = None
    version: int | None = None
    target: str | None = None


NO_SUBJECT = Subject()


def subject_in(body: str) -> Subject:
    """The subject in an entry's body. Most entries of a request name only the request."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return NO_SUBJECT
    if not isinstance(said, dict):
        return NO_SUBJECT
    version = _mapping(
        said.get("version") or said.get("to")
    )  # when a target was given back, `to` is the version that has it again
    return Subject(
        _text(said.get("request_id")),
        _text(said.get("model")) or _text(version.get("model")),
        _number(version.get("version")),
        _target(_mapping(said.get("target"))),
    )


def _target(said: Mapping[str, object]) -> str | None:
    kind, name = _text(said.get("kind")), _text(said.get("name"))
    return f"{kind}:{name}" if kind and name else None


def _mapping(said: object) -> Mapping[str, object]:
    return said if isinstance(said, dict) else {}


def _number(said: object) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _text(said: object) -> str | None:
    """None for texts with a NUL or a lone surrogate, which neither the database nor a file accepts."""
    if not isinstance(said, str) or "\0" in said:
        return None
    return said if said.encode("utf-8", "replace").decode() == said else None
