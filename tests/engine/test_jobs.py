"""Deferring, running, parking, replaying and dropping jobs, on a real PostgreSQL and without waiting for anything."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.engine.attempts import RetryPolicy
from bot.engine.jobs import Jobs
from bot.engine.lanes import Urgency
from bot.engine.rows import Job, JobStatus
from bot.errors import JobRefused, NotFound, NotYet, OutcomeUnknown, Permanent, Temporary

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

AT_ONCE = RetryPolicy(base=0.0)


def failing(error: Exception) -> Callable[[str], None]:
    def effect(request_id: str) -> None:
        raise error

    return effect


def defer(engine: sa.Engine, jobs: Jobs, name: str, request_id: str = "r1", lane: str = "slack:r1") -> None:
    with engine.begin() as connection:
        jobs.defer(connection, name, request_id, lane=lane)


def only(jobs: Jobs) -> Job:
    (job,) = jobs.listing()
    return job


def test_a_rollback_leaves_no_job(engine: sa.Engine, jobs: Jobs) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        jobs.defer(connection, "sync_card", "r1", lane="slack:r1")
        transaction.rollback()

    assert jobs.listing() == []


def test_a_job_is_invisible_until_its_transaction_commits(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []

    with engine.begin() as connection:
        jobs.defer(connection, "sync_card", "r1", lane="slack:r1")
        jobs.drain({"sync_card": ran.append})
        before = list(ran)
    jobs.drain({"sync_card": ran.append})

    assert before == []
    assert ran == ["r1"]


def test_deferring_outside_a_transaction_is_refused(engine: sa.Engine, jobs: Jobs) -> None:
    with engine.connect() as connection, pytest.raises(RuntimeError, match="outside a transaction"):
        jobs.defer(connection, "sync_card", "r1", lane="slack:r1")


def test_once_defers_nothing_while_the_same_waits_and_keeps_the_transaction_alive(
    engine: sa.Engine, jobs: Jobs
) -> None:
    with engine.begin() as connection:
        jobs.defer(connection, "sweep", "bike-demand", lane="sweep", once=True)
        jobs.defer(connection, "sweep", "bike-demand", lane="sweep", once=True)
        jobs.defer(connection, "sweep", "churn", lane="sweep", once=True)

    assert sorted(job.request_id for job in jobs.listing()) == ["bike-demand", "churn"]


def test_a_once_job_that_fails_does_not_collide_with_the_one_deferred_while_it_ran(
    engine: sa.Engine, jobs: Jobs
) -> None:
    def sweep(model: str) -> None:
        with engine.begin() as connection:
            jobs.defer(connection, "sweep", model, lane="sweep", once=True)
        raise Temporary("MLflow is down", retry_after=60)

    with engine.begin() as connection:
        jobs.defer(connection, "sweep", "bike-demand", lane="sweep", once=True)
    jobs.drain({"sweep": sweep})

    assert [(job.status, job.attempts) for job in jobs.listing()] == [(JobStatus.WAITING, 0), (JobStatus.WAITING, 1)]


def test_jobs_in_one_lane_run_in_the_order_of_their_deferring(engine: sa.Engine, jobs: Jobs) -> None:
    order: list[str] = []
    for name in ("first", "second", "third"):
        defer(engine, jobs, name)

    jobs.drain({name: lambda _, name=name: order.append(name) for name in ("first", "second", "third")})  # type: ignore[misc]

    assert order == ["first", "second", "third"]


def test_a_waiting_head_blocks_its_own_lane_and_no_other(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []
    defer(engine, jobs, "down", lane="jira:r1")
    defer(engine, jobs, "sync_ticket", "behind", lane="jira:r1")
    defer(engine, jobs, "sync_card", "beside", lane="slack:r1")

    jobs.drain({"down": failing(Temporary("Jira is down")), "sync_ticket": ran.append, "sync_card": ran.append})

    assert ran == ["beside"]


def test_a_parked_job_leaves_its_lane_free(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []
    defer(engine, jobs, "broken")
    defer(engine, jobs, "sync_card", "behind")

    jobs.drain({"broken": failing(Permanent("the channel is gone: invite the bot")), "sync_card": ran.append})

    assert ran == ["behind"]


def test_a_job_is_not_due_before_its_time(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with engine.begin() as connection:
        jobs.defer(connection, "remind", "r1", lane="slack:r1", at=tomorrow)

    jobs.drain({"remind": ran.append})

    assert ran == []
    assert only(jobs).scheduled_at == tomorrow


def test_passing_trouble_sends_the_job_back_with_its_error_kept(engine: sa.Engine, jobs: Jobs) -> None:
    defer(engine, jobs, "sync_card")

    jobs.drain({"sync_card": failing(OutcomeUnknown("the answer of chat.postMessage was lost"))})

    job = only(jobs)
    assert (job.status, job.attempts) == (JobStatus.WAITING, 1)
    assert [error.error for error in job.errors] == ["the answer of chat.postMessage was lost"]


@pytest.mark.parametrize(("asked", "waited"), [(600, 600), (900, 900), (3600, 900), (86_400, 900)])
def test_retry_after_is_honoured_up_to_fifteen_minutes(
    engine: sa.Engine, jobs: Jobs, asked: float, waited: float
) -> None:
    defer(engine, jobs, "sync_card")
    before = datetime.now(UTC)

    jobs.drain({"sync_card": failing(Temporary("Slack asks us to wait", retry_after=asked))})

    scheduled_at = only(jobs).scheduled_at
    assert scheduled_at is not None
    assert before + timedelta(seconds=waited) <= scheduled_at <= datetime.now(UTC) + timedelta(seconds=waited)


def test_permanent_trouble_parks_the_job_and_says_so(engine: sa.Engine, jobs: Jobs) -> None:
    told: list[tuple[str, str]] = []
    defer(engine, jobs, "sync_card")

    jobs.drain(
        {"sync_card": failing(Permanent("the channel is gone"))},
        on_parked=lambda job, why: told.append((job.name, why)),
    )

    assert only(jobs).status is JobStatus.PARKED
    assert told == [("sync_card", "the channel is gone")]


def test_passing_trouble_is_parked_after_the_horizon(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, patience=RetryPolicy(horizon=timedelta(0)))
    defer(engine, jobs, "sync_card")

    jobs.drain({"sync_card": failing(Temporary("Slack is down"))})

    assert only(jobs).status is JobStatus.PARKED


def test_a_bug_is_tried_five_times_and_then_parked(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, patience=AT_ONCE)
    defer(engine, jobs, "sync_card")

    jobs.drain({"sync_card": failing(KeyError("channel"))})

    job = only(jobs)
    assert (job.status, job.attempts) == (JobStatus.PARKED, 5)
    assert [error.error for error in job.errors] == ["KeyError: 'channel'"] * 5


def test_an_unknown_effect_is_parked_with_a_clear_sentence(engine: sa.Engine, jobs: Jobs) -> None:
    defer(engine, jobs, "sync_teams")

    jobs.drain({"sync_card": failing(AssertionError())})

    job = only(jobs)
    assert job.status is JobStatus.PARKED
    assert 'has no effect called "sync_teams" (it has sync_card)' in job.errors[-1].error


def test_an_error_text_that_postgresql_cannot_store_is_kept_without_the_odd_characters(
    engine: sa.Engine, jobs: Jobs
) -> None:
    defer(engine, jobs, "sync_card")

    jobs.drain({"sync_card": failing(Permanent("nul \0 and half a pair \ud83d"))})

    assert only(jobs).errors[-1].error == "nul  and half a pair ?"


def test_a_replayed_job_runs_again_with_fresh_attempts(engine: sa.Engine, database_url: str) -> None:
    ran: list[str] = []
    jobs = Jobs(database_url)
    defer(engine, Jobs(database_url, patience=RetryPolicy(horizon=timedelta(0))), "sync_card")
    jobs.drain({"sync_card": failing(Temporary("too late"))})

    replayed = jobs.replay(only(jobs).id)
    jobs.drain({"sync_card": ran.append})

    assert (replayed.status, replayed.attempts) == (JobStatus.WAITING, 0)
    assert (ran, only(jobs).status) == (["r1"], JobStatus.DONE)


def test_a_replayed_job_has_a_fresh_deadline(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url)
    defer(engine, Jobs(database_url, patience=RetryPolicy(horizon=timedelta(0))), "sync_card")
    jobs.drain({"sync_card": failing(Temporary("too late"))})

    jobs.replay_all()
    jobs.drain({"sync_card": failing(Temporary("still down"))})

    assert only(jobs).status is JobStatus.WAITING


def test_the_jobs_that_were_parked_for_one_reason_go_back_together(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, patience=AT_ONCE)
    errors = {
        "freeze_evidence": "100% of it_s models are missing: a, b.",
        "renew_comparison": "100% of it_s models are missing: c.",
        "sync_card": "100 of its models are missing: a.",
        "sync_ticket": "Jira said: 100% of it_s models are missing: a.",
    }
    for name, error in errors.items():
        defer(engine, jobs, name, lane=name)
        jobs.drain({name: failing(Permanent(error))})

    with engine.begin() as connection:
        sent = jobs.replay_parked_by(connection, "100% of it_s models are missing:")

    assert sent == 2
    assert {job.name for job in jobs.listing(JobStatus.WAITING)} == {"freeze_evidence", "renew_comparison"}
    assert {job.name for job in jobs.listing(JobStatus.PARKED)} == {"sync_card", "sync_ticket"}


def test_only_a_parked_job_can_be_replayed(engine: sa.Engine, jobs: Jobs) -> None:
    defer(engine, jobs, "sync_card")

    with pytest.raises(JobRefused, match="is waiting; only a parked job can be replayed"):
        jobs.replay(only(jobs).id)


def test_a_dropped_job_never_runs_and_keeps_the_reason(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []
    defer(engine, jobs, "sync_card")

    dropped = jobs.drop(only(jobs).id, "the channel was archived on purpose")
    jobs.drain({"sync_card": ran.append})

    assert ran == []
    assert dropped.status is JobStatus.DROPPED
    assert dropped.errors[-1].error == "dropped: the channel was archived on purpose"


def test_a_job_that_is_not_there_is_named_in_the_refusal(jobs: Jobs) -> None:
    with pytest.raises(NotFound, match="there is no job 12"):
        jobs.get(12)


def test_counts_tell_what_waits_what_is_parked_and_since_when(engine: sa.Engine, jobs: Jobs) -> None:
    defer(engine, jobs, "broken", lane="jira:r1")
    defer(engine, jobs, "down", "r1", lane="slack:r1")
    defer(engine, jobs, "down", "r2", lane="slack:r2")
    jobs.drain({"broken": failing(Permanent("no such project")), "down": failing(Temporary("Slack is down"))})

    counts = jobs.counts()

    assert (counts.waiting, counts.parked, counts.running) == ({"down": 2}, {"broken": 1}, {})
    assert 0 < counts.oldest_waiting < 600


def test_a_job_may_defer_the_next_one(engine: sa.Engine, jobs: Jobs) -> None:
    ran: list[str] = []

    defer(engine, jobs, "sync_ticket")

    jobs.drain(
        {"sync_ticket": lambda request_id: defer(engine, jobs, "sync_card", request_id), "sync_card": ran.append}
    )

    assert ran == ["r1"]


@pytest.mark.parametrize(
    "subject", ["default/a\nb", "default/a) b (", "default/\u2028", "default/" + "é" * 250, "x" * 5000]
)
def test_no_subject_makes_a_job_that_waits_already_a_fault(engine: sa.Engine, jobs: Jobs, subject: str) -> None:
    for _ in range(2):
        with engine.begin() as connection:
            jobs.defer(connection, "look_at", subject, lane="looks", once=True)

    assert only(jobs).request_id == subject


def test_a_job_that_a_former_release_deferred_once_is_not_deferred_again(engine: sa.Engine, jobs: Jobs) -> None:
    defer(engine, jobs, "look_at")
    with engine.begin() as connection:
        connection.exec_driver_sql("update procrastinate_jobs set queueing_lock = 'look_at:default/bike'")

        jobs.defer(connection, "look_at", "default/bike", lane="looks", once=True)

    assert len(jobs.listing()) == 1


@pytest.mark.parametrize("length", [1_000, 3_000, 20_000])
def test_no_lane_is_too_long_for_an_index(engine: sa.Engine, jobs: Jobs, length: int) -> None:
    lane = "looks:default/" + secrets.token_hex(length)
    ran: list[str] = []
    for subject in ("first", "second"):
        defer(engine, jobs, "look_at", subject, lane=lane)

    jobs.drain({"look_at": ran.append})

    assert ran == ["first", "second"]


def test_the_lane_of_a_model_that_mlflow_can_hold_is_the_one_that_waiting_jobs_have(
    engine: sa.Engine, jobs: Jobs
) -> None:
    lane = "looks:default/" + "漢" * 256

    defer(engine, jobs, "look_at", "r1", lane=lane)

    assert only(jobs).lane == lane


def test_what_is_urgent_runs_before_what_was_deferred_earlier(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, urgency={"sign": Urgency.DECISION, "sync_card": Urgency.CARD, "look_at": Urgency.LOOK})
    ran: list[str] = []
    for name in ("show_plot", "look_at", "sync_card", "sign"):
        defer(engine, jobs, name, name, lane=f"lane of {name}")

    jobs.drain(dict.fromkeys(("show_plot", "look_at", "sync_card", "sign"), ran.append))

    assert ran == ["sign", "sync_card", "look_at", "show_plot"]


def test_jobs_of_one_urgency_keep_their_order_in_a_lane(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, urgency={"sync_card": Urgency.CARD})
    ran: list[str] = []
    for subject in ("first", "second", "third"):
        defer(engine, jobs, "sync_card", subject)

    jobs.drain({"sync_card": ran.append})

    assert ran == ["first", "second", "third"]


def test_a_job_whose_turn_comes_later_is_tried_just_then_and_has_not_failed(
    engine: sa.Engine, database_url: str
) -> None:
    jobs = Jobs(database_url, patience=RetryPolicy(base=50.0))
    defer(engine, jobs, "sync_card")
    before = datetime.now(UTC)

    with capture_logs() as logged:
        jobs.drain({"sync_card": failing(NotYet("others come first", 7.0))})

    waits = only(jobs)
    assert logged == []
    assert waits.status is JobStatus.WAITING
    assert waits.errors == ()
    assert waits.scheduled_at is not None
    assert timedelta(seconds=7) <= waits.scheduled_at - before < timedelta(seconds=50)


def test_waiting_for_a_turn_uses_up_no_attempt(engine: sa.Engine, database_url: str) -> None:
    jobs = Jobs(database_url, patience=AT_ONCE)
    defer(engine, jobs, "sync_card")
    answers: list[Exception] = [NotYet("others come first", 0.0)] * 9 + [ValueError("a bug")]
    attempts = iter(answers)

    def effect(_: str) -> None:
        if (error := next(attempts, None)) is not None:
            raise error

    for _ in answers:
        jobs.drain({"sync_card": effect})
    tried_again = only(jobs)
    jobs.drain({"sync_card": effect})

    assert [error.attempt for error in tried_again.errors] == [1]
    assert only(jobs).status is JobStatus.DONE
