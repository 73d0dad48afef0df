"""What an approval rests on, and what looks at it have found: what is gone, what is back, and what could not be looked at. Pure.

Only what is known to be gone is a loss. A server that is away, or refuses, says nothing about the evidence: it is out of sight, which is
said once several looks in a row have failed. How both read: `loss_text`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from bot.domain.events import Event, EvidenceFound, EvidenceLost, EvidenceOutOfSight
from bot.domain.model import Evidence

SWEEP_EVERY = timedelta(minutes=10)
AGAIN = timedelta(hours=1)  # how soon it is looked again when something could not be looked at
FEWEST, MOST = 4, 200  # places of one workspace in one sweep
OUT_OF_SIGHT_AFTER = 3  # looks in a row that have failed
KEPT_AFTER_LEAVING = timedelta(weeks=4)  # what is known of an approval that neither holds a target nor is a way back
NAMES_RECORDED = 20  # in the ledger and in notes; the rest is counted
LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-zA-Z]+)/?")
ON_A_BRANCH = "L14"  # the lineage check that has found the commit on the git remote
DELETED, ERASED = (
    "deleted",
    "erased",
)  # a run in MLflow's bin, from which it can be restored; and one that `mlflow gc` took


class Part(StrEnum):
    """The parts of an approval's evidence that can vanish, in the order in which they are announced."""

    VERSION = "version"
    RUN = "run"
    LOGGED_MODEL = "logged_model"
    FILES = "files"
    SIZE = "size"
    DATA = "data"
    COMMIT = "commit"


@dataclass(frozen=True)
class Found:
    """What one look found of a part: the names of what is known to be gone, or why it could not be looked at. Neither: it is there."""

    gone: tuple[str, ...] = ()
    unread: str = ""


THERE = Found()


@dataclass(frozen=True)
class Kept:
    """What is on record of one part of one approval.

    `seen_at`: when all of it was last known to be there. `lost`: what is gone, since `lost_since`; all of it must be back before the loss
    ends. `unread`: why the last `unread_looks` looks have failed, since `unread_since`. `known`: of the data, its DVC
    remote, and what was ever seen there.
    """

    request_id: str
    part: Part
    seen_at: datetime
    lost: tuple[str, ...] = ()
    lost_since: datetime | None = None
    unread: str = ""
    unread_since: datetime | None = None
    unread_looks: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_because: str = ""
    known: tuple[str, ...] = ()

    @property
    def is_out_of_sight(self) -> bool:
        return self.unread_looks >= OUT_OF_SIGHT_AFTER

    @property
    def is_open(self) -> bool:
        """Whether it is to be announced: lost or out of sight, and acknowledged by no one."""
        return (self.lost_since is not None or self.is_out_of_sight) and self.acknowledged_at is None


def judge(kept: Kept, found: Found, at: datetime) -> tuple[Kept, tuple[Event, ...]]:
    """What is on record after the look, and what happened: nothing, when it is as it was."""
    if found.unread:
        return _failed(kept, found.unread, at)
    seen = replace(kept, unread="", unread_since=None, unread_looks=0)
    if not found.gone:
        return _is_there(kept, seen, at)
    new = tuple(name for name in found.gone if name not in set(kept.lost))
    if not new:
        return seen, ()
    lost = replace(_unacknowledged(seen), lost=(*kept.lost, *new), lost_since=kept.lost_since or at)
    return lost, (EvidenceLost(at, kept.request_id, kept.part, new[:NAMES_RECORDED], len(new), kept.seen_at),)


def _failed(kept: Kept, why: str, at: datetime) -> tuple[Kept, tuple[Event, ...]]:
    since, looks = kept.unread_since or at, kept.unread_looks + 1
    after = replace(kept, unread=why, unread_since=since, unread_looks=looks)
    if looks != OUT_OF_SIGHT_AFTER:
        return after, ()
    if kept.lost_since is None:  # else it is the loss that a person has acknowledged, and it has not changed
        after = _unacknowledged(after)
    return after, (EvidenceOutOfSight(at, kept.request_id, kept.part, why, since),)


def _is_there(kept: Kept, seen: Kept, at: datetime) -> tuple[Kept, tuple[Event, ...]]:
    since = kept.lost_since or (kept.unread_since if kept.is_out_of_sight else None)
    after = replace(_unacknowledged(seen), seen_at=at, lost=(), lost_since=None)
    return after, (EvidenceFound(at, kept.request_id, kept.part, since),) if since else ()


def _unacknowledged(kept: Kept) -> Kept:
    return replace(kept, acknowledged_at=None, acknowledged_by="", acknowledged_because="")


def looks_in_a_sweep(places: int, every: timedelta) -> int:
    """So many that each of the places has two turns within `every`, with as many to spare; within bounds."""
    return min(max(ceil(4 * places * SWEEP_EVERY / every), FEWEST), MOST)


def next_look(found: Collection[Found], at: datetime, every: timedelta) -> datetime:
    """Half of `every` later, so that a loss is announced within it; soon where something could not be looked at."""
    return at + (min(AGAIN, every / 2) if any(one.unread for one in found) else every / 2)


def logged_model_of(evidence: Evidence) -> str:
    """The id of the logged model that it was made from; empty when there is none."""
    source = LOGGED_MODEL.fullmatch(evidence.original_source or evidence.source)
    return source[1] if source else ""


def commit_was_on_remote(evidence: Evidence) -> bool:
    return bool(evidence.commit) and any(check.code == ON_A_BRANCH and check.passed for check in evidence.lineage)


def missing_files(wanted: Sequence[str], there: Collection[str]) -> Found:
    seen = frozenset(there)
    return Found(tuple(path for path in wanted if path not in seen))


def spread(names: Sequence[str], most: int) -> tuple[str, ...]:
    """At most so many of them, evenly from the first to the last."""
    if len(names) <= most:
        return tuple(names)
    return tuple(names[place * len(names) // most] for place in range(most))
