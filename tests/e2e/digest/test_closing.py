"""The weeks are closed one after the other, each once: by any number of clocks and workers, after a stop, and not before their time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.demo.digest import end_week
from bot.domain.digest.figures import FindingKind
from bot.domain.digest.json_form import as_json, read_digest
from bot.domain.events import DigestClosed, DigestDelivered, DigestsLeftOut, KeyAdded
from bot.engine.rows import JobStatus
from bot.errors import Refused
from handlers.digest.closing import close_week
from handlers.digest.reprint import tell_again, write_report
from handlers.doors.clock import HOUSEKEEPING, tick
from tests.fixtures.digest_weeks import A_MOMENT, DIGEST, closed, go_to, go_to_due, look, rows, weeks_from_now
from tests.fixtures.installation import Installation, services_with


@pytest.fixture
def planned(installation: Installation) -> Installation:
    installation.use_policy(top=DIGEST)
    return installation


def test_nothing_is_due_before_its_time_and_then_the_week_is_frozen(planned: Installation) -> None:
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
    assert {name.rpartition(".")[2] for name in entry["files"]} == {"csv", "html", "jsonl", "pdf"}
    assert digest.ledger.checkpoint
    assert planned.ledger_fault() is None


def test_a_closed_week_is_delivered_and_closed_no_second_time(planned: Installation) -> None:
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


def test_two_clocks_make_one_tick_and_two_workers_one_digest(planned: Installation) -> None:
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


@pytest.mark.proof
def test_after_three_weeks_without_a_clock_each_week_is_told_the_oldest_first(planned: Installation) -> None:
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


@pytest.mark.proof
def test_after_a_longer_stop_the_oldest_weeks_are_left_out_and_the_next_digest_says_so(planned: Installation) -> None:
    weeks = weeks_from_now(11)
    go_to_due(planned, weeks[-1])

    look(planned)
    look(planned)
    close_week(weeks[-1].week, planned.s)

    (left_out,) = planned.entries(DigestsLeftOut)
    first, *others = [read_digest(row.figures) for row in rows(planned, weeks)]
    assert left_out["weeks"] == [week.week for week in weeks[:3]]
    assert closed(planned) == [week.week for week in weeks[3:]]
    assert first.concerns[FindingKind.DIGESTS_LEFT_OUT] > 0
    assert all(digest.concerns[FindingKind.DIGESTS_LEFT_OUT] == 0 for digest in others)


def test_weeks_before_a_digest_was_planned_are_not_told(installation: Installation) -> None:
    weeks = weeks_from_now(3)
    go_to(installation, weeks[2].starts + timedelta(days=3))
    installation.use_policy(top=DIGEST)
    look(installation)
    before = closed(installation)

    go_to_due(installation, weeks[2])
    look(installation)

    assert (before, closed(installation)) == ([], [weeks[2].week])


@pytest.mark.proof
def test_a_plan_that_was_away_for_a_monday_leaves_no_week_untold(planned: Installation) -> None:
    weeks = weeks_from_now(3)
    go_to_due(planned, weeks[0])
    look(planned)
    planned.use_policy()
    go_to(planned, weeks[1].ends + timedelta(hours=10))
    look(planned)
    planned.use_policy(top=DIGEST)

    look(planned)

    assert closed(planned) == [weeks[0].week, weeks[1].week]


@pytest.mark.proof
def test_a_plan_that_comes_back_after_months_tells_no_week_that_nobody_planned(planned: Installation) -> None:
    weeks = weeks_from_now(14)
    go_to_due(planned, weeks[0])
    look(planned)
    planned.use_policy()
    go_to(planned, weeks[12].ends + timedelta(hours=10))
    look(planned)
    planned.use_policy(top=DIGEST)
    planned.use_policy(top=DIGEST.replace("compliance", "model-approvals"))
    look(planned)
    before = closed(planned)

    go_to_due(planned, weeks[13])
    look(planned)

    assert before == [weeks[0].week]
    assert closed(planned) == [weeks[0].week, weeks[13].week]
    assert planned.entries(DigestsLeftOut) == []
    assert read_digest(rows(planned, weeks[13:])[0].figures).concerns.get(FindingKind.DIGESTS_LEFT_OUT, 0) == 0
    with pytest.raises(Refused, match=f"{weeks[5].week} has no digest: the policy planned none for it"):
        tell_again(weeks[5].week, planned.s)


@pytest.mark.proof
def test_a_first_plan_counts_from_when_it_came_to_stay(installation: Installation) -> None:
    weeks = weeks_from_now(4)
    installation.use_policy(top=DIGEST)
    installation.use_policy()
    go_to(installation, weeks[2].starts + timedelta(days=3))
    installation.use_policy(top=DIGEST)
    go_to(installation, weeks[3].starts + timedelta(hours=5))
    installation.use_policy(top=DIGEST.replace("compliance", "model-approvals"))

    go_to_due(installation, weeks[3])
    look(installation)

    assert closed(installation) == [weeks[2].week, weeks[3].week]


@pytest.mark.proof
def test_a_policy_that_only_another_release_can_read_does_not_end_the_plan(planned: Installation) -> None:
    weeks = weeks_from_now(3)
    with planned.s.store.transaction() as tx:
        tx.policies.add("version: 99\ndigest: {}\n", "sha256:99", "another release", planned.clock.now())
    go_to(planned, weeks[2].starts + timedelta(days=1))
    planned.use_policy(top=DIGEST.replace("compliance", "model-approvals"))

    look(planned)

    assert closed(planned) == [weeks[0].week, weeks[1].week]


def test_a_policy_without_a_digest_closes_nothing(installation: Installation) -> None:
    go_to(installation, weeks_from_now(3)[-1].ends)

    look(installation)
    close_week(weeks_from_now(1)[0].week, installation.s)

    assert closed(installation) == []


def test_a_week_that_cannot_be_closed_is_parked_once_and_told_when_that_is_mended(
    planned: Installation, tmp_path: Path
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


def test_a_ledger_that_was_cut_has_its_digest_and_that_stands_first(planned: Installation) -> None:
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
    assert digest.attention.shown[0].concern is FindingKind.LEDGER_BROKEN


@pytest.mark.proof
def test_what_is_recorded_late_belongs_to_no_closed_week_and_changes_none(
    planned: Installation, tmp_path: Path
) -> None:
    week, following = weeks_from_now(2)
    planned.approve(planned.asked())
    go_to_due(planned, week)
    look(planned)
    before = tell_again(week.week, planned.s)
    write_report(before, tmp_path / "before", planned.s)

    with planned.s.store.transaction() as tx:
        tx.record([KeyAdded(week.ends - A_MOMENT, "a-late-key", "ed25519", "ledger")])
    go_to_due(planned, following)
    look(planned)

    after = tell_again(week.week, planned.s)
    write_report(after, tmp_path / "after", planned.s)
    write_report(tell_again(following.week, planned.s), tmp_path / "following", planned.s)
    assert replace(after.row, posted=before.row.posted) == before.row
    assert after.digest == before.digest
    assert contents(tmp_path / "after") == contents(tmp_path / "before")
    assert not [
        path
        for path in tmp_path.glob("*/*")
        if path.suffix in (".csv", ".jsonl", ".html", ".json") and b"a-late-key" in path.read_bytes()
    ]


@pytest.mark.proof
def test_a_demos_week_ends_once_so_that_nothing_is_told_in_no_digest(planned: Installation) -> None:
    (week,) = weeks_from_now(1)
    ended = end_week(planned.s)
    planned.settle_all()
    planned.approve(planned.asked())

    with pytest.raises(Refused, match=f"{week.week} has ended already"):
        end_week(planned.s)

    assert ended == week.week
    assert closed(planned) == [week.week]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}
