"""A year of generated history, and what it looks like in the digests of its weeks: the answers are known by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain.digest.figures import FindingKind
from bot.domain.digest.json_form import as_json, read_digest
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from tests.fixtures.generated_year import QUIET_WEEKS, WEEKS, GeneratedYear

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

from tests.fixtures.digest_figures import OnlyTheLedger, OnMonday, told

pytestmark = pytest.mark.proof


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    monday = OnMonday(WEEKS[-1].ends)
    return OnlyTheLedger(Store(engine, jobs, monday, {}, read_policy), monday)


def test_every_week_of_a_year_is_told_as_it_was(s: Services) -> None:
    year = GeneratedYear(s.store)

    for period in WEEKS:
        digest, week = told(s, period), year.weeks[period.week]
        overall, *by_rule = digest.latency
        fast_track = digest.fast_track[0] if digest.fast_track else None
        counted = (fast_track.passed, fast_track.held) if fast_track else (0, 0)
        agreed = (fast_track.agreed, fast_track.false_passes, fast_track.false_holds) if fast_track else (0, 0, 0)
        held = {one.version.model: (one.version, one.request_id) for one in digest.inventory.shown}
        approved = sum(1 for _, request_id in week.holders.values() if request_id)

        assert (period.week, digest.outcomes) == (period.week, week.outcomes)
        assert digest.transitions.total == len(digest.transitions.shown) == sum(week.outcomes.values())
        assert (overall.decided, overall.median, overall.p95) == (len(week.took), week.median, week.p95)
        assert [(one.rule, one.decided) for one in by_rule] == [(year.rule.label, len(week.took))][: len(week.took)]
        assert [one.request_id for one in digest.waiting.shown] == week.waiting
        assert counted == (week.passed, week.held)
        assert agreed == tuple(week.agreement.get(name, 0) for name in ("agreed", "false_pass", "false_hold"))
        assert digest.changes.total == week.changes
        assert held == week.holders
        assert digest.concerns[FindingKind.MOVED_WITHOUT_APPROVAL] == week.moved_by_hand
        assert digest.concerns[FindingKind.SELF_APPROVAL_REFUSED] == week.self_approvals
        assert digest.concerns[FindingKind.HELD_WITHOUT_APPROVAL] == len(week.holders) - approved
        assert digest.concerns[FindingKind.LINEAGE_INCOMPLETE] == approved
        assert digest.is_quiet == (period.week in QUIET_WEEKS)
        assert not digest.ledger.fault
        assert read_digest(as_json(digest)) == digest


def test_the_trend_shows_the_eleven_weeks_before_as_they_were(s: Services) -> None:
    year = GeneratedYear(s.store)

    trend = told(s, WEEKS[-1]).trend

    assert [one.week for one in trend] == [period.week for period in WEEKS[-12:]]
    for one in trend:
        week = year.weeks[one.week]
        assert (one.decided, one.median, one.p95) == (len(week.took), week.median, week.p95)
        assert one.transitions == sum(week.outcomes.values())
