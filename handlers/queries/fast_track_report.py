"""How the fast track has done, rule by rule, read from the ledger: what a team looks at before it switches a rule's mode to on.

The database counts (`bot.store.fast_track`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.model import FastTrackMode
from bot.domain.policy.rules import Policy
from bot.domain.request.fast_track import Agreement
from bot.services import Records
from bot.store.fast_track import FastTrackRows, Tally

NONE_COMPARED = Agreement.of({})


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
        rows, modes = FastTrackRows(tx.connection), _modes(tx.policy())
        tallies, agreements = rows.tallies(since), rows.agreements(since)
    rules = dict.fromkeys([*modes, *sorted(tallies)])
    return [
        _record(rule, modes.get(rule), tallies.get(rule, Tally()), agreements.get(rule, NONE_COMPARED))
        for rule in rules
    ]


def _modes(policy: Policy) -> Mapping[str, FastTrackMode]:
    """By the rule's label; of two with the same label, the first counts."""
    modes: dict[str, FastTrackMode] = {}
    for rule in policy.rules:
        if rule.fast_track is not None:
            modes.setdefault(rule.label, rule.fast_track.mode)
    return modes


def _record(rule: str, mode: FastTrackMode | None, tally: Tally, agreement: Agreement) -> RuleRecord:
    return RuleRecord(
        rule=rule,
        mode=mode,
        judged=tally.judged,
        passed=tally.passed,
        without_people=tally.without_people,
        sampled=tally.sampled,
        undone=tally.undone,
        agreement=agreement,
        median_with_people=tally.with_people,
        median_fast_track=tally.alone,
    )
