"""What people said against a content: rejections, rollbacks, approvals called off by a person, and rejecting reviews of broken glass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.domain.grounds import No, Objection
from bot.domain.model import DecidedBy, State, TargetKind, TransitionRequest, Verdict
from bot.domain.registry.facts import decided, rejected_by_review
from bot.domain.request.content import content_of
from bot.domain.request.rollback import failing
from bot.domain.text import target_label


def objections_to(
    request: TransitionRequest, alike: Iterable[TransitionRequest], applied: Sequence[TransitionRequest]
) -> tuple[Objection, ...]:
    """The rejections by people of the content of `alike`, oldest first. A later approval by people cancels them.

    `applied` are the applied requests for the targets in question, in the order in which they were settled. A rollback from a copy to its
    original says nothing against the content.
    """
    alike = tuple(alike)
    said = [objection for one in alike for objection in _said_of(one, request, applied)]
    approved = [one.decided_at for one in alike if _is_approved_by_people(one) and one.decided_at is not None]
    standing = (one for one in said if not any(at > one.at for at in approved))
    return tuple(sorted(standing, key=lambda one: (one.at, one.request_id)))


def _said_of(
    one: TransitionRequest, request: TransitionRequest, applied: Sequence[TransitionRequest]
) -> Iterator[Objection]:
    if one.state is State.REJECTED and one.decided_by is not DecidedBy.RULE and one.decided_at is not None:
        person = next((vote.person for vote in reversed(one.votes) if vote.verdict is Verdict.REJECT), "")
        yield _no(one, No.REJECTED, person, one.outcome, one)
    if one.state is State.CALLED_OFF and one.ended_by:
        yield _no(one, No.CALLED_OFF, one.ended_by, one.outcome, one)
    back = failing(one.version, [other for other in applied if other.target == one.target])
    review = rejected_by_review(one)
    if review is not None and (back is None or decided(back) < review.at or _is_to_its_original(back, one)):
        yield Objection(
            one.id, No.REVIEWED, str(one.version), target_label(one), review.person, review.reason, review.at
        )
    is_told_already = one.version == request.version and request.failed_before != ""
    if one.state is State.APPLIED and back is not None and not is_told_already and not _is_to_its_original(back, one):
        yield _no(one, No.ROLLED_BACK, back.requester or "", back.comment, back)


def _is_to_its_original(back: TransitionRequest, copy: TransitionRequest) -> bool:
    is_copy = copy.target.kind is TargetKind.MODEL and copy.version.model == copy.target.name
    return is_copy and content_of(back.evidence).is_like(content_of(copy.evidence))


def _no(one: TransitionRequest, how: No, person: str, reason: str, by: TransitionRequest) -> Objection:
    at = by.ended_at or (by.settled_at if how is No.ROLLED_BACK else by.decided_at) or by.opened_at
    return Objection(by.id, how, str(one.version), target_label(one), person, reason, at)


def _is_approved_by_people(one: TransitionRequest) -> bool:
    return one.decided_by is DecidedBy.PEOPLE and one.state in (State.APPROVED, State.APPLIED)
