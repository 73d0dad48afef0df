"""`countersign digest`: a past week in the same bytes again, a preview of the running one, and why a week has no digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.domain.digest.periods import Period, next_period, period_at, previous_period
from bot.domain.events import DigestClosed
from bot.errors import Refused
from bot.store.digests import DigestRow
from handlers.digest.closing import close_week
from handlers.digest.reprint import look_at_week, tell_again
from handlers.digest.sign_off import sign_off
from tests.fixtures.installation import Installation

MADRID = "Europe/Madrid"
DIGEST = 'digest: {cron: "0 9 * * tue", timezone: Europe/Madrid, notify: {slack: "#compliance"}}'


def this_week() -> Period:
    return period_at(datetime.now(UTC), MADRID)


def digest(installation: Installation, *words: str, **environment: str) -> Result:
    settings = installation.settings
    environ = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        **environment,
    }
    return CliRunner().invoke(main, ["digest", *words], env=environ)


def close(installation: Installation, period: Period) -> DigestRow:
    installation.clock.ahead = period.ends + timedelta(days=1, hours=10) - datetime.now(UTC)
    close_week(period.week, installation.s)
    with installation.s.store.transaction() as tx:
        row = tx.digests.find(period.week)
    assert row is not None
    return row


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def planned(open_installation: Callable[..., Installation]) -> Installation:
    ready = open_installation(top=DIGEST)
    ready.sweep()
    return ready


def test_a_closed_week_is_told_in_the_same_bytes_again_whatever_happens_afterwards(
    planned: Installation, tmp_path: Path
) -> None:
    week = this_week()
    planned.approve(planned.asked())
    row = close(planned, week)
    (recorded,) = planned.entries(DigestClosed)
    first = digest(planned, "--week", week.week, "--out", str(tmp_path / "first"))
    planned.asked()
    close(planned, next_period(week))
    planned.use_policy()

    again = digest(planned, "--week", week.week, "--out", str(tmp_path / "new" / "again"))

    files = contents(tmp_path / "first")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    stem = f"countersign-{week.week}"
    assert (first.exit_code, again.exit_code, first.stderr, again.stderr) == (0, 0, "", "")
    assert contents(tmp_path / "new" / "again") == files
    assert (files[f"{stem}.pdf"], files[f"{stem}.png"]) == (row.pdf, row.chart)
    assert files[f"{stem}-figures.json"] == row.figures.encode()
    assert files[f"{stem}-holdings.csv"] == row.holdings.encode()
    assert files[f"{stem}-waiting.csv"] == row.waiting.encode()
    assert row.sizes == {name: len(files[name]) for name in recorded["files"]}
    assert recorded["files"].items() <= hashes.items()
    assert sorted(first.stdout.split()[::2]) == sorted(hashes.values())


def test_a_sign_off_is_printed_and_adds_a_page_and_changes_no_file_that_was_delivered(
    planned: Installation, tmp_path: Path
) -> None:
    planned.use_policy(top=f"{DIGEST[:-1]}, sign_off: compliance}}", groups="compliance: {people: [ana@example.com]}")
    row = close(planned, this_week())
    before = digest(planned, "--out", str(tmp_path / "before"))
    with planned.s.store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "Ana Ruiz")
    sign_off(this_week().week, row.digest, ana, "one late ticket", planned.s)

    printed, written = digest(planned), digest(planned, "--out", str(tmp_path / "after"))
    again = digest(planned, "--out", str(tmp_path / "again"))

    first, after = contents(tmp_path / "before"), contents(tmp_path / "after")
    page = f"countersign-{this_week().week}-signed-off.html"
    assert [one.exit_code for one in (before, printed, written, again)] == [0, 0, 0, 0]
    assert "Sign-off: Signed off by Ana Ruiz on " in printed.stdout
    assert after.keys() - first.keys() == {page}
    assert {name: after[name] for name in first} == first
    assert b"with a remark: one late ticket" in after[page]
    assert contents(tmp_path / "again") == after


def test_it_is_printed_for_people_or_as_the_frozen_figures_and_is_the_last_week_unless_one_is_named(
    planned: Installation,
) -> None:
    week = this_week()
    row = close(planned, week)

    told, figures = digest(planned), digest(planned, "--week", week.week, "--json")

    assert told.exit_code == 0
    assert week.week in told.stdout
    assert "Needs attention: " in told.stdout
    assert figures.stdout == f"{row.figures}\n"


def test_a_dry_run_tells_of_the_week_that_runs_and_stores_and_sends_nothing(
    planned: Installation, tmp_path: Path
) -> None:
    planned.approve(planned.asked())
    with planned.s.store.transaction() as tx:
        before = tx.ledger.count()

    told = digest(planned, "--dry-run", "--json")
    written = digest(planned, "--dry-run", "--out", str(tmp_path / "look"))

    with planned.s.store.transaction() as tx:
        after, newest = tx.ledger.count(), tx.digests.newest()
    assert told.stderr == "Dry run: nothing was stored or sent.\n"
    assert json.loads(told.stdout)["period"]["week"] == this_week().week
    assert json.loads(told.stdout)["outcomes"] == {"applied": 1}
    assert written.exit_code == 0
    made, stem = contents(tmp_path / "look"), f"countersign-{this_week().week}-preview"
    assert len(made) == 8
    assert all(name.startswith(stem) for name in made)
    assert {line.rpartition("/")[2] for line in written.stdout.splitlines()} == made.keys()
    assert f"<title>Preview: Model approvals, week {this_week().week}" in made[f"{stem}.html"].decode()
    assert (after, newest) == (before, None)
    assert planned.slack.messages("compliance") == []


@pytest.mark.parametrize("word", ["2026-W54", "last", "9999-W52"])
def test_what_is_no_week_is_wrong_usage(word: str) -> None:
    told = CliRunner().invoke(main, ["digest", "--week", word])

    assert told.exit_code == 2
    assert f'"{word}" is no ISO week. Write one such as 2026-W47' in told.stderr


def test_a_week_that_cannot_be_told_is_refused_with_the_reason(planned: Installation) -> None:
    now, before, following = this_week(), previous_period(this_week()), next_period(this_week())

    refusals = [
        digest(planned, *words)
        for words in ([], ["--week", now.week], ["--week", before.week], ["--dry-run", "--week", following.week])
    ]

    assert [refusal.exit_code for refusal in refusals] == [1, 1, 1, 1]
    assert [
        refusal.stderr.partition(" (Europe")[0].rpartition(" on ")[0] or refusal.stderr for refusal in refusals
    ] == [
        "Error: no week is closed yet. Add --dry-run to see the one that runs\n",
        f"Error: {now.week} is not over: it ends",
        f"Error: {before.week} was over before the ledger began,",
        f"Error: {following.week} has not begun: it begins",
    ]


@pytest.mark.proof
def test_whether_a_week_is_waited_for_was_left_out_or_was_never_planned_is_told_apart(planned: Installation) -> None:
    weeks = [this_week()]
    while len(weeks) < 12:
        weeks.append(next_period(weeks[-1]))
    planned.clock.ahead = weeks[0].ends + timedelta(hours=1) - datetime.now(UTC)
    waited_for = refusal(planned, weeks[0])
    planned.clock.ahead = weeks[0].ends + timedelta(days=2) - datetime.now(UTC)
    late = refusal(planned, weeks[0])
    close(planned, weeks[9])
    left_out = refusal(planned, weeks[0])

    assert f"{weeks[0].week} is not closed yet: its digest is due on" in waited_for
    assert waited_for.endswith("at 09:00 (Europe/Madrid). Add --dry-run for a preview")
    assert late.endswith("at 09:00 (Europe/Madrid). Look for close_week in `countersign jobs list`")
    assert left_out.startswith(f"{weeks[0].week} was left out: nobody closed it in time")
    assert look_at_week(weeks[0].week, planned.s).digest.period == weeks[0]
    with pytest.raises(Refused, match=f"{weeks[9].week} is closed, and its figures stand"):
        look_at_week(weeks[9].week, planned.s)


def refusal(installation: Installation, period: Period) -> str:
    with pytest.raises(Refused) as refused:
        tell_again(period.week, installation.s)
    return str(refused.value)


def test_without_a_plan_a_week_is_not_told_but_can_be_looked_at(installation: Installation) -> None:
    week = this_week()
    installation.clock.ahead = week.ends + timedelta(days=2) - datetime.now(UTC)

    why = refusal(installation, replace(week, timezone="UTC"))

    assert "the policy plans no digest. Add `digest:` to it." in why
    assert look_at_week(week.week, installation.s).digest.period.week == week.week


def test_figures_that_were_changed_are_not_told(planned: Installation) -> None:
    week = this_week()
    close(planned, week)
    with planned.s.store.engine.begin() as connection:
        connection.exec_driver_sql("update digests set figures = replace(figures, '\"total\":0', '\"total\":1')")

    told = digest(planned, "--week", week.week, "--json")

    assert told.exit_code == 1
    assert f"the figures of {week.week} are not those that the ledger recorded when the week was closed" in told.stderr


def test_a_directory_that_cannot_be_made_is_a_sentence(planned: Installation, tmp_path: Path) -> None:
    close(planned, this_week())
    (tmp_path / "a file").write_text("")

    told = digest(planned, "--out", str(tmp_path / "a file" / "out"))

    assert told.exit_code == 1
    assert "out cannot be written: Not a directory. Name another directory" in told.stderr


def test_a_template_that_has_changed_since_is_said_of_the_file_that_it_changes(
    planned: Installation, tmp_path: Path
) -> None:
    week = this_week()
    close(planned, week)
    (tmp_path / "report.css").write_text("h1 { color: #003366 }\n")
    words = ("--week", week.week, "--out", str(tmp_path / "out"))

    told = digest(planned, *words, COUNTERSIGN_TEMPLATES=str(tmp_path))
    listed = json.loads(digest(planned, *words, "--json", COUNTERSIGN_TEMPLATES=str(tmp_path)).stdout)

    assert told.exit_code == 1
    assert f"countersign-{week.week}.html: not what was delivered, for the templates" in told.stderr
    assert [file["name"] for file in listed if not file["is_as_delivered"]] == [f"countersign-{week.week}.html"]
