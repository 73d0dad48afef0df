"""The sentences about a request: where it stands, what a vote means, what comes next. Their arrangement is in `request_card`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import Kind, State, TargetKind, TransitionRequest, Verdict, Vote
from bot.domain.policy import Rule
from bot.domain.quorum import ANYONE, standing, under

UNKNOWN = "unknown"
TITLES = {
    State.COLLECTING: "Collecting evidence",
    State.PENDING: "Approval wanted",
    State.APPROVED: "Approved, waiting for the registry",
    State.APPLIED: "Approved",
    State.REJECTED: "Rejected",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
    State.SUPERSEDED: "Superseded",
    State.STALE: "Approved, but not applied",
}
OBSERVED_TITLES = {
    State.PENDING: "Moved without an approval",
    State.APPROVED: "Ratified, waiting for the registry",
    State.APPLIED: "Ratified",
    State.REJECTED: "To be put back",
}

DECISIONS = {
    **{(state, Kind.PROMOTION): "Approved" for state in (State.APPROVED, State.APPLIED, State.STALE)},
    **{(state, Kind.OBSERVED): "Ratified" for state in (State.APPROVED, State.APPLIED, State.STALE)},
}
MEANINGS = {
    (Verdict.APPROVE, Kind.PROMOTION): "approved: the version may go to the target",
    (Verdict.REJECT, Kind.PROMOTION): "rejected: the version may not go to the target",
    (Verdict.APPROVE, Kind.OBSERVED): "ratified: the version may stay where it was put",
    (Verdict.REJECT, Kind.OBSERVED): "rejected: the target goes back to who held it before",
}


@dataclass(frozen=True)
class Printed:
    """Names for the ids of people in the request; `rule` is None when no rule speaks of it any more."""

    names: Mapping[str, str]
    rule: Rule | None
    rule_hash: str = ""

    def name(self, person_id: str | None) -> str:
        return self.names.get(person_id, UNKNOWN) if person_id else UNKNOWN


def decision_text(request: TransitionRequest, printed: Printed) -> str:
    """The decision as a record that stays true: printed name, time, meaning and reason of each vote, or why there was none."""
    what = DECISIONS.get((request.state, request.kind), TITLES[request.state])
    lines = [f"{what}: {request.version} for {request.target}."]
    lines += [vote_line(vote, request, printed) for vote in request.votes]
    was_voted = (request.state, request.kind) in DECISIONS or any(v.verdict is Verdict.REJECT for v in request.votes)
    if not was_voted:
        lines.append(f"{request.outcome}.")
    return "\n".join(lines)


def outcome_text(request: TransitionRequest) -> str:
    """What the decision came to in the registry."""
    if request.state is State.STALE:
        return f"Not applied: {request.outcome}."
    return _rejected(request) if request.state is State.REJECTED else _applied(request)


def title_of(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        if request.state is State.REJECTED and (request.is_adopted or request.settled_at is not None):
            return "Put back" if request.settled_by_us else "Rejected"
        return OBSERVED_TITLES.get(request.state, TITLES[request.state])
    return TITLES[request.state]


def goal(request: TransitionRequest) -> str:
    """The target as people say it: champion, stage Production, model prod.x."""
    if request.target.kind is TargetKind.ALIAS:
        return request.target.name
    return f"{request.target.kind} {request.target.name}"


def deeds(request: TransitionRequest) -> tuple[str, str]:
    """What the two buttons are called."""
    if request.kind is Kind.PROMOTION:
        return "Approve", "Reject"
    return "Ratify", "Reject" if request.is_adopted else "Put back"


def what_approve_does(request: TransitionRequest) -> str:
    happens = "stays" if request.kind is Kind.OBSERVED else "becomes"
    return f"{request.version} {happens} {goal(request)}."


def what_reject_does(request: TransitionRequest) -> str:
    if request.kind is Kind.PROMOTION:
        return f"{request.version} does not become {goal(request)}."
    if request.is_adopted:
        return f"{request.version} stays {goal(request)}, without an approval."
    if request.target.kind is TargetKind.MODEL:
        return f"{request.version} is deleted from the registry."
    if request.previous is None:
        return f"{goal(request)} is taken away from {request.version}; nobody held it before."
    return f"{goal(request)} goes back to {request.previous}."


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def vote_line(vote: Vote, request: TransitionRequest, printed: Printed) -> str:
    if vote.verdict is Verdict.REJECT and request.is_adopted:
        deed = "rejected: the version stays where it is, without an approval"
    else:
        deed = MEANINGS[vote.verdict, request.kind]
    because = f" Reason: {vote.reason}" if vote.reason else ""
    return f"{printed.name(vote.person)} on {moment(vote.at)} {deed}.{_lapsed(vote, request, printed)}{because}"


def _lapsed(vote: Vote, request: TransitionRequest, printed: Printed) -> str:
    if request.state is State.PENDING and vote.person in request.parties:
        return " They have asked for it themselves since, so this vote no longer counts."
    if request.state is State.PENDING and vote.rule_hash != printed.rule_hash:
        return " The rule has changed since, so this vote no longer counts."
    return ""


def story(request: TransitionRequest, printed: Printed) -> str:
    """One sentence: where this stands and what comes next."""
    if request.state is State.PENDING:
        return _what_is_missing(request, printed)
    if request.state is State.APPLIED:
        return _applied(request)
    if request.state is State.REJECTED:
        return _rejected(request)
    if request.state is State.APPROVED:
        return f"{goal(request)} moves as soon as the registry answers."
    if request.state is State.COLLECTING:
        return "The evidence is being collected; the vote opens after that."
    return f"{request.outcome}."


def _what_is_missing(request: TransitionRequest, printed: Printed) -> str:
    if printed.rule is None:
        return "No rule in the policy speaks of this target any more, so nobody can decide it."
    missing = [
        "one of any group that decides" if group == ANYONE else f"one of {group}"
        for group in standing(under(request, printed.rule_hash), printed.rule).missing
    ]
    if not missing:  # somebody unknown asked, which cost a vote more, and is known now
        return "The votes that the rule demands are there; one more vote by anyone of its groups decides."
    approve, reject = deeds(request)
    return f"Waiting for {' and '.join(missing)}: {approve} or {reject}."


def _applied(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} stays {goal(request)}."
    before = f", {request.previous} held it before" if request.previous else ""
    when = f" since {moment(request.settled_at)}" if request.settled_at else ""
    return f"{request.version} is {goal(request)}{when}{before}."


def _rejected(request: TransitionRequest) -> str:
    if request.kind is Kind.PROMOTION:
        return f"{request.version} does not become {goal(request)}."
    if request.settled_at is None:
        return what_reject_does(request)
    because = f": {request.outcome}" if not request.votes and request.outcome else ""
    holder = str(request.settled_holder) if request.settled_holder else "nobody"
    if request.settled_by_us:
        return f"{goal(request)} went back to {holder}{because}."
    return f"{goal(request)} is held by {holder} now; Countersign did not move it."


def next_step(request: TransitionRequest) -> str:
    if request.state in (State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED):
        return (
            "When it is still wanted, ask again with countersign request-transition, "
            "or take the asking alias or tag away, wait for the next sweep, and set it once more."
        )
    if request.state is State.STALE:
        return "A fresh request has been opened where that makes sense; look for its card."
    return "Nothing is left for you to do."
