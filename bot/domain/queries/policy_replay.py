"""Replays one past request under another policy, with its frozen evidence and its votes.

`handlers.queries.policy` selects the requests; `bot.commands.policy.replay` prints the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from statistics import median

from bot.domain.model import (
    ENDED_UNDECIDED,
    DecidedBy,
    FastTrackMode,
    Judgement,
    Kind,
    State,
    TransitionRequest,
    Verdict,
)
from bot.domain.policy.rules import Observed, Policy, Rule, UnknownRequester
from bot.domain.request import fast_track
from bot.domain.request.quorum import groups_with_a_say, requester_is_unknown, tally
from bot.domain.request.rollback import needs_no_vote


class Comparison(StrEnum):
    """The outcome under another policy, compared with the real one."""

    SAME = "same outcome"
    PASSES = "would have passed by itself"
    HELD = "would have been held"
    NEEDS_VOTES = "needs more votes"
    ENOUGH_VOTES = "votes would have been enough"
    NOT_ASKED = "people would not have been asked"
    NO_RULE = "no rule any more"


@dataclass(frozen=True)
class Replayed:
    """`why` explains the comparison, or is empty. `judgement` is None when the fast track is not used."""

    request: TransitionRequest
    comparison: Comparison
    why: str = ""
    rule: Rule | None = None
    judgement: Judgement | None = None

    @property
    def waited(self) -> timedelta | None:
        """How long people took to approve it, from when they could vote; None when they did not approve."""
        request = self.request
        if request.decided_at is None or not _was_approved(request) or decided_by(request) is not DecidedBy.PEOPLE:
            return None
        return request.decided_at - (request.pending_since or request.opened_at)


@dataclass(frozen=True)
class Summary:
    """`saved` is the total waiting time that approvals would have saved, `median_saved` the median of one.

    `passed_though_rejected` counts requests that would have passed on the fast track and were rejected by people: check these first.
    """

    requests: int
    counts: Mapping[Comparison, int]
    saved: timedelta
    median_saved: timedelta | None
    passed_though_rejected: int


def replay(request: TransitionRequest, policy: Policy, *, was_approved_before: bool = False) -> Replayed:
    """`was_approved_before`: the version was already approved for this target when the request was opened."""
    rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
    if rule is None:
        return Replayed(request, Comparison.NO_RULE)
    judgement = _judged(request, rule)
    comparison, why = _compared(request, rule, judgement, was_approved_before)
    return Replayed(request, comparison, why, rule, judgement)


def summed_up(replayed: Iterable[Replayed]) -> Summary:
    """Keeps none of them: there may be a hundred thousand."""
    counts, saved, rejected = Counter[Comparison](), list[timedelta](), 0
    for one in replayed:
        counts[one.comparison] += 1
        if one.comparison is Comparison.PASSES:
            saved += [one.waited] if one.waited is not None else []
            rejected += one.request.state is State.REJECTED
    return Summary(
        requests=counts.total(),
        counts=counts,
        saved=sum(saved, timedelta()),
        median_saved=timedelta(seconds=median(one.total_seconds() for one in saved)) if saved else None,
        passed_though_rejected=rejected,
    )


def decided_by(request: TransitionRequest) -> DecidedBy | None:
    """None when it is or ended undecided. Old requests without this field had votes, or the rule rejected them."""
    if request.state.is_open or request.state in ENDED_UNDECIDED:
        return None
    return request.decided_by or (DecidedBy.PEOPLE if request.votes else DecidedBy.RULE)


def happened(request: TransitionRequest) -> str:
    """The real outcome, in a few words."""
    who = decided_by(request)
    if who is None:
        return "still waiting" if request.state.is_open else str(request.state)
    outcome = "approved" if _was_approved(request) else "rejected"
    return f"{outcome} by {BY[who]}"


BY = {
    DecidedBy.PEOPLE: "people",
    DecidedBy.FAST_TRACK: "the fast track",
    DecidedBy.RULE: "the rule",
    DecidedBy.BREAK_GLASS: "break glass",
}


def _was_approved(request: TransitionRequest) -> bool:
    return request.state in (State.APPROVED, State.APPLIED, State.STALE, State.CALLED_OFF)


def _judged(request: TransitionRequest, rule: Rule) -> Judgement | None:
    """Ignores the kill switch, which is not part of the policy."""
    track = rule.fast_track
    if track is None or track.mode is FastTrackMode.OFF or request.kind is not Kind.PROMOTION or not request.evidence:
        return None
    return fast_track.judge(request, request.evidence, track, is_switched_on=True)


def _compared(
    request: TransitionRequest, rule: Rule, judgement: Judgement | None, was_approved_before: bool
) -> tuple[Comparison, str]:
    if decided_by(request) is DecidedBy.BREAK_GLASS:
        return (Comparison.SAME, "") if rule.break_glass else (Comparison.HELD, "the rule has no break_glass")
    asked_nobody = decided_by(request) in (DecidedBy.FAST_TRACK, DecidedBy.RULE)
    if request.kind is Kind.OBSERVED and not request.is_adopted and rule.observed is not Observed.ASK:
        is_same = asked_nobody and rule.observed is Observed.REVERT
        return (Comparison.SAME, "") if is_same else (Comparison.NOT_ASKED, f"the rule says observed: {rule.observed}")
    if why := _needs_nobody(request, rule, judgement, was_approved_before):
        return (Comparison.SAME, "") if asked_nobody else (Comparison.PASSES, why)
    if asked_nobody:
        return Comparison.HELD, _what_holds(judgement)
    return _with_the_same_votes(request, rule)


def _needs_nobody(
    request: TransitionRequest, rule: Rule, judgement: Judgement | None, was_approved_before: bool
) -> str:
    """Why no person would have had to decide under the rule; empty when one would."""
    if needs_no_vote(request, rule, was_approved=was_approved_before):
        return "the version had been approved for this target before"
    if judgement is None or not judgement.decides:
        return ""
    return "; ".join(check.sentence for check in judgement.checks)


def _what_holds(judgement: Judgement | None) -> str:
    if judgement is None:
        return "people decide under this rule"
    failed = "; ".join(check.sentence for check in judgement.checks if not check.passed)
    return failed or judgement.held_back or f"the fast track's mode is {judgement.mode}"


def _with_the_same_votes(request: TransitionRequest, rule: Rule) -> tuple[Comparison, str]:
    """Counts the votes under this rule; each counts for the groups recorded with it."""
    missing = _missing(request, rule)
    if decided_by(request) is None:
        return (
            (Comparison.SAME, "") if missing else (Comparison.ENOUGH_VOTES, "the votes that were cast satisfy the rule")
        )
    if _was_approved(request):
        return (Comparison.NEEDS_VOTES, f"lacks {' and '.join(missing)}") if missing else (Comparison.SAME, "")
    say = set(groups_with_a_say(request, rule))
    rejections = [vote for vote in request.votes if vote.verdict is Verdict.REJECT]
    if any(say & set(vote.groups) for vote in rejections):
        return Comparison.SAME, ""
    return Comparison.NEEDS_VOTES, "whoever rejected it has no say under this rule"


def _missing(request: TransitionRequest, rule: Rule) -> tuple[str, ...]:
    if rule.approve.unknown_requester is UnknownRequester.REFUSE and requester_is_unknown(request):
        return ("a requester and an author whom the policy names",)
    counted = tuple(vote for vote in request.votes if vote.person not in request.parties)
    return tuple(f"one of {group}" for group in tally(replace(request, votes=counted), rule).missing)
