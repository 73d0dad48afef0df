"""The sentences about a broken glass on a request's own card and in its ticket."""

from __future__ import annotations

from bot.domain.break_glass.reviewing import CONFIRM, TAKE_BACK, wants_review
from bot.domain.broken_glass import BrokenGlass
from bot.domain.card.card import Button, Tone
from bot.domain.card.context import CardContext
from bot.domain.model import State, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.text import target_label, version_name
from bot.language import N_, Value, _, from_record, listed, sentences

TITLES = {
    State.COLLECTING: N_("Glass broken, reading the evidence"),
    State.PENDING: N_("Glass broken, and votes are needed"),
    State.APPROVED: N_("Glass broken, waiting for the registry"),
    State.APPLIED: N_("Promoted by breaking the glass"),
    State.REJECTED: N_("Glass broken, and rejected"),
    State.STALE: N_("Glass broken, but nothing was moved"),
    State.CALLED_OFF: N_("Glass broken, and called off"),
}


def broken_text(glass: BrokenGlass, request: TransitionRequest, context: CardContext) -> str:
    """Who did it, as a member of which group, and why."""
    names: dict[str, Value] = {
        "person": context.name(glass.person),
        "group": glass.group,
        "when": glass.at,
        "version": version_name(request.version),
        "target": target_label(request),
    }
    said = (
        _(
            "{person} of {group} broke the glass on {when}, for {version} to go to {target} without the votes of the rule.",
            **names,
        )
        if glass.held_by
        else _(
            "{person} of {group} broke the glass on {when}: {version} goes to {target} without the votes of the rule.",
            **names,
        )
    )
    return sentences(said, _("Reason: {reason}", reason=in_one_line(glass.reason)))


def glass_paragraphs(request: TransitionRequest, context: CardContext) -> list[str]:
    """Empty where nobody broke the glass."""
    glass = request.glass
    if glass is None:
        return []
    texts = (
        broken_text(glass, request, context),
        passed_text(glass),
        held_text(glass, request),
        review_text(request, context),
    )
    return [text for text in texts if text]


def held_text(glass: BrokenGlass, request: TransitionRequest) -> str:
    """Why it decided nothing, and what decides while the request is open; empty where it decided."""
    if not glass.held_by:
        return ""
    said = _("It decided nothing by itself: {why}.", why=from_record(glass.held_by).rstrip("."))
    return sentences(said, _("The request waits for its votes.") if request.state is State.PENDING else "")


def passed_text(glass: BrokenGlass) -> str:
    """What it was done in spite of; empty before that is known."""
    return _("In spite of: {what}.", what=listed(from_record(one) for one in glass.passed)) if glass.passed else ""


def review_text(request: TransitionRequest, context: CardContext) -> str:
    """Who has reviewed it, or who must, and until when."""
    glass = request.glass
    if glass is None:
        return ""
    if glass.review is None:
        if not wants_review(request):
            return ""
        return _(
            "A member of {group} who neither broke the glass nor asked for this or trained it must review it by {until}.",
            group=glass.reviewers,
            until=glass.review_by,
        )
    person, when = context.name(glass.review.person), glass.review.at
    said = (
        _("{person} reviewed it on {when} and confirmed it.", person=person, when=when)
        if glass.review.is_confirmed
        else _("{person} reviewed it on {when}: it goes back.", person=person, when=when)
        if context.holds or context.rolled_back
        else _("{person} reviewed it on {when} and rejected it.", person=person, when=when)
    )
    because = _("Reason: {reason}", reason=in_one_line(glass.review.reason)) if glass.review.reason else ""
    return sentences(said, because)


def review_buttons(request: TransitionRequest) -> tuple[Button, ...]:
    """Each opens a form, which is also the confirmation."""
    if not wants_review(request) or request.state not in (State.APPROVED, State.APPLIED, State.STALE, State.CALLED_OFF):
        return ()
    confirms = Button(CONFIRM, _("Review: confirm"), request.id, Tone.PRIMARY)
    if request.state is not State.APPLIED:
        return (confirms,)
    return confirms, Button(TAKE_BACK, _("Review: roll back"), request.id, Tone.DANGER)
