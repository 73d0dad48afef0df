"""The sentences about a request: its status and its votes. `request_card` arranges them.

The fast track's are in `fast_track_sentences`, those about what to do after an outcome in `next_steps`.
"""

from __future__ import annotations

from bot.domain.card.context import UNKNOWN as UNKNOWN
from bot.domain.card.context import CardContext as CardContext
from bot.domain.card.needs import button_labels as button_labels
from bot.domain.card.needs import needs_text, unknown_party
from bot.domain.card.outcomes import (
    applied,
    called_off,
    held_text,
    lapsed,
    outcome_of,
    rejected,
    unreadable_text,
    unsealed_text,
)
from bot.domain.card.titles import title_of as title_of
from bot.domain.model import Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.names import in_one_line
from bot.domain.request.counting import Worth, worth_of
from bot.domain.request.quorum import ANYONE
from bot.domain.text import target_label, version_name
from bot.language import N_, Value, _, from_record, listed, sentences

RENEWED = N_("A new card has the new comparison and a new vote; votes on this one do not count.")
WAS_APPROVED = (State.APPROVED, State.APPLIED, State.STALE)
VOTED = {
    (Verdict.APPROVE, Kind.PROMOTION): N_("{person} approved ({how}), {when}."),
    (Verdict.APPROVE, Kind.OBSERVED): N_("{person} ratified ({how}), {when}."),
    (Verdict.APPROVE, Kind.ROLLBACK): N_("{person} approved ({how}), {when}."),
}
REJECTED = N_("{person} rejected ({how}), {when}.")
SIMPLY_VOTED = {
    (Verdict.APPROVE, Kind.PROMOTION): N_("{person} approved, {when}."),
    (Verdict.APPROVE, Kind.OBSERVED): N_("{person} ratified, {when}."),
    (Verdict.APPROVE, Kind.ROLLBACK): N_("{person} approved, {when}."),
}
SIMPLY_REJECTED = N_("{person} rejected, {when}.")
ONE_MORE = {
    "author": N_("additional approver, because the author is unknown"),
    "requester": N_("additional approver, because the requester is unknown"),
}


def vote_words(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """One vote on a card or in a message: who, what, for whom and when. Tickets and records have `vote_line`."""
    absent = listed(context.name(person) for person in vote.standing_in_for)
    details = [
        _place(vote, request, context),
        _("with a passkey") if vote.passkey else "",
        _("standing in for {absent}", absent=absent) if absent else "",
    ]
    how = ", ".join(filter(None, details))
    values: dict[str, Value] = {"person": context.name(vote.person), "when": vote.at}
    key = (vote.verdict, request.kind)
    said = (
        _(VOTED.get(key, REJECTED), **values, how=how) if how else _(SIMPLY_VOTED.get(key, SIMPLY_REJECTED), **values)
    )
    because = _("Reason: {reason}", reason=in_one_line(vote.reason)) if vote.reason else ""
    return sentences(said, lapsed(vote, request, context), because)


def _place(vote: Vote, request: TransitionRequest, context: CardContext) -> str:
    """For which requirement it counts; a rejection decides alone."""
    worth = worth_of(vote, request, context.rule, context.rule_hash)
    if worth.place == ANYONE:
        return _(ONE_MORE[unknown_party(request)])
    return "" if vote.verdict is Verdict.REJECT or context.rule is None else _counts_for(vote, worth)


def _counts_for(vote: Vote, worth: Worth) -> str:
    if worth.is_beyond and vote.groups:
        return _("beyond the votes that are needed of {groups}", groups=listed(vote.groups))
    if worth.is_beyond:
        return _("beyond the votes that are needed")
    return worth.place or (listed(vote.groups) if worth.counts and vote.groups else "")


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
    if request.state is State.COLLECTING and request.glass is not None:
        reads = _("{target} moves as soon as the evidence is frozen.", target=target_label(request))
        return sentences(reads, context.progress)
    if request.state is State.COLLECTING:
        return sentences(_("The evidence is being collected; the vote opens after that."), context.progress)
    outcome = outcome_of(request)
    return sentences(_("{said}.", said=outcome), _(RENEWED) if request.renewed else "")


def _approved(request: TransitionRequest) -> str:
    if request.frozen_until is not None:
        return held_text(request)
    if request.sealing.hindered:
        return unsealed_text(request)
    if request.unreadable:
        return unreadable_text(request, request.unreadable[-1])
    return _("{target} moves as soon as the registry answers.", target=target_label(request))


def _no_longer(request: TransitionRequest, rolled_back: str) -> str:
    names: dict[str, Value] = {"version": version_name(request.version), "target": target_label(request)}
    until = from_record(in_one_line(rolled_back).rstrip("."))
    if request.settled_at is None:
        return _("{version} was {target} until it was {rolled_back}.", **names, rolled_back=until)
    return _(
        "{version} was {target} from {since} until it was {rolled_back}.",
        **names,
        since=request.settled_at,
        rolled_back=until,
    )
