"""What is on record of evidence: how long it is kept once no approval rests on it any more, and when it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.domain.evidence.losses import KEPT_AFTER_LEAVING, Kept, Part
from bot.domain.model import Target
from bot.store.evidence_watch import EvidenceWatchRows, WatchedPlace
from bot.store.transaction import Store
from config.policy import read_policy
from tests.builders import NOON, REQUEST_ID
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from bot.engine.jobs import Jobs

PLACE = WatchedPlace("default", "bikes", Target.parse("alias:champion"))
LOST = Kept(REQUEST_ID, Part.DATA, NOON, lost=("a",), lost_since=NOON, known=("s3://data", "a", "b"))
KEY = (REQUEST_ID, Part.DATA)
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def rows(engine: sa.Engine, jobs: Jobs) -> Iterator[EvidenceWatchRows]:
    """One lost part of an approval that holds nothing."""
    with Store(engine, jobs, SystemClock(), {}, read_policy).transaction() as tx:
        rows = EvidenceWatchRows(tx.connection)
        rows.put(LOST, PLACE)
        yield rows


def listed(rows: EvidenceWatchRows) -> tuple[int, int, int, int]:
    """In the command, the digest, the answers about the request and the metrics."""
    of_digest, _ = rows.open(NOON + A_SECOND, 10)
    lost, _ = rows.counts()
    return len(rows.all_open_or_known()), len(of_digest), len(rows.of_requests([REQUEST_ID])), sum(lost.values())


def test_what_left_is_listed_nowhere_and_kept_for_weeks(rows: EvidenceWatchRows) -> None:
    before = listed(rows)
    rows.forget_left(NOON)
    rows.forget_left(NOON + KEPT_AFTER_LEAVING)
    kept = rows.parts([REQUEST_ID])
    rows.forget_left(NOON + KEPT_AFTER_LEAVING + A_SECOND)

    assert (before, listed(rows)) == ((1, 1, 1, 1), (0, 0, 0, 0))
    assert kept == {KEY: LOST}
    assert rows.parts([REQUEST_ID]) == {}


def test_what_comes_back_goes_on_where_it_was_also_under_another_name(rows: EvidenceWatchRows) -> None:
    renamed = replace(PLACE, model="bikes-renamed")
    rows.forget_left(NOON)
    rows.look_after_only(renamed, [REQUEST_ID], NOON + A_SECOND)
    back = listed(rows)
    rows.look_after_only(PLACE, ["another"], NOON + A_SECOND)

    assert (back, listed(rows)) == ((1, 1, 1, 1), (1, 1, 1, 1))
    rows.look_after_only(renamed, ["another"], NOON + A_SECOND)
    assert listed(rows) == (0, 0, 0, 0)
    assert rows.parts([REQUEST_ID]) == {KEY: LOST}
