"""A digest and everything else at once: no approval waits for one, however long it takes, and several bots make one of it.

What hangs here hangs until the test lets it go, so that the order of events decides and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Barrier, Event
from typing import Any

import pytest

from bot.domain.digest.periods import Period
from bot.domain.events import DigestClosed, DigestDelivered
from bot.engine.rows import JobStatus
from bot.services import Services
from handlers.doors.clock import HOUSEKEEPING, tick
from handlers.effects import effects_of
from tests.fixtures.digest_weeks import DIGEST, closed, go_to_due, rows, weeks_from_now
from tests.fixtures.installation import PATIENCE, Installation, services_with
from tests.fixtures.outcomes import assert_promoted_once
from tests.fixtures.workers import eventually

pytestmark = pytest.mark.proof

PLAN = DIGEST.replace("}}", "}, ticket: {project: GOV, type: Task}}")


@pytest.fixture
def planned(installation: Installation) -> Installation:
    installation.use_policy(top=PLAN)
    return installation


@dataclass
class Hanging:
    """Something outside, one of whose calls does not come back before the test lets it go."""

    inner: Any
    call: str
    reached: Event = field(default_factory=Event)
    let_go: Event = field(default_factory=Event)

    def __getattr__(self, name: str) -> object:
        return self._hang if name == self.call else getattr(self.inner, name)

    def _hang(self, *words: object, **named: object) -> object:
        self.reached.set()
        assert self.let_go.wait(PATIENCE)
        return getattr(self.inner, self.call)(*words, **named)


@contextmanager
def another_bot(installation: Installation) -> Iterator[Services]:
    """On the same database, with its own connections."""
    s = services_with(installation.settings, installation.settings.database_url.get_secret_value(), installation.clock)
    yield s
    s.store.engine.dispose()


def work(s: Services) -> None:
    s.store.jobs.drain(effects_of(s))


def look_at_the_clock(s: Services) -> bool:
    return tick("close_digests", HOUSEKEEPING["close_digests"], s)


def at_once(deed: Callable[[Services], object], bots: list[Services]) -> list[object]:
    start = Barrier(len(bots))

    def go(s: Services) -> object:
        start.wait(PATIENCE)
        return deed(s)

    with ThreadPoolExecutor(len(bots)) as threads:
        return list(threads.map(go, bots))


def delivered(installation: Installation) -> list[str]:
    return sorted(entry["to"] for entry in installation.entries(DigestDelivered))


def assert_one_digest(installation: Installation, week: Period) -> None:
    installation.settle_all()
    assert closed(installation) == [week.week]
    assert len(rows(installation, [week])) == 1
    assert delivered(installation) == ["jira", "slack"]
    assert len([message for message in installation.slack.messages("compliance") if not message.is_reply]) == 1
    assert (
        len([issue for issue in installation.jira.issues() if f"countersign-digest-{week.week}" in issue.labels]) == 1
    )
    assert installation.unfinished() == []
    assert installation.ledger_fault() is None


@pytest.mark.parametrize(
    ("outside", "call", "done"),
    [
        ("registry", "read_lock", []),  # which the closing asks what was held was made by
        ("notifier", "post", []),
        ("tickets", "open_ticket", ["slack"]),
    ],
    ids=["while the week is being closed", "while Slack hangs", "while Jira hangs"],
)
def test_an_approval_goes_from_the_click_to_the_moved_alias(
    planned: Installation, outside: str, call: str, done: list[str]
) -> None:
    (week,) = weeks_from_now(1)
    planned.promoted()
    planned.settle_all()
    go_to_due(planned, week)
    with another_bot(planned) as other, ThreadPoolExecutor(1) as thread:
        hanging = Hanging(getattr(other, outside), call)
        assert look_at_the_clock(other)
        working = thread.submit(work, replace(other, **{outside: hanging}))
        assert hanging.reached.wait(PATIENCE)

        request = planned.promoted()
        champion, meanwhile = planned.champion(), (closed(planned), delivered(planned))
        running = [job.name for job in planned.s.store.jobs.listing(JobStatus.RUNNING)]
        hanging.let_go.set()
        working.result(PATIENCE)

    assert champion == request.version.version
    assert len(running) == 1
    assert running[0] in ("close_week", "post_digest", "file_digest")
    assert meanwhile[0] == ([] if outside == "registry" else [week.week])
    assert set(done) <= set(meanwhile[1]) < {"jira", "slack"}
    assert_one_digest(planned, week)
    assert_promoted_once(planned, request)


def test_two_bots_with_a_clock_and_a_worker_each_make_one_digest(planned: Installation) -> None:
    (week,) = weeks_from_now(1)
    planned.promoted()
    planned.settle_all()
    go_to_due(planned, week)
    with another_bot(planned) as one, another_bot(planned) as two:
        ticked = at_once(look_at_the_clock, [one, two])

        def work_together() -> bool:
            at_once(work, [one, two])
            return delivered(planned) == ["jira", "slack"]

        eventually(work_together)

    assert sorted(map(bool, ticked)) == [False, True]
    assert_one_digest(planned, week)


def test_two_bots_that_close_the_same_week_at_the_same_time_close_it_once(planned: Installation) -> None:
    """As after the death of a worker that was taken for dead and was not: both have the job."""
    (week,) = weeks_from_now(1)
    planned.promoted()
    planned.settle_all()
    go_to_due(planned, week)
    with another_bot(planned) as one, another_bot(planned) as two:
        meeting = Barrier(2)
        bots = [replace(s, registry=Meeting(s.registry, meeting)) for s in (one, two)]

        at_once(lambda s: effects_of(s)["close_week"](week.week), bots)

    assert len(planned.entries(DigestClosed)) == 1
    assert_one_digest(planned, week)


@dataclass
class Meeting:
    """A registry that is asked for a pipeline by both before either is answered."""

    inner: Any
    both: Barrier

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def read_lock(self, *words: object) -> object:
        self.both.wait(PATIENCE)
        return self.inner.read_lock(*words)
