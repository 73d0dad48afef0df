"""Slack's JSON, and safe ways to read it. No state and no rules.

Blocks, views and payloads are untrusted JSON, which the sandbox stores unchanged. The sandbox's own records are dataclasses in `workspace`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

Json = dict[str, object]


class SlackError(Exception):
    """The Web API's `ok: false`: `code` is Slack's error, `details` are further keys of the answer."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class InvalidArguments(SlackError):
    """An error that lists every mistake with its JSON pointer, in both places where Slack puts it."""

    def __init__(self, code: str, mistakes: list[str]) -> None:
        messages = [f"[ERROR] {mistake}" for mistake in mistakes]
        super().__init__(code, errors=mistakes, response_metadata={"messages": messages})


def object_at(holder: Mapping[str, object], key: str) -> Json:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def objects_at(holder: Mapping[str, object], key: str) -> list[Json]:
    found = holder.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text_at(holder: Mapping[str, object], key: str) -> str:
    found = holder.get(key)
    return found if isinstance(found, str) else ""


def flag_at(holder: Mapping[str, object], key: str) -> bool:
    return holder.get(key) in (True, "true", "True", "1", 1)


def units(text: str) -> int:
    """The length as Slack counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parsed(value: object) -> object:
    """A structure from a JSON body, or from JSON text in a form; None when the text is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def every_object(value: object) -> Iterator[Json]:
    """Yields each JSON object in a structure, outer ones first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from every_object(inner)
    if isinstance(value, list):
        for inner in value:
            yield from every_object(inner)


def every_text(value: object) -> Iterator[str]:
    """Each text that a person reads in these blocks, in order: the pieces of a rich text are one, and moments are in UTC."""
    joined: set[int] = set()
    for part in every_object(value):
        if id(part) in joined:
            continue
        if part.get("type") == "rich_text_section":
            pieces = objects_at(part, "elements")
            yield "".join(str(piece.get("text", piece.get("fallback", ""))) for piece in pieces)
            joined |= {id(piece) for piece in pieces}
            continue
        text = part.get("text", part.get("value") if part.get("type") == "raw_number" else None)
        if isinstance(text, str | int | float):
            yield str(text)
