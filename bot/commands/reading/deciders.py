"""Who decided a request or approved what holds a target, as the lists say it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.model import DecidedBy, TransitionRequest
from bot.domain.policy.rules import Policy
from bot.domain.request.approvals import Approval
from bot.domain.request.counting import rule_of_decision, worth_of


def approved_by(request: TransitionRequest, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Whose votes count, or what decided without a vote."""
    if request.decided_by is DecidedBy.FAST_TRACK:
        return "fast track"
    if request.decided_by is DecidedBy.BREAK_GLASS and request.glass is not None:
        return f"{names.get(request.glass.person, request.glass.person)} (broke the glass)"
    if request.decided_by is DecidedBy.RULE and not request.votes:
        return "rule"
    in_force = rule_of_decision(request, policy)
    counted = [vote for vote in request.votes if worth_of(vote, request, *in_force).counts]
    return ", ".join(names.get(vote.person, vote.person) for vote in counted)


def holder_approved_by(approval: Approval, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Who approved what holds a target; after a rollback, also who brought it back on that approval."""
    by, rollback = approved_by(approval.request, names, policy), approval.restored_by
    if rollback is None:
        return by
    return f"{by} (restored by a rollback{f' of {names[rollback.requester]}' if rollback.requester else ''})"
