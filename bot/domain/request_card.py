"""What the card of a request says, in every state of it. The ticket's description is its part that never changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.cards import Button, Card, Confirm, Fact, Link, Table, Tone
from bot.domain.model import (
    Evidence,
    Kind,
    Metric,
    State,
    TargetKind,
    TransitionRequest,
    Verdict,
    Vote,
)
from bot.domain.policy import Rule
from bot.domain.quorum import ANYONE, standing

UNKNOWN = "unknown"
SHOWN_METRICS = 20
TITLES = {
    State.COLLECTING: "Collecting evidence",
    State.PENDING: "Approval wanted",
    State.APPROVED: "Approved, waiting for MLflow",
    State.APPLIED: "Approved",
    State.REJECTED: "Rejected",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
    State.SUPERSEDED: "Superseded",
    State.STALE: "Approved, but not applied",
}
OBSERVED_TITLES = {
    State.PENDING: "Moved without an approval",
    State.APPROVED: "Ratified, waiting for MLflow",
    State.APPLIED: "Ratified",
    State.REJECTED: "To be put back",
}

DECISIONS = {
    **{(state, Kind.PROMOTION): "Approved" for state in (State.APPROVED, State.APPLIED, State.STALE)},
    **{(state, Kind.OBSERVED): "Ratified" for state in (State.APPROVED, State.APPLIED, State.STALE)},
}


@dataclass(frozen=True)
class Printed:
    """Names for the ids of people in the request; `rule` is None when no rule speaks of it any more."""

    names: Mapping[str, str]
    rule: Rule | None

    def name(self, person_id: str | None) -> str:
        return self.names.get(person_id, UNKNOWN) if person_id else UNKNOWN


def request_card(request: TransitionRequest, printed: Printed) -> Card:
    title = f"{title_of(request)}: {request.version} → {goal(request)}"
    return Card(
        title=title,
        summary=f"{title}. {_story(request, printed)}",
        facts=tuple(_facts(request, printed)),
        tables=tuple(_tables(request)),
        paragraphs=tuple(_paragraphs(request, printed)),
        buttons=_buttons(request, printed.rule),
        footer=_footer(request),
    )


def ticket_card(request: TransitionRequest, printed: Printed) -> Card:
    """The ticket's description: what is asked and on what grounds. What becomes of it stands in the ticket's comments and status."""
    wish = "stay" if request.kind is Kind.OBSERVED else "become"
    if request.target.kind is TargetKind.MODEL:
        wish = "be copied into"
    return Card(
        title=f"{request.version} → {goal(request)}",
        summary=f"May {request.version} {wish} {goal(request)}? Decided in Slack; recorded here.",
        facts=tuple(fact for fact in _facts(request, printed) if fact.label not in ("Ticket", "Decide by")),
        tables=tuple(_tables(request)),
        paragraphs=tuple(_grounds(request)),
        footer=_footer(request),
    )


def outcome_card(request: TransitionRequest, printed: Printed) -> Card:
    """What the requester is told directly."""
    title = f"{title_of(request)}: {request.version} → {goal(request)}"
    facts = [Fact("Ticket", Link(request.ticket.key, request.ticket.url))] if request.ticket else []
    if request.card is not None:
        facts.append(Fact("Card", Link("Open the card", request.card.url)))
    return Card(
        title=title,
        summary=f"{title}. {_story(request, printed)}",
        facts=tuple(facts),
        paragraphs=(_story(request, printed), _next_step(request)),
    )


def decision_text(request: TransitionRequest, printed: Printed) -> str:
    """The decision as a record that stays true: printed name, time, meaning and reason of each vote, or why there was none."""
    what = DECISIONS.get((request.state, request.kind), TITLES[request.state])
    lines = [f"{what}: {request.version} for {request.target}."]
    lines += [_vote_line(vote, request, printed) for vote in request.votes]
    if request.state not in (State.APPROVED, State.APPLIED, State.STALE) and not request.votes:
        lines.append(f"{request.outcome}.")
    return "\n".join(lines)


def outcome_text(request: TransitionRequest) -> str:
    """What the decision came to in the registry."""
    if request.state is State.STALE:
        return f"Not applied: {request.outcome}."
    return _rejected(request) if request.state is State.REJECTED else _applied(request)


def title_of(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        if request.state is State.REJECTED and request.settled_at is not None:
            return "Put back"
        return OBSERVED_TITLES.get(request.state, TITLES[request.state])
    return TITLES[request.state]


def goal(request: TransitionRequest) -> str:
    """The target as people say it: champion, stage Production, model prod.x."""
    if request.target.kind is TargetKind.ALIAS:
        return request.target.name
    return f"{request.target.kind} {request.target.name}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def figure(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def _facts(request: TransitionRequest, printed: Printed) -> list[Fact]:
    evidence = request.evidence
    facts = [
        Fact("Version", Link(str(request.version), evidence.version_url) if evidence else str(request.version)),
        Fact("Target", f"{request.target}, held by {_holder(request)}"),
        Fact("Asked", _asked(request, printed)),
        Fact("Trained by", _author(request, printed)),
    ]
    if evidence is not None and evidence.run_url and evidence.run_id:
        facts.append(Fact("Run", Link(f"Run {evidence.run_id[:8]}", evidence.run_url)))
    if request.ticket is not None:
        facts.append(Fact("Ticket", Link(request.ticket.key, request.ticket.url)))
    elif printed.rule is not None and printed.rule.ticket is not None:
        facts.append(Fact("Ticket", "being opened"))
    if request.state.is_open and request.expires_at is not None:
        facts.append(Fact("Decide by", moment(request.expires_at)))
    return facts


def _asked(request: TransitionRequest, printed: Printed) -> str:
    if request.requester is not None:
        return f"{request.ask}, by {printed.name(request.requester)}"
    return f"{request.ask}; MLflow does not say by whom"


def _holder(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.previous} before" if request.previous else "nobody before"
    champion = request.evidence.champion if request.evidence else None
    before = " before" if request.state is State.APPLIED else ""
    return f"{champion.version if champion else 'nobody'}{before}"


def _author(request: TransitionRequest, printed: Printed) -> str:
    if request.author is not None:
        return printed.name(request.author)
    claimed = request.evidence.author if request.evidence else None
    return f"{claimed} (not in the policy's people)" if claimed else UNKNOWN


def _tables(request: TransitionRequest) -> list[Table]:
    evidence = request.evidence
    if evidence is None or not evidence.metrics:
        return []
    # A logged model may hold one name from several data sets, so only figures from the same source are set side by side.
    champion = {
        (metric.name, metric.source): metric for metric in (evidence.champion.metrics if evidence.champion else ())
    }
    shown = sorted(evidence.metrics, key=lambda metric: metric.name)[:SHOWN_METRICS]
    if not champion:
        rows = tuple((metric.name, figure(metric.value), metric.source) for metric in shown)
        return [Table("Metrics", ("Metric", "Candidate", "Read from"), rows)]
    holder = evidence.champion.version.version if evidence.champion else 0
    compared = tuple(_beside(metric, champion.get((metric.name, metric.source))) for metric in shown)
    return [Table("Metrics", ("Metric", f"v{request.version.version}", f"v{holder}", "Difference"), compared)]


def _beside(metric: Metric, champion: Metric | None) -> tuple[str, ...]:
    if champion is None:
        return (metric.name, figure(metric.value), "-", "-")
    return (metric.name, figure(metric.value), figure(champion.value), f"{metric.value - champion.value:+.4g}")


def _footer(request: TransitionRequest) -> str:
    return f"Countersign request {request.short_id} · opened {moment(request.opened_at)}"


def _paragraphs(request: TransitionRequest, printed: Printed) -> list[str]:
    votes = [_vote_line(vote, request, printed) for vote in request.votes]
    return [*_grounds(request), *votes, _story(request, printed)]


def _grounds(request: TransitionRequest) -> list[str]:
    paragraphs = []
    why = request.comment or (request.evidence.description if request.evidence else "")
    if why:
        paragraphs.append(f"Why: {why}")
    hidden = _left_out(request.evidence)
    if hidden:
        paragraphs.append(f"{hidden} more metrics are on the run.")
    return paragraphs


def _left_out(evidence: Evidence | None) -> int:
    return max(0, len(evidence.metrics) - SHOWN_METRICS) if evidence else 0


def _vote_line(vote: Vote, request: TransitionRequest, printed: Printed) -> str:
    deed = {
        (Verdict.APPROVE, Kind.PROMOTION): "approved: the version may go to the target",
        (Verdict.REJECT, Kind.PROMOTION): "rejected: the version may not go to the target",
        (Verdict.APPROVE, Kind.OBSERVED): "ratified: the version may stay where it was put",
        (Verdict.REJECT, Kind.OBSERVED): "rejected: the target goes back to who held it before",
    }[vote.verdict, request.kind]
    because = f" Reason: {vote.reason}" if vote.reason else ""
    return f"{printed.name(vote.person)} on {moment(vote.at)} {deed}.{because}"


def _story(request: TransitionRequest, printed: Printed) -> str:
    """One sentence: where this stands and what comes next."""
    if request.state is State.PENDING:
        return _what_is_missing(request, printed)
    if request.state is State.APPLIED:
        return _applied(request)
    if request.state is State.REJECTED:
        return _rejected(request)
    if request.state is State.APPROVED:
        return f"{goal(request)} moves as soon as MLflow answers."
    if request.state is State.COLLECTING:
        return "The evidence is being collected; the vote opens after that."
    return f"{request.outcome}."


def _what_is_missing(request: TransitionRequest, printed: Printed) -> str:
    if printed.rule is None:
        return "No rule in the policy speaks of this target any more, so nobody can decide it."
    missing = [
        "one of any group that decides" if group == ANYONE else f"one of {group}"
        for group in standing(request, printed.rule).missing
    ]
    what = "ratifies it or puts it back" if request.kind is Kind.OBSERVED else "decides"
    return f"Waiting until {' and '.join(missing)} {what}."


def _applied(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.version} stays {goal(request)}."
    before = f", {request.previous} held it before" if request.previous else ""
    when = f" since {moment(request.settled_at)}" if request.settled_at else ""
    return f"{request.version} is {goal(request)}{when}{before}."


def _rejected(request: TransitionRequest) -> str:
    if request.kind is Kind.PROMOTION:
        return f"{request.version} does not become {goal(request)}."
    back_to = str(request.previous) if request.previous else "nobody"
    done = "went" if request.settled_at else "goes"
    because = f": {request.outcome}" if not request.votes and request.outcome else ""
    return f"{goal(request)} {done} back to {back_to}{because}."


def _next_step(request: TransitionRequest) -> str:
    if request.state in (State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED):
        return (
            "When it is still wanted, ask again: countersign request-transition, or set the asking alias or tag anew."
        )
    if request.state is State.STALE:
        return "A fresh request has been opened where that makes sense; look for its card."
    return "Nothing is left for you to do."


def _buttons(request: TransitionRequest, rule: Rule | None) -> tuple[Button, ...]:
    if request.state is not State.PENDING or rule is None:
        return ()
    approve, reject = ("Ratify", "Put back") if request.kind is Kind.OBSERVED else ("Approve", "Reject")
    return (
        Button("approve", approve, request.id, Tone.PRIMARY, _confirm_approve(request, rule, approve)),
        Button("reject", reject, request.id, Tone.DANGER, _confirm_reject(request, rule, reject)),
    )


def _confirm_approve(request: TransitionRequest, rule: Rule, label: str) -> Confirm | None:
    if rule.approve.wants_reason_to_approve():
        return None  # the form that asks for the reason confirms as well
    happens = "stays" if request.kind is Kind.OBSERVED else "becomes"
    return Confirm(f"{label}?", f"{request.version} {happens} {goal(request)}.", label, "Not yet")


def _confirm_reject(request: TransitionRequest, rule: Rule, label: str) -> Confirm | None:
    if rule.approve.wants_reason_to_reject():
        return None
    back_to = str(request.previous) if request.previous else "nobody"
    put_back = f"{goal(request)} goes back to {back_to}."
    happens = put_back if request.kind is Kind.OBSERVED else f"{request.version} does not become {goal(request)}."
    return Confirm(f"{label}?", happens, label, "Not yet")
