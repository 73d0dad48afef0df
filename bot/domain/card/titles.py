"""The title of a request in every state: of its card, its messages, and where its decisions are listed."""

from __future__ import annotations

from bot.domain.model import DecidedBy, Kind, State, TransitionRequest

TITLES = {
    State.COLLECTING: "Collecting evidence",
    State.PENDING: "Approval wanted",
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
    State.PENDING: "Rollback wanted",
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
