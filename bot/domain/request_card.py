"""What the card of a request says, in every state of it. The ticket's description is its part that never changes."""

from __future__ import annotations

import math

from bot.domain.cards import Button, Card, Confirm, Fact, Link, Table, Tone
from bot.domain.model import Evidence, Kind, Metric, State, TargetKind, TransitionRequest
from bot.domain.policy import Rule
from bot.domain.wording import (
    Printed,
    deeds,
    goal,
    moment,
    next_step,
    story,
    title_of,
    vote_line,
    what_approve_does,
    what_reject_does,
)

SHOWN_METRICS = 20


def request_card(request: TransitionRequest, printed: Printed) -> Card:
    title = f"{title_of(request)}: {request.version} → {goal(request)}"
    return Card(
        title=title,
        summary=f"{title}. {story(request, printed)}",
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
        summary=f"May {request.version} {wish} {goal(request)}? Decided on its card; recorded here.",
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
        summary=f"{title}. {story(request, printed)}",
        facts=tuple(facts),
        paragraphs=(
            *(vote_line(vote, request, printed) for vote in request.votes),
            story(request, printed),
            next_step(request),
        ),
    )


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
    return f"{request.ask}; the registry does not say by whom"


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
    return f"{claimed} (not in the policy's people)" if claimed else printed.name(None)


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
    votes = [vote_line(vote, request, printed) for vote in request.votes]
    return [*_grounds(request), *votes, story(request, printed)]


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


def _buttons(request: TransitionRequest, rule: Rule | None) -> tuple[Button, ...]:
    if request.state is not State.PENDING or rule is None:
        return ()
    approve, reject = deeds(request)
    yes = None if rule.approve.wants_reason_to_approve() else _confirm(approve, what_approve_does(request))
    no = None if rule.approve.wants_reason_to_reject() else _confirm(reject, what_reject_does(request))
    return (
        Button("approve", approve, request.id, Tone.PRIMARY, yes),
        Button("reject", reject, request.id, Tone.DANGER, no),
    )


def _confirm(deed: str, happens: str) -> Confirm:
    """Where the rule wants a reason there is none: the form that asks for it confirms as well."""
    return Confirm(f"{deed}?", happens, deed, "Not yet")
