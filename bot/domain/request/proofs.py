"""Before a decision is signed: does it follow from what is on record? A vote that nothing proves is taken off, and what rested on it falls.

Whether a vote is proven is found out in `handlers.attestation.vote_proofs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.events import (
    AccountBound,
    AccountUnbound,
    ApprovalCalledOff,
    DecisionReopened,
    Event,
    TicketAccountBound,
    TicketAccountUnbound,
    VoteRefused,
)
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule
from bot.domain.request.fast_track import judge
from bot.domain.request.quorum import tally, under
from bot.language import recorded

AccountChange = AccountBound | AccountUnbound | TicketAccountBound | TicketAccountUnbound
NOT_ENOUGH = "the votes on record do not meet the rule"
NOT_JUDGED = "no judgement of the fast track on record approves it"
NOT_BY_RULE = recorded("outcome", "the rule does not approve this by itself")
NO_GLASS = "nothing on record says who broke the glass, or the rule has no break_glass"
NO_REJECTION = "no vote on record rejects it"


def is_account_of_voter(vote: Vote, changes: Sequence[AccountChange], *, is_listed: bool) -> bool:
    """Whether the account that pressed was the person's at the vote. `changes` are the ledger's entries about the account that come before
    the vote's, oldest first: times do not tell, as a clock may have been set back.

    `is_listed`: the account was bound to the person before bindings were entries.
    """
    if not changes:
        return is_listed
    return isinstance(changes[-1], AccountBound | TicketAccountBound) and changes[-1].person == vote.person


def refuse_vote(request: TransitionRequest, vote: Vote, reason: str, at: datetime) -> list[Event]:
    """Takes the vote off. `fall_without_grounds` says what becomes of a decision that rested on it."""
    return [VoteRefused(at, request.id, vote.person, vote.at, reason)] if vote in request.votes else []


def fall_without_grounds(request: TransitionRequest, why: str, at: datetime, *, is_asked_anew: bool) -> list[Event]:
    """Ends a decision that is not carried out yet and that nothing on record supports. `why` is from `why_not_decided`.

    An approval is called off, so that the gate denies it offline too, and a fresh request follows. A rejection, and a decision on a move
    that was made by hand, are open again: nothing else would ask people. `is_asked_anew`: another open request asks for the same.
    """
    if not why or request.settled_at is not None:
        return []
    if request.state is State.APPROVED and request.kind is not Kind.OBSERVED:
        return [ApprovalCalledOff(at, request.id, "", f"it was marked approved, but {why}")]
    if request.state is State.APPROVED or (request.state is State.REJECTED and not is_asked_anew):
        return [DecisionReopened(at, request.id, f"it was marked {request.state}, but {why}")]
    return []


def why_not_decided(request: TransitionRequest, rule: Rule) -> str:
    """Why the decision does not follow from the request; empty when it does, and when there is none. `rule` is the one decided under."""
    if request.state is State.REJECTED:
        return "" if request.decided_by is DecidedBy.RULE or _is_rejected_by_people(request) else NO_REJECTION
    if request.state not in (State.APPROVED, State.APPLIED, State.STALE):
        return ""
    match request.decided_by:
        case DecidedBy.FAST_TRACK:
            return "" if _passes_again(request, rule) else NOT_JUDGED
        case DecidedBy.BREAK_GLASS:
            return "" if _is_broken_under(request, rule) else NO_GLASS
        case DecidedBy.RULE:
            by_itself = request.kind is Kind.ROLLBACK and not (request.failed_before or request.people_decide)
            return "" if by_itself else NOT_BY_RULE
        case _:
            return "" if tally(under(request, request.rule_hash), rule).is_complete else NOT_ENOUGH


def _is_broken_under(request: TransitionRequest, rule: Rule) -> bool:
    """Whether one deed is on record, under this rule, that was not held. Whether the person sent it is found out beside this."""
    glass, may = request.glass, rule.break_glass
    if glass is None or may is None or request.kind is not Kind.PROMOTION:
        return False
    return bool(glass.reason.strip()) and (glass.group, glass.rule_hash, glass.held_by) == (
        may.group,
        request.rule_hash,
        "",
    )


def _passes_again(request: TransitionRequest, rule: Rule) -> bool:
    """A judgement on record proves nothing by itself. Samples and the kill switch were looked at when it was made."""
    if (
        request.judgement is None
        or not request.judgement.decides
        or rule.fast_track is None
        or request.evidence is None
    ):
        return False
    track = replace(rule.fast_track, sample_to_people=0.0)
    return judge(request, request.evidence, track, is_switched_on=True).decides


def _is_rejected_by_people(request: TransitionRequest) -> bool:
    return any(vote.verdict is Verdict.REJECT for vote in under(request, request.rule_hash).votes)
