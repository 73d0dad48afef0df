"""How the fast track has done, rule by rule, read from the ledger: what a team looks at before it switches a rule's mode to on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from pydantic import TypeAdapter

from bot.domain.events import FastTrackJudged, FastTrackSwitched, RequestApproved, RequestOpened, RequestRejected
from bot.domain.ledger.chain import Entry
from bot.domain.model import DecidedBy, FastTrackMode, Judgement, Kind
from bot.domain.policy.rules import Policy
from bot.domain.request.evolution import BY_RULE
from bot.domain.request.fast_track import Agreement
from bot.services import Records


@dataclass(frozen=True)
class RuleRecord:
    """`mode` is the rule's in the policy in force, None when there is no such rule any more. Times run from asking to the decision.

    `sampled` passed and were sent to people all the same; `undone` are its decisions that people took back, by Undo or by a rollback.
    """

    rule: str
    mode: FastTrackMode | None
    judged: int
    passed: int
    without_people: int
    sampled: int
    undone: int
    agreement: Agreement
    median_with_people: timedelta | None
    median_fast_track: timedelta | None


def report(since: datetime, s: Records) -> list[RuleRecord]:
    """One record for each rule that has a fast track now or was judged by since then, in the order of the policy."""
    with s.store.transaction() as tx:
        reading = _Reading()
        reading.read(tx.ledger.entries(FastTrackSwitched.__name__, until=since))
        reading.read(tx.ledger.entries(*(kind.__name__ for kind in reading.kinds), since=since))
        modes = _modes(tx.policy())
        rules = dict.fromkeys([*modes, *sorted(reading.tallies)])
        return [_record(rule, modes.get(rule), reading, tx.ledger.agreement(rule, since)) for rule in rules]


def _modes(policy: Policy) -> Mapping[str, FastTrackMode]:
    """By the rule's label; of two with the same label, the first counts."""
    modes: dict[str, FastTrackMode] = {}
    for rule in policy.rules:
        if rule.fast_track is not None:
            modes.setdefault(rule.label, rule.fast_track.mode)
    return modes


def _record(rule: str, mode: FastTrackMode | None, reading: _Reading, agreement: Agreement) -> RuleRecord:
    tally = reading.tallies.get(rule, _Tally())
    return RuleRecord(
        rule=rule,
        mode=mode,
        judged=tally.judged,
        passed=tally.passed,
        without_people=tally.without_people,
        sampled=tally.sampled,
        undone=tally.undone,
        agreement=agreement,
        median_with_people=_median(tally.with_people),
        median_fast_track=_median(tally.alone),
    )


def _median(durations: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in durations)) if durations else None


@dataclass
class _Tally:
    judged: int = 0
    passed: int = 0
    sampled: int = 0
    without_people: int = 0
    undone: int = 0
    with_people: list[timedelta] = field(default_factory=list)
    alone: list[timedelta] = field(default_factory=list)


# What is read of an entry; the rest of it does not matter here, and older entries may lack some of the rest.


@dataclass(frozen=True)
class _Opened:
    request_id: str
    kind: Kind
    follows: str | None


@dataclass(frozen=True)
class _Judged:
    request_id: str
    judgement: Judgement
    rule: str


@dataclass(frozen=True)
class _Approved:
    request_id: str
    by: DecidedBy = DecidedBy.PEOPLE


@dataclass(frozen=True)
class _Rejected:
    request_id: str
    person: str


@dataclass(frozen=True)
class _Switched:
    on: bool


class _Reading:
    """One pass over the ledger, streamed. What is kept of each request of that time is when it was asked, and its rule's label."""

    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}
        self._is_switched_on = True
        self._opened: dict[str, datetime] = {}
        self._rule_of: dict[str, str] = {}
        self._decided_alone: set[str] = set()
        self.kinds: Mapping[type, tuple[TypeAdapter[Any], Callable[[Any, datetime], None]]] = {
            RequestOpened: (TypeAdapter(_Opened), self._open),
            FastTrackJudged: (TypeAdapter(_Judged), self._judge),
            RequestApproved: (TypeAdapter(_Approved), self._approve),
            RequestRejected: (TypeAdapter(_Rejected), self._reject),
            FastTrackSwitched: (TypeAdapter(_Switched), self._switch),
        }

    def read(self, entries: Iterable[Entry]) -> None:
        by_name = {kind.__name__: how for kind, how in self.kinds.items()}
        for entry in entries:
            adapter, take = by_name[entry.kind]
            take(adapter.validate_python(json.loads(entry.body)), entry.at)

    def _open(self, opened: _Opened, at: datetime) -> None:
        self._opened[opened.request_id] = at
        if opened.kind is Kind.ROLLBACK and opened.follows in self._decided_alone:
            self.tallies[self._rule_of[opened.follows]].undone += 1

    def _judge(self, judged: _Judged, _: datetime) -> None:
        self._rule_of[judged.request_id] = judged.rule
        tally = self.tallies.setdefault(judged.rule, _Tally())
        tally.judged += 1
        tally.passed += judged.judgement.passes
        tally.sampled += bool(judged.judgement.held_back) and self._is_switched_on

    def _approve(self, approved: _Approved, at: datetime) -> None:
        if approved.request_id not in self._rule_of:
            return
        if approved.by is DecidedBy.PEOPLE:
            self._decide_with_people(approved.request_id, at)
        if approved.by is DecidedBy.FAST_TRACK:
            tally = self.tallies[self._rule_of[approved.request_id]]
            tally.without_people += 1
            self._decided_alone.add(approved.request_id)
            tally.alone += self._time_taken(approved.request_id, at)

    def _reject(self, rejected: _Rejected, at: datetime) -> None:
        if rejected.request_id in self._rule_of and rejected.person != BY_RULE:
            self._decide_with_people(rejected.request_id, at)

    def _decide_with_people(self, request_id: str, at: datetime) -> None:
        self.tallies[self._rule_of[request_id]].with_people += self._time_taken(request_id, at)

    def _time_taken(self, request_id: str, at: datetime) -> list[timedelta]:
        """Empty for a request that was opened before the time that is looked at."""
        opened = self._opened.get(request_id)
        return [at - opened] if opened else []

    def _switch(self, switched: _Switched, _: datetime) -> None:
        self._is_switched_on = switched.on
