"""What `make fuzz` can fuzz, by name: every door on an embedded database, and every reader alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.bench.database import database
from tests.fuzz.doors import each_door, open_doors
from tests.fuzz.readers import READERS, refuses_or_reads
from tests.fuzz.seeds import DOOR_SEEDS, READER_SEEDS

Target = Callable[[bytes], str]
VENDOR_AWAY = (502, 503)
NAMES = (*DOOR_SEEDS, *READERS)


class Answered500(Exception):
    """The finding of a run."""


@contextmanager
def opened(name: str) -> Iterator[Target]:
    """The target takes bytes and returns what came of them; it raises for a finding."""
    if name in READERS:
        yield lambda text: "read" if refuses_or_reads(READERS[name], text.decode("utf-8", "replace")) else "refused"
        return
    with database() as url, open_doors(url) as doors:
        door = each_door(doors)[name]

        def call(body: bytes) -> str:
            status = door(body)
            if status >= 500 and status not in VENDOR_AWAY:
                raise Answered500(f"{name} answered {status} to {body!r}")
            return str(status)

        yield call


def seeds_of(name: str) -> Sequence[bytes]:
    seeds: Mapping[str, Sequence[bytes]] = DOOR_SEEDS
    return seeds[name] if name in seeds else [seed.encode() for seed in READER_SEEDS[name]]
