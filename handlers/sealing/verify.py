"""Compares what is sealed with the ledger: each object version is there, has its bytes, is what readers get, its lock holds, and nothing
was added beside them.

What the ledger says is read first, then one seal after the other: only one list of objects is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.model import Target, VersionId
from bot.domain.seals.events import VersionSealed
from bot.domain.seals.places import Lock, SealedAt, SealedObject
from bot.errors import OtherFiles, OutsideError
from bot.ports.progress import Report, silent
from bot.services import Services
from bot.store.ledger import read_event

ADDED = "it was not sealed, and readers of the address get it beside what was"
OTHER_OBJECTS = "it names other objects than the ledger"
A_MOMENT = timedelta(seconds=1)  # stores round the ends of locks
STRICTER = {("GOVERNANCE", "COMPLIANCE")}  # a lock of the first mode may have become one of the second


class Verdict(StrEnum):
    HOLDS = "holds"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SealOnRecord:
    """By the ledger: `lock` is the longest that was ever recorded for these objects, `entry` the newest entry about them."""

    entry: int
    request_id: str
    version: VersionId
    target: Target
    at: SealedAt
    files: int
    size: int
    sealed_at: datetime
    lock: Lock | None


@dataclass(frozen=True)
class Checked:
    """One object of a seal; `path` is the file's, or empty for the list itself. `why` is empty when it holds."""

    seal: SealOnRecord
    path: str
    key: str
    version: str
    verdict: Verdict
    why: str = ""


def seals_on_record(s: Services) -> list[SealOnRecord]:
    """The oldest first, each place once."""
    found: dict[tuple[str, str, str], SealOnRecord] = {}
    with s.store.transaction() as tx:
        for entry in tx.ledger.entries(VersionSealed.__name__):
            event = read_event(entry.kind, entry.body)
            if not isinstance(event, VersionSealed):
                continue
            place = (event.sealed.bucket, event.sealed.index, event.sealed.index_version)
            known, request = found.get(place), tx.requests.get(event.request_id)
            found[place] = SealOnRecord(
                entry.seq,
                request.id,
                request.version,
                request.target,
                event.sealed,
                len(event.objects),
                sum(one.size for one in event.objects),
                known.sealed_at if known else event.at,
                _longer(known.lock if known else None, event.lock),
            )
    return list(found.values())


def verify_seals(s: Services, report: Report = silent) -> Iterator[Checked]:
    """Reads every object. What cannot be read now is unknown, and the rest is still compared."""
    seals = seals_on_record(s)
    total, done = sum(seal.size for seal in seals), 0
    for number, seal in enumerate(seals, start=1):
        with s.store.transaction() as tx:
            entry = tx.ledger.get(seal.entry)
        event = read_event(entry.kind, entry.body)
        assert isinstance(event, VersionSealed)
        index = _index(seal, event, s)
        yield index
        for one in event.objects:
            report(f"seal {number:,} of {len(seals):,}, {done / 2**20:,.0f} of {total / 2**20:,.0f} MiB")
            yield _object(seal, one.path, seal.at.key_of(one.path), one, s)
            done += one.size
        if index.verdict is not Verdict.UNKNOWN:
            yield from _added(seal, event, s)


def _index(seal: SealOnRecord, event: VersionSealed, s: Services) -> Checked:
    at = seal.at
    try:
        said = s.seals.read_index(at)
        is_same = {one.path: one for one in said} == {one.path: one for one in event.objects}
        fault = _lock_fault(seal, at.index, at.index_version, s) if is_same else OTHER_OBJECTS
        return _checked(seal, "", at.index, at.index_version, fault)
    except OtherFiles as fault:
        return _checked(seal, "", at.index, at.index_version, str(fault))
    except OutsideError as trouble:
        return Checked(seal, "", at.index, at.index_version, Verdict.UNKNOWN, str(trouble))


def _object(seal: SealOnRecord, path: str, key: str, one: SealedObject, s: Services) -> Checked:
    try:
        fault = _lock_fault(seal, key, one.version, s)
        if not fault and s.seals.sha256_of(seal.at.bucket, key, one.version) != one.sha256:
            fault = "it has other bytes"
        return _checked(seal, path, key, one.version, fault)
    except OtherFiles as fault_:
        return _checked(seal, path, key, one.version, str(fault_))
    except OutsideError as trouble:
        return Checked(seal, path, key, one.version, Verdict.UNKNOWN, str(trouble))


def _added(seal: SealOnRecord, event: VersionSealed, s: Services) -> Iterator[Checked]:
    at = seal.at
    sealed = {at.key_of(one.path) for one in event.objects}
    try:
        for key, version in s.seals.newest_below(at.bucket, at.beginning):
            if key not in sealed:
                yield _checked(seal, "", key, version, ADDED)
    except OutsideError as trouble:
        yield Checked(seal, "", at.beginning, "", Verdict.UNKNOWN, str(trouble))


def _lock_fault(seal: SealOnRecord, key: str, version: str, s: Services) -> str:
    """Why the object version is not there as it was sealed; empty when it is."""
    state = s.seals.state_of(seal.at.bucket, key, version)
    if state is None:
        return "this object version is gone"
    if not state.is_newest:
        return "something newer lies over it, which readers get that name no object version"
    wanted = seal.lock
    if wanted is None or wanted.until <= s.clock.now():
        return ""
    if state.lock is None:
        return f"its lock until {wanted.until:%Y-%m-%d %H:%M} UTC was taken off"
    if state.lock.until < wanted.until - A_MOMENT:
        return f"its lock ends at {state.lock.until:%Y-%m-%d %H:%M} UTC, and not at {wanted.until:%Y-%m-%d %H:%M} UTC"
    if state.lock.mode != wanted.mode and (wanted.mode, state.lock.mode) not in STRICTER:
        return f"its lock is of the mode {state.lock.mode}, and not {wanted.mode}"
    return ""


def _checked(seal: SealOnRecord, path: str, key: str, version: str, fault: str) -> Checked:
    return Checked(seal, path, key, version, Verdict.DIFFERS if fault else Verdict.HOLDS, fault)


def _longer(one: Lock | None, other: Lock | None) -> Lock | None:
    locks = [lock for lock in (one, other) if lock is not None]
    return max(locks, key=lambda lock: lock.until, default=None)
