"""Who decided a request or approved what holds a target, as the lists say it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.model import ENDED_UNDECIDED, DecidedBy, State, TransitionRequest, Verdict
from bot.domain.policy.rules import Policy
from bot.domain.request.approvals import Approval
from bot.domain.request.counting import counted_votes, rule_of_decision


def approved_by(request: TransitionRequest, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Whose votes decided, or what decided without a vote; empty where nothing did, whatever votes it had until then."""
    if request.state.is_open or request.state in ENDED_UNDECIDED:
        return ""
    if request.decided_by is DecidedBy.FAST_TRACK:
        return "fast track"
    if request.decided_by is DecidedBy.BREAK_GLASS and request.glass is not None:
        return f"{names.get(request.glass.person, request.glass.person)} (broke the glass)"
    if request.decided_by is DecidedBy.RULE and not request.votes:
        return "rule"
    wanted = Verdict.REJECT if request.state is State.REJECTED else Verdict.APPROVE
    counted = counted_votes(request, wanted, *rule_of_decision(request, policy))
    return ", ".join(names.get(vote.person, vote.person) for vote in counted)


def holder_approved_by(approval: Approval, names: Mapping[str, str], policy: Policy | None = None) -> str:
    """Who approved what holds a target; after a rollback, also who brought it back on that approval."""
    by, rollback = approved_by(approval.request, names, policy), approval.restored_by
    if rollback is None:
        return by
    return f"{by} (restored by a rollback{f' of {names[rollback.requester]}' if rollback.requester else ''})"
