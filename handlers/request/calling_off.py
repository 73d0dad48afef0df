"""Ending an approval before it is applied: by button, by command, or because its job was dropped."""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import State, TransitionRequest
from bot.domain.registry.custody import left_by
from bot.domain.request import lifecycle
from bot.domain.text import check_reason_fits, target_label, version_name
from bot.engine.rows import Job
from bot.errors import Refused
from bot.language import _, recorded
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.custody.facts import as_called_now, on_record, place_of

LIMIT = 2_000  # characters; as many as a comment on a card may have
ITS_JOBS = ("sync_target", "sign", "seal")  # without one of them, an approval is never applied


def call_off(request_id: str, person: Person, reason: str, s: Services) -> TransitionRequest:
    """Ends an approval that is not applied yet, on behalf of `person`. Raises Refused when it is too late, or too early."""
    why, now = checked_reason(reason), s.clock.now()
    with s.store.transaction() as tx:
        known = tx.requests.get(request_id).version
        tx.requests.lock_model(known.workspace, known.model)
        request = tx.requests.get(request_id, for_update=True)
        check_can_be_called_off(request)
        end_approval(request, person.id, why, tx, now)
        return tx.requests.get(request.id)


def end_approval(request: TransitionRequest, person: str, reason: str, tx: Transaction, now: datetime) -> None:
    """If our move is under way at this moment, its result is judged as a move without an approval."""
    tx.record(lifecycle.call_off(request, person, reason, now))
    tx.registry.close_intent(request.id, now)
    judge_anew(request, tx, now)


def judge_anew(request: TransitionRequest, tx: Transaction, now: datetime) -> None:
    """What came to the target while its approval waited is there without one now: the next look judges it anew, as an arrival."""
    request = as_called_now(request, tx)
    place = place_of(request)
    for version in left_by(request, tx.registry.find_intent(request.id), on_record(place, tx, now)):
        tx.registry.judge_anew(version, place.model, place.target)


def check_can_be_called_off(request: TransitionRequest) -> None:
    version, target = version_name(request.version), target_label(request)
    if request.state.is_open:
        raise Refused(
            _(
                "{version} for {target} is not approved yet. Reject it, or take the ask away",
                version=version,
                target=target,
            )
        )
    if request.state is State.APPLIED:
        raise Refused(
            _("{version} has {target} already. Take it back with countersign rollback", version=version, target=target)
        )
    if request.state is not State.APPROVED:
        raise Refused(
            _("there is nothing to call off: {version} for {target} has ended", version=version, target=target)
        )


def checked_reason(reason: str) -> str:
    why = reason.strip()
    if not why:
        raise Refused(_("say in a sentence why: the reason goes on the card, into the ticket and into the ledger"))
    check_reason_fits(why, LIMIT)
    return why


def drop_job(job_id: int, reason: str, person: Person | None, s: Services) -> tuple[Job, TransitionRequest | None]:
    """Drops a parked job. If the job would have applied an approval, the approval ends too; else the returned request is None.

    Raises Refused when that needs somebody's name and `person` is None.
    """
    request_id = approval_behind(s.store.jobs.get(job_id), s)
    if request_id is not None and person is None:
        raise Refused(
            "dropping this job calls an approval off, so say who does it: add --by EMAIL, or set git's user.email"
        )
    job = s.store.jobs.drop(job_id, reason)
    if request_id is None or person is None:
        return job, None
    now = s.clock.now()
    with s.store.transaction() as tx:
        known = tx.requests.get(request_id).version
        tx.requests.lock_model(known.workspace, known.model)
        request = tx.requests.get(request_id, for_update=True)
        if request.state is State.APPROVED:
            end_approval(
                request, person.id, f"job {job.id} ({job.name}) was dropped: {checked_reason(reason)}", tx, now
            )
        return job, tx.requests.get(request_id)


def approval_behind(job: Job, s: Services) -> str | None:
    """The id of the request whose approval the job would apply; None when it is no such job."""
    if job.name not in ITS_JOBS:
        return None
    with s.store.transaction() as tx:
        approved = tx.requests.find(states=(State.APPROVED,))
    return next((request.id for request in approved if request.id == job.request_id), None)


def end_dropped(request: TransitionRequest, tx: Transaction, now: datetime) -> bool:
    """Whether an earlier release dropped its job and left the approval open. Such an approval ends here, and nothing revives it."""
    if request.state is not State.APPROVED or not tx.is_given_up(ITS_JOBS, request.id):
        return False
    end_approval(request, "", recorded("outcome", "the job that would have applied it was dropped"), tx, now)
    return True
