"""The next step after each outcome: what the requester can do, and who can undo it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.model import DecidedBy, Kind, State, TransitionRequest
from bot.domain.text import version_name
from bot.language import N_, _, sentences

Steps = Mapping[State, tuple[str, ...]]

ASK_AGAIN = N_(
    "If you still want it, ask again with countersign request-transition, "
    "or remove the asking alias or tag, wait a minute, and set it again."
)
LOOK_FOR_THE_NEW_CARD = N_("If a new request was opened, its card is linked on this one.")
NOTHING_LEFT = N_("Nothing is left for you to do.")
READ_THE_REASON = N_("Read the reason.")
ASK_FOR_THE_ROLLBACK_AGAIN = N_(
    "If you still want it, ask again with countersign rollback and say in its reason what is new."
)

AFTER_PROMOTION: Steps = {
    State.REJECTED: (N_("Read the reason, fix the model, and request approval for the new version."), ASK_AGAIN),
    State.EXPIRED: (N_("Tell the approvers why it matters before you ask again."), ASK_AGAIN),
    State.WITHDRAWN: (ASK_AGAIN,),
    State.SUPERSEDED: (
        N_(
            "The newer version is decided on its own card. If you still want this one, "
            "ask again with countersign request-transition after that."
        ),
    ),
    State.CALLED_OFF: (READ_THE_REASON, ASK_AGAIN),
    State.STALE: (N_("What was approved is not what is there now, so nothing was moved."), LOOK_FOR_THE_NEW_CARD),
}
AFTER_OBSERVED: Steps = {
    State.REJECTED: (
        N_("If the version is to be there, ask with countersign request-transition, so that it is approved first."),
    ),
    State.EXPIRED: (
        N_(
            "The version stays where it was put, without an approval. "
            "To have it approved, ask with countersign request-transition."
        ),
    ),
    State.CALLED_OFF: (
        N_("The version stays where it is, without an approval. To have it ratified, run countersign adopt."),
    ),
    State.STALE: (
        N_("The target was moved again; what holds it now has a card of its own where the policy asks for one."),
    ),
}
AFTER_ROLLBACK: Steps = {
    State.REJECTED: (READ_THE_REASON, ASK_FOR_THE_ROLLBACK_AGAIN),
    State.EXPIRED: (N_("Tell the approvers what is failing before you ask again."), ASK_FOR_THE_ROLLBACK_AGAIN),
    State.WITHDRAWN: (ASK_FOR_THE_ROLLBACK_AGAIN,),
    State.SUPERSEDED: (ASK_FOR_THE_ROLLBACK_AGAIN,),
    State.CALLED_OFF: (READ_THE_REASON, ASK_FOR_THE_ROLLBACK_AGAIN),
    State.STALE: (N_("Something has changed since the approval, so nothing was moved."), LOOK_FOR_THE_NEW_CARD),
}
NEXT = {Kind.PROMOTION: AFTER_PROMOTION, Kind.OBSERVED: AFTER_OBSERVED, Kind.ROLLBACK: AFTER_ROLLBACK}


def next_step(request: TransitionRequest) -> str:
    """What the requester does now."""
    if request.state is State.APPLIED:
        return _after_applying(request)
    if request.state is State.APPROVED and request.frozen_until is not None:
        by_itself = _(
            "It is applied by itself after {until}, when the freeze has ended.",
            until=request.frozen_until,
        )
        return sentences(_(NOTHING_LEFT), by_itself)
    if request.renewed:
        return _("A new request was opened automatically, on a new card. The votes so far do not count there.")
    return sentences(*(_(step) for step in NEXT[request.kind].get(request.state, (NOTHING_LEFT,))))


def _after_applying(request: TransitionRequest) -> str:
    if request.kind is Kind.ROLLBACK and request.away_from is not None:
        return _(
            "{version} is marked as failed: approving it for this target again takes a reason. "
            "Find out what went wrong, and ask for a version that fixes it.",
            version=version_name(request.away_from),
        )
    if request.kind is not Kind.PROMOTION:
        return _(NOTHING_LEFT)
    is_fast = request.decided_by is DecidedBy.FAST_TRACK
    looked = _("No one has reviewed this version yet. Please check it.") if is_fast else ""
    if request.previous is None:
        return sentences(looked, _(NOTHING_LEFT))
    back = _(
        "If it fails in production, roll back to {version} with the button on the card or with countersign rollback.",
        version=version_name(request.previous),
    )
    return sentences(looked, back)
