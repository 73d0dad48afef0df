"""The weeks are closed one after the other, each once: by any number of clocks and workers, after a stop, and not before their time."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from bot.digest_clock import due_at
from bot.digest_store import DigestRow
from bot.domain.digest import Concern
from bot.domain.digest_json import as_json, read_digest
from bot.domain.events import DigestClosed, DigestDelivered, DigestsLeftOut
from bot.domain.periods import Period, next_period, period_at
from bot.job_rows import JobStatus
from handlers.clock import HOUSEKEEPING, tick
from handlers.digests import close_week
from tests.fixtures.house import House, services_with

MADRID = "Europe/Madrid"
DIGEST = 'digest: {cron: "0 9 * * mon", timezone: Europe/Madrid, notify: {slack: "#compliance"}}'
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
def planned(house: House) -> House:
    house.use_policy(top=DIGEST)
    return house


def weeks_from_now(count: int) -> list[Period]:
    """This one and the next ones, as real time has them."""
    weeks = [period_at(datetime.now(UTC), MADRID)]
    while len(weeks) < count:
        weeks.append(next_period(weeks[-1]))
    return weeks


def go_to(house: House, moment: datetime) -> None:
    house.clock.ahead = moment - datetime.now(UTC)


def go_to_due(house: House, period: Period) -> None:
    plan = house.s.store.policy().digest
    assert plan is not None
    go_to(house, due_at(plan, period) + A_MOMENT)


def look(house: House) -> None:
    """What the clock brings about every minute."""
    house.sweep("close_digests")


def rows(house: House, weeks: list[Period]) -> list[DigestRow]:
    with house.s.store.transaction() as tx:
        return [row for period in weeks if (row := tx.digests.find(period.week)) is not None]


def closed(house: House) -> list[str]:
    return [entry["week"] for entry in house.entries(DigestClosed)]


def test_nothing_is_due_before_its_time_and_then_the_week_is_frozen(planned: House) -> None:
    week, _ = weeks_from_now(2)
    planned.approve(planned.asked())
    go_to(planned, week.ends + timedelta(hours=8, minutes=59))
    look(planned)
    before = closed(planned)

    go_to_due(planned, week)
    look(planned)

    (row,) = rows(planned, [week])
    digest = read_digest(row.figures)
    (entry,) = planned.entries(DigestClosed)
    assert (before, closed(planned)) == ([], [week.week])
    assert (row.period, digest.period) == (week, week)
    assert digest.outcomes == {"applied": 1}
    assert entry["digest"] == row.digest == hashlib.sha256(row.figures.encode()).hexdigest()
    assert as_json(digest) == row.figures
    assert entry["files"][f"countersign-{week.week}.pdf"] == hashlib.sha256(row.pdf).hexdigest()
    assert sorted(name.rpartition(".")[2] for name in entry["files"]) == ["csv", "html", "jsonl", "pdf"]
    assert digest.ledger.checkpoint
    assert planned.ledger_fault() is None


def test_a_closed_week_is_delivered_and_closed_no_second_time(planned: House) -> None:
    week, following = weeks_from_now(2)
    go_to_due(planned, week)
    for _ in range(3):
        look(planned)
    planned.settle_all()
    go_to(planned, following.ends)
    look(planned)

    assert closed(planned) == [week.week]
    assert [entry["to"] for entry in planned.entries(DigestDelivered)] == ["slack"]
    assert planned.unfinished() == []


def test_two_clocks_make_one_tick_and_two_workers_one_digest(planned: House) -> None:
    (week,) = weeks_from_now(1)
    go_to_due(planned, week)
    url = planned.settings.database_url.get_secret_value()
    other = services_with(planned.settings, url, planned.clock)

    with ThreadPoolExecutor(2) as both:
        every = HOUSEKEEPING["close_digests"]
        ticked = list(both.map(lambda s: tick("close_digests", every, s), [planned.s, other]))
        list(both.map(lambda s: close_week(week.week, s), [planned.s, other]))
    other.store.engine.dispose()
    planned.settle_all()

    assert sorted(ticked) == [False, True]
    assert closed(planned) == [week.week]
    assert len(planned.entries(DigestDelivered)) == 1


def test_after_three_weeks_without_a_clock_each_week_is_told_the_oldest_first(planned: House) -> None:
    weeks = weeks_from_now(4)
    planned.approve(planned.asked())
    go_to_due(planned, weeks[-1])

    look(planned)
    planned.settle_all()

    told = rows(planned, weeks)
    assert closed(planned) == [week.week for week in weeks]
    assert [read_digest(row.figures).is_quiet for row in told][1:] == [True, True, True]
    assert [entry["week"] for entry in planned.entries(DigestDelivered)] == closed(planned)
    assert planned.entries(DigestsLeftOut) == []


def test_after_a_longer_stop_the_oldest_weeks_are_left_out_and_the_next_digest_says_so(planned: House) -> None:
    weeks = weeks_from_now(11)
    go_to_due(planned, weeks[-1])

    look(planned)
    look(planned)
    close_week(weeks[-1].week, planned.s)

    (left_out,) = planned.entries(DigestsLeftOut)
    first, *others = [read_digest(row.figures) for row in rows(planned, weeks)]
    assert left_out["weeks"] == [week.week for week in weeks[:3]]
    assert closed(planned) == [week.week for week in weeks[3:]]
    assert first.concerns[Concern.DIGESTS_LEFT_OUT] > 0
    assert all(digest.concerns[Concern.DIGESTS_LEFT_OUT] == 0 for digest in others)


def test_weeks_before_a_digest_was_planned_are_not_told(house: House) -> None:
    weeks = weeks_from_now(3)
    go_to(house, weeks[2].starts + timedelta(days=3))
    house.use_policy(top=DIGEST)
    look(house)
    before = closed(house)

    go_to_due(house, weeks[2])
    look(house)

    assert (before, closed(house)) == ([], [weeks[2].week])


def test_a_plan_that_was_away_for_a_monday_leaves_no_week_untold(planned: House) -> None:
    weeks = weeks_from_now(3)
    go_to_due(planned, weeks[0])
    look(planned)
    planned.use_policy()
    go_to(planned, weeks[1].ends + timedelta(hours=10))
    look(planned)
    planned.use_policy(top=DIGEST)

    look(planned)

    assert closed(planned) == [weeks[0].week, weeks[1].week]


def test_a_policy_without_a_digest_closes_nothing(house: House) -> None:
    go_to(house, weeks_from_now(3)[-1].ends)

    look(house)
    close_week(weeks_from_now(1)[0].week, house.s)

    assert closed(house) == []


def test_a_week_that_cannot_be_closed_is_parked_once_and_told_when_that_is_mended(
    planned: House, tmp_path: Path
) -> None:
    (week,) = weeks_from_now(1)
    template = tmp_path / "report.html"
    template.write_text("{% if %}")
    planned.s = replace(planned.s, templates=tmp_path)
    go_to_due(planned, week)
    for _ in range(3):
        look(planned)
    parked = planned.s.store.jobs.listing(JobStatus.PARKED)
    template.unlink()

    planned.s.store.jobs.replay(parked[0].id)
    planned.settle_all()

    assert [(job.name, job.request_id) for job in parked] == [("close_week", week.week)]
    assert "report.html" in parked[0].errors[-1].error
    assert closed(planned) == [week.week]


def test_a_ledger_that_was_cut_has_its_digest_and_that_stands_first(planned: House) -> None:
    (week,) = weeks_from_now(1)
    planned.approve(planned.asked())
    with planned.s.store.engine.begin() as connection:
        connection.exec_driver_sql("alter table ledger disable trigger user")
        connection.exec_driver_sql("delete from ledger where seq = 2")
        connection.exec_driver_sql("alter table ledger enable trigger user")
    go_to_due(planned, week)

    look(planned)

    (row,) = rows(planned, [week])
    digest = read_digest(row.figures)
    assert digest.ledger.fault
    assert digest.attention.shown[0].concern is Concern.LEDGER_BROKEN


def test_what_was_not_delivered_is_shown_by_readyz_and_the_metrics_until_it_is(planned: House) -> None:
    (week,) = weeks_from_now(1)
    go_to_due(planned, week)
    close_week(week.week, planned.s)
    ready = requests.get(f"{planned.url}/readyz", timeout=10)
    metrics = requests.get(f"{planned.url}/metrics", timeout=10).text
    planned.settle_all()
    afterwards = requests.get(f"{planned.url}/readyz", timeout=10).json()

    assert (ready.status_code, ready.json()["ready"], ready.json()["status"]) == (200, True, "degraded")
    assert ready.json()["undelivered_digests"] == [f"{week.week} to slack"]
    assert "\ncountersign_digests_undelivered 1.0\n" in metrics
    (ended,) = re.findall(rf'^countersign_digest_last_week{{week="{week.week}"}} (\S+)$', metrics, re.MULTILINE)
    assert float(ended) == week.ends.timestamp()
    assert (afterwards["undelivered_digests"], afterwards["status"]) == ([], "ok")
