"""Jobs on the command line: list, show, replay and drop."""

from __future__ import annotations

import click

from bot.commands.context import as_json, git_email_if_any, services_for, telling_mistakes
from bot.commands.operating.job_rows import BELOW, COLUMNS, job_row
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import print_json, print_record, print_rows, say, say_heading
from bot.domain.text import counted
from bot.engine.lanes import ROUTINE
from bot.engine.rows import Job, JobStatus


@click.group("jobs")
def jobs_group() -> None:
    """List, show, replay and drop jobs. A parked job waits for you."""


@jobs_group.command("list")
@click.option("--status", type=click.Choice([str(status) for status in JobStatus]), help="Only jobs in this status.")
@click.option("--all", "every", is_flag=True, help="Also sweeps and looks at models in which nothing has failed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="So many at most.")
@as_json
@telling_mistakes
def list_jobs(status: str | None, every: bool, limit: int, as_json: bool) -> None:
    """List jobs, the newest first, without the routine of sweeps."""
    with services_for() as services:
        chosen = JobStatus(status) if status else None
        found = services.store.jobs.listing(chosen, limit=limit, without=() if every else ROUTINE)
    rows = [job_row(job) for job in found]
    empty = f"No jobs{f' are {status}' if status else ''}."
    print_rows(rows, COLUMNS, as_json=as_json, empty=empty, below=BELOW, cuts=True, is_narrowed=bool(status))


@jobs_group.command("show")
@click.argument("job_id", type=int)
@as_json
@telling_mistakes
def show(job_id: int, as_json: bool) -> None:
    """Show one job with all its errors."""
    with services_for() as services:
        job = services.store.jobs.get(job_id)
    errors = [{"attempt": one.attempt, "at": one.at, "error": one.error} for one in job.errors]
    row = {**job_row(job), "lane": job.lane, "gives_up_after": job.not_after}
    if as_json:
        print_json({**row, "errors": errors})
        return
    print_record({name: value for name, value in row.items() if name not in ("last_error", "request")})
    if errors:
        say_heading("Errors")
        print_rows(errors, ("attempt", "at"), as_json=False, empty="", below=("error",))


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
            say(f"{counted(services.store.jobs.replay_all(), 'job')} sent back.")
        elif job_id is not None:
            job = services.store.jobs.replay(job_id)
            say(f"job {job.id} ({job.name}) sent back to its lane.")


@jobs_group.command("drop")
@click.argument("job_id", type=int)
@click.option("--reason", required=True, help="Why it is given up; kept with the job.")
@click.option("--by", default="", help="Who gives it up, by e-mail. Default: git's user.email.")
@yes_option
@telling_mistakes
def drop(job_id: int, reason: str, by: str, yes: bool) -> None:
    """Give a job up for good. The job that would have applied an approval takes the approval with it."""
    from handlers.policy.kill_switch import person_named
    from handlers.request.calling_off import approval_behind, drop_job

    with services_for() as services:
        job = services.store.jobs.get(job_id)
        confirm(_what_happens(job, is_approval=approval_behind(job, services) is not None), yes=yes)
        email = by or git_email_if_any()
        person = person_named(email, services) if email else None
        job, ended = drop_job(job_id, reason, person, services)
    say(f"job {job.id} ({job.name}) dropped.")
    if ended is not None:
        say(f"{ended.short_id}  the approval of {ended.version} for {ended.target} is called off with it.")


def _what_happens(job: Job, *, is_approval: bool) -> str:
    said = f"Job {job.id} ({job.name}) will never run."
    if is_approval:
        said += f" The approval of request {job.request_id[:8]} is called off with it, so its target does not move."
    return said
