"""How the fast track has done, as the database counts it: whose judgement a decision counts for, what is left out, and the odd names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.model import Ask, AskKind, DecidedBy, Kind
from bot.domain.request.evolution import BY_RULE
from bot.domain.request.fast_track import Agreement
from bot.services import Services
from bot.store.fast_track import FastTrackRows, Tally
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import NOON, a_judgement, a_version, an_evidence, opened
from tests.builders.digest import ODD_NAMES
from tests.fixtures.digest_figures import OnlyTheLedger, OnMonday, record

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

RULE, OTHER = "bike-* → alias:champion", 'odd "rule" \\ with ,"rule_hash": in it'
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    return OnlyTheLedger(Store(engine, jobs, OnMonday(), {}, read_policy))


def tallies(s: Services, since: datetime = NOON) -> dict[str, Tally]:
    with s.store.transaction() as tx:
        return dict(FastTrackRows(tx.connection).tallies(since))


def judged(
    request_id: str, *failed: str, at: datetime = NOON, rule: str = RULE, held_back: str = ""
) -> Sequence[e.Event]:
    number = int(request_id.removeprefix("r"))
    return (
        opened(request_id, at=at, version=a_version(number), requester=None),
        e.EvidenceFrozen(at, request_id, an_evidence(), None, "sha256:1"),
        e.FastTrackJudged(at, request_id, a_judgement(*failed, held_back=held_back), rule, "sha256:1"),
    )


def approved(request_id: str, at: datetime, by: DecidedBy = DecidedBy.PEOPLE) -> e.Event:
    return e.RequestApproved(at, request_id, ("cy",) if by is DecidedBy.PEOPLE else (), "sha256:1", by)


def moved(request_id: str, at: datetime) -> e.Event:
    version = a_version(int(request_id.removeprefix("r")))
    return e.TargetMoved(at, request_id, version, opened().target, None, moved=True)


def test_what_passed_was_held_and_was_decided_is_counted_with_its_medians(s: Services) -> None:
    record(s, *judged("r4"), approved("r4", NOON + MINUTE, DecidedBy.FAST_TRACK))
    record(s, *judged("r1"), approved("r1", NOON + 10 * MINUTE))
    record(s, *judged("r2", "too high"), e.RequestRejected(NOON + 20 * MINUTE, "r2", "cy", "worse", "sha256:1"))
    record(s, *judged("r3"), approved("r3", NOON + 40 * MINUTE))

    assert tallies(s) == {RULE: Tally(4, 3, 0, 0, 1, 20 * MINUTE, MINUTE)}


def test_of_an_even_number_the_median_is_between_the_two_in_the_middle(s: Services) -> None:
    for number, took in enumerate((10, 20, 40, 400), start=1):
        record(s, *judged(f"r{number}"), approved(f"r{number}", NOON + took * MINUTE))

    assert tallies(s)[RULE].with_people == 30 * MINUTE


@pytest.mark.parametrize("by", [DecidedBy.RULE, DecidedBy.BREAK_GLASS])
def test_what_neither_people_nor_the_fast_track_decided_counts_for_none_of_them(s: Services, by: DecidedBy) -> None:
    record(s, *judged("r1"), approved("r1", NOON + HOUR, by))
    record(s, *judged("r2"), e.RequestRejected(NOON + HOUR, "r2", BY_RULE, "not by itself", "sha256:1"))

    assert tallies(s) == {RULE: Tally(judged=2, passed=2)}


def test_a_decision_counts_for_the_rule_of_the_last_judgement_before_it(s: Services) -> None:
    again = e.FastTrackJudged(NOON + MINUTE, "r1", a_judgement("too high"), OTHER, "sha256:2")
    record(s, *judged("r1"), again, approved("r1", NOON + HOUR))

    found = tallies(s)

    assert found == {RULE: Tally(judged=1, passed=1), OTHER: Tally(judged=1, with_people=HOUR)}


def test_what_was_decided_before_it_was_judged_counts_for_no_rule(s: Services) -> None:
    first, frozen, judgement = judged("r1")
    record(s, first, frozen, approved("r1", NOON + HOUR), judgement)

    assert tallies(s) == {RULE: Tally(judged=1, passed=1)}


def test_a_request_from_before_that_time_counts_without_a_duration(s: Services) -> None:
    first, frozen, _ = judged("r1", at=NOON - HOUR)
    late = e.FastTrackJudged(NOON + MINUTE, "r1", a_judgement(), RULE, "sha256:1")
    record(s, first, frozen, late, approved("r1", NOON + HOUR, DecidedBy.FAST_TRACK))
    record(s, *judged("r2", at=NOON - HOUR), approved("r2", NOON + HOUR))

    assert tallies(s) == {RULE: Tally(judged=1, passed=1, without_people=1)}


def test_what_was_held_back_while_the_switch_was_off_is_no_sample(s: Services) -> None:
    why = "one in ten goes to people"
    record(s, e.FastTrackSwitched(NOON - HOUR, False, "ana", "drift"))
    record(s, *judged("r1", held_back=why))
    record(s, e.FastTrackSwitched(NOON + HOUR, True, "ana", ""), *judged("r2", held_back=why, at=NOON + HOUR))
    record(s, e.FastTrackSwitched(NOON + 2 * HOUR, False, "ana", "drift"))
    record(s, *judged("r3", held_back=why, at=NOON + 2 * HOUR), *judged("r4", at=NOON + 2 * HOUR))

    assert (tallies(s)[RULE].judged, tallies(s)[RULE].sampled) == (4, 1)


@pytest.mark.parametrize(
    ("by", "undone"), [(DecidedBy.FAST_TRACK, 1), pytest.param(DecidedBy.PEOPLE, 0, id="not of the fast track")]
)
def test_a_way_back_from_what_the_fast_track_let_through_undoes_it(s: Services, by: DecidedBy, undone: int) -> None:
    record(s, *judged("r1"), approved("r1", NOON, by), moved("r1", NOON))
    back = opened(
        "r2",
        at=NOON + HOUR,
        kind=Kind.ROLLBACK,
        ask=Ask(AskKind.UNDO),
        follows="r1",
        requester="ana",
        version=a_version(2),
    )
    record(s, back)

    assert tallies(s)[RULE].undone == undone
    assert tallies(s, NOON + MINUTE) == {}


@pytest.mark.parametrize("name", [*ODD_NAMES, OTHER])
def test_a_rule_of_any_name_is_found_under_it(s: Services, name: str) -> None:
    record(s, *judged("r1", rule=name), e.FastTrackCompared(NOON, "r1", name, True, True, "agreed"))
    record(s, e.FastTrackCompared(NOON, "r1", name, True, False, "false_pass"))
    record(s, e.FastTrackCompared(NOON, "r1", f"{name}, and more", True, True, "agreed"))
    record(s, e.FastTrackCompared(NOON - HOUR, "r1", name, True, True, "agreed"))

    with s.store.transaction() as tx:
        rows = FastTrackRows(tx.connection)
        alone, all_of_them = rows.agreement(name, NOON), rows.agreements(NOON)

    assert tallies(s) == {name: Tally(judged=1, passed=1)}
    assert alone == Agreement(1, 1, 0) == all_of_them[name]
