"""The title of a request in every state: of its card, its messages, and where its decisions are listed."""

from __future__ import annotations

from bot.domain.card.card import Mark
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, VersionId
from bot.domain.text import target_label

TITLES = {
    State.COLLECTING: "Collecting evidence",
    State.PENDING: "Approval needed",
    State.APPROVED: "Approved, waiting for the registry",
    State.APPLIED: "Approved",
    State.REJECTED: "Rejected",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
    State.SUPERSEDED: "Superseded",
    State.STALE: "Approved, but not applied",
    State.CALLED_OFF: "Approved, and called off",
}
OBSERVED_TITLES = {
    State.COLLECTING: "Moved without an approval",
    State.PENDING: "Moved without an approval",
    State.APPROVED: "Ratified, waiting for the registry",
    State.APPLIED: "Ratified",
    State.REJECTED: "To be put back",
    State.STALE: "Ratified, but no longer there",
    State.CALLED_OFF: "Ratified, and called off",
}
ROLLBACK_TITLES = {
    State.PENDING: "Rollback requested",
    State.APPROVED: "Rollback approved, waiting for the registry",
    State.APPLIED: "Rolled back",
    State.REJECTED: "Rollback rejected",
    State.STALE: "Rollback approved, but not applied",
    State.CALLED_OFF: "Rollback approved, and called off",
}
FAST_TRACK_TITLES = {
    State.APPROVED: "Approved by the fast track, waiting for the registry",
    State.APPLIED: "Approved by the fast track",
    State.STALE: "Approved by the fast track, but not applied",
    State.CALLED_OFF: "Approved by the fast track, and called off",
}
KIND_TITLES = {Kind.PROMOTION: TITLES, Kind.OBSERVED: TITLES | OBSERVED_TITLES, Kind.ROLLBACK: TITLES | ROLLBACK_TITLES}

MARKS = {
    State.COLLECTING: Mark.PREPARING,
    State.PENDING: Mark.OPEN,
    State.APPROVED: Mark.UNDER_WAY,
    State.APPLIED: Mark.DONE,
    State.REJECTED: Mark.REFUSED,
    State.STALE: Mark.CARE,
}
NAME_SHOWN = 60  # characters of a model's name, and of a target's, in a title


def headline(request: TransitionRequest, *, is_rolled_back: bool = False) -> str:
    """The status, the version and the target. Of a long name the beginning and the end are there, so the version's number is."""
    title = title_of(request, is_rolled_back=is_rolled_back)
    version, target = short_version(request.version), _middle_out(target_label(request))
    if request.state is State.PENDING and request.kind is Kind.PROMOTION:
        return f"{title}: promote {version} to {target}"
    return f"{title}: {version} → {target}"


def short_version(version: VersionId) -> str:
    return _middle_out(str(version))


def _middle_out(text: str) -> str:
    half = NAME_SHOWN // 2
    return text if len(text) <= NAME_SHOWN else f"{text[: half - 1]}…{text[-half:]}"


def mark_of(request: TransitionRequest, *, is_rolled_back: bool = False) -> Mark:
    """Whatever ended without a decision, or was called off, is over."""
    unread = request.state is State.COLLECTING and bool(request.unreadable)
    unasked = request.state is State.PENDING and request.kind is Kind.OBSERVED
    if is_rolled_back or unread or unasked:
        return Mark.CARE
    return MARKS.get(request.state, Mark.OVER)


def title_of(request: TransitionRequest, *, is_rolled_back: bool = False) -> str:
    """`is_rolled_back`: its version was taken back from the target since, which ends every title of an approval."""
    title = _title_of(request)
    return f"{title}, and rolled back since" if is_rolled_back and request.state is State.APPLIED else title


def _title_of(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED and request.state is State.REJECTED and _is_settled_rejection(request):
        return "Put back" if request.settled_by_us else "Rejected"
    if request.state is State.COLLECTING and request.unreadable and request.kind is not Kind.OBSERVED:
        return "Evidence cannot be read"
    if request.renewed:
        return "Renewed on another card"
    titles = KIND_TITLES[request.kind]
    if request.decided_by is DecidedBy.FAST_TRACK and request.kind is Kind.PROMOTION:
        titles = titles | FAST_TRACK_TITLES
    title = titles[request.state]
    if request.state is State.APPROVED and request.frozen_until is not None:
        return title.replace("waiting for the registry", "waiting for the freeze to end")
    return title


def _is_settled_rejection(request: TransitionRequest) -> bool:
    return request.is_adopted or request.settled_at is not None
