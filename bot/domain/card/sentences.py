"""The sentences about a request: its status and its votes. `request_card` arranges them.

The fast track's are in `fast_track_sentences`, those about what to do after an outcome in `next_steps`.
"""

from __future__ import annotations

from bot.domain.card.context import UNKNOWN as UNKNOWN
from bot.domain.card.context import CardContext as CardContext
from bot.domain.card.needs import button_labels as button_labels
from bot.domain.card.needs import needs_text, unknown_party
from bot.domain.card.outcomes import applied, called_off, held_text, lapsed, rejected, unreadable_text
from bot.domain.card.titles import title_of as title_of
from bot.domain.model import Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.names import in_one_line
from bot.domain.request.counting import worth_of, worth_text
from bot.domain.request.quorum import ANYONE
from bot.domain.text import format_utc, target_label

RENEWED = "A new card has the new comparison and a new vote; votes on this one do not count."
WAS_APPROVED = (State.APPROVED, State.APPLIED, State.STALE)
VOTED = {
    (Verdict.APPROVE, Kind.PROMOTION): "approved",
    (Verdict.APPROVE, Kind.OBSERVED): "ratified",
    (Verdict.APPROVE, Kind.ROLLBACK): "approved",
}


def vote_words(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote on a card or in a message: who, what, for whom and when. Tickets and records have `vote_line`."""
    absent = " and ".join(context.name(person) for person in vote.standing_in_for)
    voted = VOTED.get((vote.verdict, request.kind), "rejected")
    place = _place(vote, request, context)
    details = [place, "with a passkey" if vote.passkey else "", f"standing in for {absent}" if absent else ""]
    how = ", ".join(filter(None, details))
    because = f" Reason: {in_one_line(vote.reason)}" if vote.reason else ""
    said = f"{context.name(vote.person)} {voted}{f' ({how})' if how else ''}, {format_utc(vote.at)}."
    lapse = lapsed(vote, request, context)
    return f"{said}{f' {lapse}' if lapse else ''}{because}"


def _place(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    worth = worth_of(vote, request, context.rule, context.rule_hash)
    if worth.place == ANYONE:
        return f"additional approver, because the {unknown_party(request)} is unknown"
    return _requirement(vote, request, context).strip().removeprefix("for ")


def _requirement(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """For which requirement it counts; a rejection decides alone."""
    if vote.verdict is Verdict.REJECT:
        return ""
    said = worth_text(vote, worth_of(vote, request, context.rule, context.rule_hash))
    return f" {said}" if said and context.rule is not None else ""


def status_sentence(request: TransitionRequest, context: CardContext) -> str:
    """The status and the next step, in a sentence or two."""
    if request.state is State.PENDING:
        return needs_text(request, context)
    if request.state is State.APPLIED:
        return _no_longer(request, context.rolled_back) if context.rolled_back else applied(request)
    if request.state is State.REJECTED:
        return rejected(request)
    if request.state is State.APPROVED:
        return _approved(request)
    if request.state is State.CALLED_OFF:
        return called_off(request, context)
    if request.state is State.COLLECTING and request.unreadable:
        return unreadable_text(request, request.unreadable[-1])
    if request.state is State.COLLECTING:
        return f"The evidence is being collected; the vote opens after that. {context.progress}".rstrip()
    outcome = in_one_line(request.outcome)
    return f"{outcome}. {RENEWED}" if request.renewed else f"{outcome}."


def _approved(request: TransitionRequest) -> str:
    if request.frozen_until is not None:
        return held_text(request)
    if request.unreadable:
        return unreadable_text(request, request.unreadable[-1])
    return f"{target_label(request)} moves as soon as the registry answers."


def _no_longer(request: TransitionRequest, rolled_back: str) -> str:
    when = f" from {format_utc(request.settled_at)}" if request.settled_at else ""
    return f"{request.version} was {target_label(request)}{when} until it was {in_one_line(rolled_back).rstrip('.')}."
