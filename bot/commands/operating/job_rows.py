"""A job as a row of a table."""

from __future__ import annotations

from bot.engine.rows import Job, JobStatus

COLUMNS = ("id", "status", "effect", "request", "created_at", "attempts")
BELOW = ("next_try", "last_error")
SHORT = 8  # characters of a request's id, as lists and cards print it


def job_row(job: Job) -> dict[str, object]:
    """`request` is short where the subject is a request, and the whole subject elsewhere: a model, a week, a witness."""
    last = job.errors[-1].error if job.errors else None
    is_request = len(job.request_id) == len("0" * 32) and job.request_id.isalnum()
    return {
        "id": job.id,
        "status": str(job.status),
        "effect": job.name,
        "request": job.request_id[:SHORT] if is_request else job.request_id or None,
        "created_at": job.created_at,
        "attempts": job.attempts,
        "next_try": job.scheduled_at if job.status is JobStatus.WAITING else None,
        "last_error": last,
        "subject": job.request_id,
    }
