"""Before a decision is signed: does it follow from what is on record? A vote that nothing proves is taken off, and what rested on it falls.

Whether a vote is proven is found out in `handlers.attestation.vote_proofs`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.events import ApprovalCalledOff, Event, VoteRefused
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Rule
from bot.domain.request.fast_track import judge
from bot.domain.request.quorum import tally, under

NOT_ENOUGH = "the votes on record do not meet the rule"
NOT_JUDGED = "no judgement of the fast track on record approves it"
NOT_BY_RULE = "the rule does not approve this by itself"
NO_REJECTION = "no vote on record rejects it"


def refuse_vote(request: TransitionRequest, vote: Vote, reason: str, at: datetime) -> list[Event]:
    """Takes the vote off. `fall_without_grounds` says what becomes of a decision that rested on it."""
    return [VoteRefused(at, request.id, vote.person, vote.at, reason)] if vote in request.votes else []


def fall_without_grounds(request: TransitionRequest, why: str, at: datetime) -> list[Event]:
    """Calls off an approval that is not applied yet and that nothing on record supports, so that the gate denies it offline too.

    `why` is from `why_not_decided`. A rejection stays, unsigned: it moves nothing.
    """
    if not why or request.state is not State.APPROVED:
        return []
    return [ApprovalCalledOff(at, request.id, "", f"it was marked approved, but {why}")]


def why_not_decided(request: TransitionRequest, rule: Rule) -> str:
    """Why the decision does not follow from the request; empty when it does, and when there is none. `rule` is the one decided under."""
    if request.state is State.REJECTED:
        return "" if request.decided_by is DecidedBy.RULE or _is_rejected_by_people(request) else NO_REJECTION
    if request.state not in (State.APPROVED, State.APPLIED, State.STALE):
        return ""
    match request.decided_by:
        case DecidedBy.FAST_TRACK:
            return "" if _passes_again(request, rule) else NOT_JUDGED
        case DecidedBy.RULE:
            by_itself = request.kind is Kind.ROLLBACK and not (request.failed_before or request.people_decide)
            return "" if by_itself else NOT_BY_RULE
        case _:
            return "" if tally(under(request, request.rule_hash), rule).is_complete else NOT_ENOUGH


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
