"""What a vote is worth: whether it counts, and for which of the rule's requirements. Card, page, list and digest ask here.

The signed decision names the same people, because both read `quorum.tally`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.model import State, TransitionRequest, Verdict, Vote
from bot.domain.policy.rules import Policy, Rule
from bot.domain.request.quorum import ANYONE, tally, under


@dataclass(frozen=True)
class Worth:
    """`place` is the requirement that it meets, empty for a rejection, or where the rule is no longer known.

    `is_beyond`: it is valid, and other votes meet all that it could, so the decision does not rest on it.
    """

    counts: bool
    place: str = ""
    is_beyond: bool = False


def worth_of(vote: Vote, request: TransitionRequest, rule: Rule | None, rule_hash: str) -> Worth:
    """`rule` with its hash is the one in force. A decision is judged by the rule that it was made under, if that one is in force still."""
    judged_under = rule_hash if request.state is State.PENDING else request.rule_hash
    valid = under(request, judged_under)
    if vote not in valid.votes:
        return Worth(counts=False)
    if vote.verdict is Verdict.REJECT or rule is None or rule_hash != judged_under:
        return Worth(counts=True)
    place = dict(tally(valid, rule).met).get(vote.person, "")
    return Worth(counts=bool(place), place=place, is_beyond=not place)


def counted_votes(request: TransitionRequest, verdict: Verdict, rule: Rule | None, rule_hash: str) -> tuple[Vote, ...]:
    """The votes on which the decision rests, or would now, in their order."""
    cast = (vote for vote in request.votes if vote.verdict is verdict)
    return tuple(vote for vote in cast if worth_of(vote, request, rule, rule_hash).counts)


def worth_text(vote: Vote, worth: Worth) -> str:
    """For which group it counts; empty for a vote that lapsed, which is said elsewhere, and for one without a group."""
    groups = " and ".join(vote.groups)
    if worth.place == ANYONE:
        return "as one vote more"
    if worth.is_beyond:
        return f"beyond the votes that are needed of {groups}" if groups else "beyond the votes that are needed"
    if worth.place:
        return f"for {worth.place}"
    return f"for {groups}" if worth.counts and groups and vote.verdict is Verdict.APPROVE else ""


def rule_of_decision(request: TransitionRequest, policy: Policy | None) -> tuple[Rule | None, str]:
    """The rule in force, and its hash as the request's votes carry it: an earlier release may have computed it in another way."""
    version = request.version
    rule = policy.rule_for(version.workspace, version.model, request.target) if policy else None
    if policy is None or rule is None:
        return None, ""
    return rule, request.rule_hash if request.rule_hash in policy.hashes(rule) else policy.rule_hash(rule)
