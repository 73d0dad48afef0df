"""What compliance should have and has not is shown by `/readyz` and the metrics, from the moment it is due until it is with everybody."""

from __future__ import annotations

import re
from typing import NoReturn

import pytest
import requests

from bot.domain.digest.periods import Period
from bot.domain.events import DigestDelivered
from bot.engine.rows import JobStatus
from bot.errors import Temporary
from handlers.digest import closing
from handlers.digest.closing import close_week
from handlers.doors.clock import HOUSEKEEPING, tick
from tests.fixtures.digest_weeks import DIGEST, closed, go_to, go_to_due, look, weeks_from_now
from tests.fixtures.installation import Installation

WITH_A_TICKET = DIGEST.replace("}}", "}, ticket: {project: GOV, type: Task}}")


@pytest.fixture
def planned(installation: Installation) -> Installation:
    installation.use_policy(top=DIGEST)
    return installation


def readyz(installation: Installation) -> tuple[list[str], str]:
    """Which digests are owed, and the status."""
    answer = requests.get(f"{installation.status_url}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    return answer.json()["undelivered_digests"], answer.json()["status"]


def counted(installation: Installation) -> float:
    """How many digests are owed, as the metrics say."""
    (number,) = re.findall(r"^countersign_digests_undelivered (\S+)$", metrics(installation), re.MULTILINE)
    return float(number)


def metrics(installation: Installation) -> str:
    answer = requests.get(f"{installation.status_url}/metrics", timeout=10)
    assert answer.status_code == 200
    return answer.text


def not_closed(*weeks: Period) -> list[str]:
    return [f"{week.week} is not closed" for week in weeks]


def takes_too_long(*_: object) -> NoReturn:
    raise Temporary("setting the report took too long", retry_after=3600)


def test_a_closed_week_is_owed_until_it_is_delivered(planned: Installation) -> None:
    (week,) = weeks_from_now(1)
    go_to_due(planned, week)
    close_week(week.week, planned.s)
    before = (readyz(planned), counted(planned))

    planned.settle_all()

    (ended,) = re.findall(
        rf'^countersign_digest_last_week{{week="{week.week}"}} (\S+)$', metrics(planned), re.MULTILINE
    )
    assert before == (([f"{week.week} to slack"], "degraded"), 1)
    assert (readyz(planned), counted(planned)) == (([], "ok"), 0)
    assert float(ended) == week.ends.timestamp()


def test_a_week_is_owed_once_it_is_due_although_no_clock_and_no_worker_has_looked(planned: Installation) -> None:
    week, following = weeks_from_now(2)
    go_to(planned, week.ends)
    before = (readyz(planned), counted(planned))

    go_to_due(planned, following)

    assert before == (([], "ok"), 0)
    assert (readyz(planned), counted(planned)) == ((not_closed(week, following), "degraded"), 2)


def test_a_week_that_cannot_be_closed_is_owed_while_it_is_tried_again_and_when_somebody_gave_it_up(
    planned: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (week,) = weeks_from_now(1)
    jobs = planned.s.store.jobs
    monkeypatch.setattr(closing, "frozen", takes_too_long)
    go_to_due(planned, week)
    look(planned)
    (waiting,) = jobs.listing(JobStatus.WAITING)
    while_tried = (readyz(planned), counted(planned))

    jobs.drop(waiting.id, "the report is written by hand this week")
    look(planned)

    assert (waiting.name, waiting.request_id) == ("close_week", week.week)
    assert while_tried == ((not_closed(week), "degraded"), 1)
    assert (readyz(planned), counted(planned)) == ((not_closed(week), "degraded"), 1)


def test_what_was_left_out_after_a_long_stop_is_owed_to_nobody(planned: Installation) -> None:
    weeks = weeks_from_now(11)

    go_to_due(planned, weeks[-1])

    assert readyz(planned)[0] == not_closed(*weeks[3:])


def test_without_a_plan_nothing_is_owed(installation: Installation) -> None:
    go_to(installation, weeks_from_now(3)[-1].ends)

    assert (readyz(installation), counted(installation)) == (([], "ok"), 0)


def test_a_policy_that_only_another_release_can_read_leaves_readyz_and_the_metrics_their_answers(
    planned: Installation,
) -> None:
    week, following = weeks_from_now(2)
    go_to_due(planned, week)
    close_week(week.week, planned.s)
    with planned.s.store.transaction() as tx:
        tx.policies.add("version: 99\ndigest: {}\n", "sha256:99", "another release", planned.clock.now())

    go_to(planned, following.ends)

    assert (readyz(planned), counted(planned)) == (([f"{week.week} to slack"], "degraded"), 1)


def test_while_the_migration_that_brings_digests_is_pending_the_other_figures_are_told(
    installation: Installation,
) -> None:
    with installation.s.store.engine.begin() as connection:
        connection.exec_driver_sql("drop table digests")
        connection.exec_driver_sql("update alembic_version set version_num = '0004'")

    ready, told = requests.get(f"{installation.status_url}/readyz", timeout=10), metrics(installation)

    assert (ready.status_code, ready.json()["pending_migrations"]) == (503, True)
    assert re.search(r"^countersign_ledger_entries [1-9]", told, re.MULTILINE)
    assert "countersign_digest" not in told


def test_slack_is_down_on_monday_morning_and_has_its_digest_once_when_it_is_back(installation: Installation) -> None:
    (week,) = weeks_from_now(1)
    installation.use_policy(top=WITH_A_TICKET)
    installation.settle_all()
    go_to_due(installation, week)
    installation.slack.faults.add("down", times=1_000)
    assert tick("close_digests", HOUSEKEEPING["close_digests"], installation.s)
    installation.settle_until(lambda: installation.entries(DigestDelivered))
    without_slack = (
        installation.slack.messages("compliance"),
        len(installation.jira.issues()),
        readyz(installation),
        counted(installation),
    )

    installation.slack.faults.clear()
    installation.settle_all()
    look(installation)

    assert without_slack == ([], 1, ([f"{week.week} to slack"], "degraded"), 1)
    assert closed(installation) == [week.week]
    assert [entry["to"] for entry in installation.entries(DigestDelivered)] == ["jira", "slack"]
    assert len([message for message in installation.slack.messages("compliance") if not message.is_reply]) == 1
    assert len(installation.jira.issues()) == 1
    assert (readyz(installation), counted(installation)) == (([], "ok"), 0)
