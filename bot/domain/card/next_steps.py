"""The next step after each outcome: what the requester can do, and who can undo it."""

from __future__ import annotations

from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from bot.domain.text import format_utc

ASK_AGAIN = (
    "If you still want it, ask again with countersign request-transition, "
    "or remove the asking alias or tag, wait a minute, and set it again."
)
LOOK_FOR_THE_NEW_CARD = "If a new request was opened, its card is linked on this one."
NOTHING_LEFT = "Nothing is left for you to do."
ASK_FOR_THE_ROLLBACK_AGAIN = (
    "If you still want it, ask again with countersign rollback and say in its reason what is new."
)

AFTER_PROMOTION = {
    State.REJECTED: "Read the reason, fix the model, and request approval for the new version. " + ASK_AGAIN,
    State.EXPIRED: "Tell the approvers why it matters before you ask again. " + ASK_AGAIN,
    State.WITHDRAWN: ASK_AGAIN,
    State.SUPERSEDED: (
        "The newer version is decided on its own card. If you still want this one, "
        "ask again with countersign request-transition after that."
    ),
    State.CALLED_OFF: f"Read the reason. {ASK_AGAIN}",
    State.STALE: f"What was approved is not what is there now, so nothing was moved. {LOOK_FOR_THE_NEW_CARD}",
}
AFTER_OBSERVED = {
    State.REJECTED: "If the version is to be there, ask with countersign request-transition, so that it is approved first.",
    State.EXPIRED: (
        "The version stays where it was put, without an approval. "
        "To have it approved, ask with countersign request-transition."
    ),
    State.WITHDRAWN: NOTHING_LEFT,
    State.SUPERSEDED: NOTHING_LEFT,
    State.CALLED_OFF: "The version stays where it is, without an approval. To have it ratified, run countersign adopt.",
    State.STALE: "The target was moved again; what holds it now has a card of its own where the policy asks for one.",
}
AFTER_ROLLBACK = {
    State.REJECTED: f"Read the reason. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.EXPIRED: f"Tell the approvers what is failing before you ask again. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.WITHDRAWN: ASK_FOR_THE_ROLLBACK_AGAIN,
    State.SUPERSEDED: ASK_FOR_THE_ROLLBACK_AGAIN,
    State.CALLED_OFF: f"Read the reason. {ASK_FOR_THE_ROLLBACK_AGAIN}",
    State.STALE: f"Something has changed since the approval, so nothing was moved. {LOOK_FOR_THE_NEW_CARD}",
}
NEXT = {Kind.PROMOTION: AFTER_PROMOTION, Kind.OBSERVED: AFTER_OBSERVED, Kind.ROLLBACK: AFTER_ROLLBACK}


def next_step(request: TransitionRequest) -> str:
    """What the requester does now."""
    if request.state is State.APPLIED:
        return _after_applying(request)
    if request.state is State.APPROVED and request.frozen_until is not None:
        return f"{NOTHING_LEFT} It is applied by itself after {format_utc(request.frozen_until)}, when the freeze has ended."
    if request.renewed:
        return "A new request was opened automatically, on a new card. The votes so far do not count there."
    return NEXT[request.kind].get(request.state, NOTHING_LEFT)


def _after_applying(request: TransitionRequest) -> str:
    if request.kind is Kind.ROLLBACK and request.away_from is not None:
        return (
            f"{request.away_from} is marked as failed: approving it for this target again takes a reason. "
            "Find out what went wrong, and ask for a version that fixes it."
        )
    if request.kind is not Kind.PROMOTION:
        return NOTHING_LEFT
    looked = (
        "No one has reviewed this version yet. Please check it. " if request.decided_by is DecidedBy.FAST_TRACK else ""
    )
    if request.previous is None:
        return looked + NOTHING_LEFT
    return f"{looked}If it fails in production, roll back to {request.previous} with the button on the card or with countersign rollback."
