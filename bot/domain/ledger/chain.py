"""The ledger's hash chain: an entry's body, its leaf hash, and the head that chains it. The rows are in `bot.store.ledger`.

An entry is `seq` (gapless, from 1), `at`, `kind`, `body` (RFC 8785 canonical text), `leaf = sha256(0x00 || body)` as in RFC 9162, and
`head = sha256(previous head || leaf)`; the first one's previous head is 32 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from bot.domain.events import Event
from bot.domain.model import OMIT_EMPTY
from bot.domain.names import storable
from bot.errors import ChainBroken

GENESIS = bytes(32)
Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
LARGEST_EXACT_INTEGER = 2**53 - 1
READ_JSON = json.JSONDecoder().decode  # `json.loads` looks at its arguments first


class Entry(NamedTuple):
    """A tuple, for an audit makes millions of them."""

    seq: int
    at: datetime
    kind: str
    body: str
    leaf: bytes
    head: bytes


def body_of(event: Event, seq: int) -> Plain:
    """The event as plain values for canonical JSON. Includes the sequence number, so that no entry can be moved."""
    values = {field.name: as_plain(getattr(event, field.name)) for field in fields(event)}
    return {"seq": seq, "event": type(event).__name__, **values}


def as_plain(value: object) -> Plain:
    """Dataclasses to mappings, times to ISO 8601, and what canonical JSON cannot hold (NaN, huge integers, lone surrogates) to text."""
    if is_dataclass(value):
        said = {field: getattr(value, field.name) for field in fields(value)}
        return {field.name: as_plain(item) for field, item in said.items() if item or OMIT_EMPTY not in field.metadata}
    if isinstance(value, Mapping):
        return {storable(str(key)): as_plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Iterable):
        return [as_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a ledger entry")


def leaf_of(body: str) -> bytes:
    return hashlib.sha256(b"\x00" + body.encode()).digest()


def head_of(previous: bytes, leaf: bytes) -> bytes:
    return hashlib.sha256(previous + leaf).digest()


def first_fault(entries: Iterable[Entry]) -> str | None:
    """Verifies the chain from its first entry. The sentence names the first wrong entry; None when all are right."""
    try:
        for _ in checked(entries):
            continue
    except ChainBroken as broken:
        return str(broken)
    return None


def checked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yields each entry after verifying it. Raises ChainBroken at the first wrong one."""
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        seq, _at, _kind, body, leaf, head = entry
        if seq != number:
            raise ChainBroken(f"entry {number} is missing: the next one there is {seq}")
        if leaf != leaf_of(body):
            raise ChainBroken(f"entry {seq} was changed: its body does not hash to its leaf")
        if not body_agrees(entry):
            raise ChainBroken(f"entry {seq} was changed: its number, time or kind is not what its body says")
        if head != head_of(previous, leaf):
            raise ChainBroken(
                f"entry {seq} was changed or put in another place: it does not follow from the one before"
            )
        previous = head
        yield entry


def body_agrees(entry: Entry) -> bool:
    """Whether the index columns agree with the body, so that a change of a column is detected too."""
    try:
        said = READ_JSON(entry.body)
        return bool(
            said["seq"] == entry.seq and said["event"] == entry.kind and datetime.fromisoformat(said["at"]) == entry.at
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
