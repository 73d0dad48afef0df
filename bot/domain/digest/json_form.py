"""Converts a digest to canonical JSON (RFC 8785) and back. Equal figures give equal text, which is what gets frozen.

Durations are seconds, times ISO 8601 in UTC. Reading follows the types in `figures`. Frozen figures must stay readable in later releases: a
newer field takes its default, and an unknown field is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

import rfc8785

from bot.domain.digest.figures import Digest
from bot.domain.ledger.chain import Plain, as_plain
from bot.errors import Refused

Bound = dict[TypeVar, object]  # the types of a generic's variables, such as the T of Listed


def as_json(digest: Digest) -> str:
    return bytes(rfc8785.dumps(_figures(digest))).decode()


def read_digest(text: str) -> Digest:
    """The exact inverse. Raises Refused for a text that is not a digest, or whose fields this release cannot read."""
    try:
        found = _read(Digest, json.loads(text), {})
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise Refused(
            f"this release of Countersign cannot read these figures ({fault!r}). Tell the week with the release that closed it"
        ) from fault
    if not isinstance(found, Digest):
        raise Refused("these are no figures of a digest")
    return found


def _figures(value: object) -> Plain:
    """As the ledger's values, with durations in seconds."""
    if is_dataclass(value):
        return {field.name: _figures(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, Mapping):
        return {str(as_plain(str(key))): _figures(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_figures(item) for item in value]
    return as_plain(value)


def _read(kind: object, value: object, bound: Bound) -> object:
    kind = bound.get(kind, kind) if isinstance(kind, TypeVar) else kind
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return None if value is None else _read(_other_than_none(kind), value, bound)
    if origin is tuple:
        return _tuple(get_args(kind), value, bound)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = get_args(kind)
        return {_read(key, name, bound): _read(item, one, bound) for name, one in _mapping(value).items()}
    if isinstance(origin, type):
        return _record(origin, value, dict(zip(_letters(origin), get_args(kind), strict=True)))
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind, value, {})
    return _plain(kind, value)


def _record(kind: type, value: object, bound: Bound) -> object:
    said = _mapping(value)
    known = _known(kind).items()
    return kind(**{name: _read(of, said[name], bound) for name, (of, needed) in known if needed or name in said})


def _tuple(of: tuple[object, ...], value: object, bound: Bound) -> tuple[object, ...]:
    """`tuple[X, ...]`, or a tuple of fixed length."""
    if not isinstance(value, list):
        raise ValueError("these figures have something else where a list belongs")  # noqa: TRY004
    kinds = [of[0]] * len(value) if of[-1] is Ellipsis else of
    return tuple(_read(kind, item, bound) for kind, item in zip(kinds, value, strict=True))


def _plain(kind: object, value: object) -> object:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(str(value))
    if isinstance(kind, type) and kind in READ:
        return READ[kind](value)
    if not isinstance(kind, type) or not isinstance(value, kind):
        raise ValueError(f"these figures say {str(value)[:40]!r} where {kind} belongs")  # noqa: TRY004
    return value


READ: Mapping[type, Callable[..., object]] = {
    datetime: datetime.fromisoformat,
    timedelta: lambda seconds: timedelta(seconds=seconds),
}


@cache
def _known(kind: type) -> Mapping[str, tuple[object, bool]]:
    """Each field's type, and whether it is required."""
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], _is_needed(field)) for field in fields(kind)}


def _is_needed(field: Field[object]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _letters(generic: type) -> tuple[TypeVar, ...]:
    letters: tuple[TypeVar, ...] = getattr(generic, "__parameters__", ())
    return letters


def _other_than_none(union: object) -> object:
    return next(kind for kind in get_args(union) if kind is not NoneType)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("these figures have something else where named values belong")  # noqa: TRY004
    return value
