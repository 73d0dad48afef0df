"""The next step after each outcome: what the requester can do, and who can undo it."""

from __future__ import annotations

from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from bot.domain.text import format_utc

ASK_AGAIN = (
    "When it is still wanted, ask again with countersign request-transition, "
    "or take the asking alias or tag away, wait for the next sweep, and set it once more."
)
LOOK_FOR_THE_NEW_CARD = "A fresh request has been opened where that makes sense; look for its card."
NOTHING_LEFT = "Nothing is left for you to do."
ASK_FOR_THE_ROLLBACK_AGAIN = (
    "When it is still wanted, ask again with countersign rollback and say in its reason what is new."
)

AFTER_PROMOTION = {
    State.REJECTED: "Read the reason, fix the model, and ask for the better version. " + ASK_AGAIN,
    State.EXPIRED: "Tell the approvers why it matters before you ask again. " + ASK_AGAIN,
    State.WITHDRAWN: ASK_AGAIN,
    State.SUPERSEDED: (
        "The newer version is decided on its own card. When this one is wanted all the same, "
        "ask again with countersign request-transition after that."
    ),
    State.CALLED_OFF: f"Read the reason. {ASK_AGAIN}",
    State.STALE: f"What was approved is not what is there now, so nothing was moved. {LOOK_FOR_THE_NEW_CARD}",
}
AFTER_OBSERVED = {
    State.REJECTED: "When the version is wanted there, ask with countersign request-transition, so that it is approved first.",
    State.EXPIRED: (
        "The version stays where it was put, without an approval. "
        "Whoever wants it approved asks with countersign request-transition."
    ),
    State.WITHDRAWN: NOTHING_LEFT,
    State.SUPERSEDED: NOTHING_LEFT,
    State.CALLED_OFF: "The version stays where it is, without an approval. To have it ratified all the same, run countersign adopt.",
    State.STALE: "The target was moved again; what holds it now has a card of its own where the policy asks for one.",
}
AFTER_ROLLBACK = {
    State.REJECTED: f"Read the reason. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.EXPIRED: f"Tell the approvers what is failing before you ask again. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.WITHDRAWN: ASK_FOR_THE_ROLLBACK_AGAIN,
    State.SUPERSEDED: ASK_FOR_THE_ROLLBACK_AGAIN,
    State.CALLED_OFF: f"Read the reason. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.STALE: f"The world has changed since, so nothing was moved. {LOOK_FOR_THE_NEW_CARD}",
}
NEXT = {Kind.PROMOTION: AFTER_PROMOTION, Kind.OBSERVED: AFTER_OBSERVED, Kind.ROLLBACK: AFTER_ROLLBACK}


def next_step(request: TransitionRequest) -> str:
    """What the requester does now."""
    if request.state is State.APPLIED:
        return _after_applying(request)
    if request.state is State.APPROVED and request.frozen_until is not None:
        return f"{NOTHING_LEFT} It is applied by itself after {format_utc(request.frozen_until)}, when the freeze has ended."
    if request.renewed:
        return "Nothing is lost but the votes so far: it is asked again by itself, on a new card."
    return NEXT[request.kind].get(request.state, NOTHING_LEFT)


def _after_applying(request: TransitionRequest) -> str:
    if request.kind is Kind.ROLLBACK and request.away_from is not None:
        return (
            f"{request.away_from} is marked as failed: approving it for this target again takes a reason. "
            "Find out what went wrong, and ask for a version that mends it."
        )
    if request.kind is not Kind.PROMOTION:
        return NOTHING_LEFT
    looked = "Nobody has looked at it yet, so do. " if request.decided_by is DecidedBy.FAST_TRACK else ""
    if request.previous is None:
        return looked + NOTHING_LEFT
    return f"{looked}If it fails in use, take {request.previous} back with the button on the card or with countersign rollback."
