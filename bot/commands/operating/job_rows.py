"""A job as a row of a table."""

from __future__ import annotations

from bot.engine.rows import Job, JobStatus

COLUMNS = ("id", "status", "effect", "subject", "created_at", "attempts")
BELOW = ("next_try", "last_error")
SHORT = 8  # characters of a request's id, as lists and cards print it
OF_REQUESTS = frozenset(
    [
        "freeze_evidence",
        "read_origin",
        "ask_again",
        "renew_comparison",
        "answer_refused_votes",
        "sync_target",
        "sign",
        "seal",
        "seal_holder",
        "sync_tags",
        "mark_failed",
        "sync_card",
        "sync_ticket",
        "witness",
        "renew_verdict",
        "look_at_card",
        "look_at_ticket",
        "tell",
        "show_details",
        "show_plot",
        "remind",
        "sound_alarm",
        "correct_alarm",
        "remind_of_review",
        "take_back",
        "show_questions",
        "hand_over",
        "look_at_evidence",
        "tell_losses_below",
    ]
)
"""The effects whose subject is a request; that of the others is a person, a week, a place, a number, or nothing."""


def job_row(job: Job) -> dict[str, object]:
    """`request` is there only where the subject is one, and short; `subject` is whole."""
    last = job.errors[-1].error if job.errors else None
    return {
        "id": job.id,
        "status": str(job.status),
        "effect": job.name,
        "request": job.request_id[:SHORT] if job.name in OF_REQUESTS else None,
        "created_at": job.created_at,
        "attempts": job.attempts,
        "next_try": job.scheduled_at if job.status is JobStatus.WAITING else None,
        "last_error": last,
        "subject": job.request_id,
    }
