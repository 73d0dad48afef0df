"""Jobs on the command line: list, show, replay and drop."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email_if_any, services_for, telling_mistakes
from bot.commands.output.printing import print_rows
from bot.commands.output.text import printable
from bot.domain.text import counted, format_seconds
from bot.engine.rows import Job, JobStatus


@click.group("jobs")
def jobs_group() -> None:
    """Look after the effects: a parked one waits for you."""


@jobs_group.command("list")
@click.option("--status", type=click.Choice([str(status) for status in JobStatus]), help="Only jobs in this status.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
@as_json
@telling_mistakes
def list_jobs(status: str | None, limit: int, as_json: bool) -> None:
    """Jobs, newest first."""
    with services_for() as services:
        found = services.store.jobs.listing(JobStatus(status) if status else None, limit=limit)
    columns = ("id", "status", "effect", "subject", "attempts", "next try", "last error")
    print_rows([_row(job) for job in found], columns, as_json=as_json, empty="No jobs.")


@jobs_group.command("show")
@click.argument("job_id", type=int)
@as_json
@telling_mistakes
def show(job_id: int, as_json: bool) -> None:
    """One job with all its errors."""
    with services_for() as services:
        job = services.store.jobs.get(job_id)
    if as_json:
        errors = [{"attempt": error.attempt, "at": error.at, "error": error.error} for error in job.errors]
        print_rows([{**_row(job), "lane": job.lane, "errors": errors}], (), as_json=True, empty="")
        return
    for name, value in _row(job).items():
        click.echo(f"{name:>10}: {printable(value)}")
    for error in job.errors:
        click.echo(f"  attempt {error.attempt} at {format_seconds(error.at)}: {printable(error.error)}")


@jobs_group.command("replay")
@click.argument("job_id", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="Every parked job.")
@telling_mistakes
def replay(job_id: int | None, every: bool) -> None:
    """Send a parked job back to its lane, after you have fixed what parked it."""
    from handlers.digest.delivery import before_replay

    if every == (job_id is not None):
        raise click.UsageError("name one job, or say --all")
    with services_for() as services:
        before_replay(job_id, services)
        if every:
            click.echo(f"{counted(services.store.jobs.replay_all(), 'job')} sent back.")
        elif job_id is not None:
            job = services.store.jobs.replay(job_id)
            click.echo(f"job {job.id} ({job.name}) sent back to its lane.")


@jobs_group.command("drop")
@click.argument("job_id", type=int)
@click.option("--reason", required=True, help="Why it is given up; kept with the job.")
@click.option("--by", default="", help="Who gives it up, by e-mail. Default: git's user.email.")
@telling_mistakes
def drop(job_id: int, reason: str, by: str) -> None:
    """Give a job up for good. The job that would have applied an approval takes the approval with it."""
    from handlers.policy.kill_switch import person_named
    from handlers.request.calling_off import drop_job

    with services_for() as services:
        email = by or git_email_if_any()
        person = person_named(email, services) if email else None
        job, ended = drop_job(job_id, reason, person, services)
    click.echo(f"job {job.id} ({job.name}) dropped.")
    if ended is not None:
        click.echo(f"{ended.short_id}  the approval of {ended.version} for {ended.target} is called off with it.")


def _row(job: Job) -> dict[str, object]:
    last = job.errors[-1].error if job.errors else None
    return {
        "id": job.id,
        "status": str(job.status),
        "effect": job.name,
        "subject": job.request_id,
        "attempts": job.attempts,
        "next try": job.scheduled_at,
        "last error": last,
    }
