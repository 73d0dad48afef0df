"""`countersign requests show`: everything on record about one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.operating.job_rows import BELOW as JOB_BELOW
from bot.commands.operating.job_rows import COLUMNS as JOB_COLUMNS
from bot.commands.operating.job_rows import job_row
from bot.commands.output.printing import print_json, print_record, print_rows, say_heading
from bot.commands.output.tables import Row
from bot.domain.card.metrics_table import figure
from bot.domain.evidence.lineage import checks_text
from bot.domain.model import Evidence
from bot.domain.queries.description import Loss
from bot.domain.queries.description_text import artifacts_text, decision_text, loss_text

if TYPE_CHECKING:
    from handlers.queries.request_record import RequestRecord

METRICS = 6  # shown in brief; `describe` shows all


@click.command("show")
@click.argument("request_id")
@as_json
@telling_mistakes
def show(request_id: str, as_json: bool) -> None:
    """Show all of one request: evidence in brief, votes, ticket, card, ledger entries and jobs.

    REQUEST_ID may be its first eight characters.
    """
    from handlers.queries.request_record import record_of

    with services_for() as services:
        found = record_of(request_id, services)
    if as_json:
        tables = {name: list(rows) for name, (rows, _, _) in _tables(found).items()}
        losses = [_loss(one) for one in found.losses]
        print_json({**_head(found), "evidence": _evidence(found.request.evidence), "losses": losses, **tables})
        return
    print_record({name: value for name, value in _head(found).items() if value is not None and name != "decided_at"})
    if found.request.evidence:
        say_heading("Evidence")
        print_record(_evidence_in_words(found.request.evidence))
    for loss in found.losses:
        print_record({"gone" if loss.is_gone else "not looked at": loss_text(loss)})
    for name, (rows, columns, below) in _tables(found).items():
        if rows:
            say_heading(name.replace("_", " ").capitalize())
            print_rows(rows, columns, as_json=False, empty="", below=below)


def _head(found: RequestRecord) -> dict[str, object]:
    request, outcome = found.request, found.outcome
    return {
        "id": request.short_id,
        "request_id": request.id,
        "state": str(request.state),
        "kind": str(request.kind),
        "version": str(request.version),
        "target": str(request.target),
        "workspace": request.version.workspace,
        "asked": str(request.ask),
        "requester": outcome.requester or None,
        "comment": request.comment or None,
        "opened_at": request.opened_at,
        "expires_at": request.expires_at if request.state.is_open else None,
        "rule": found.rule or None,
        "still_needs": ", ".join(found.missing) or None,
        "nobody_left": found.nobody_left or None,
        "decision": decision_text(outcome) if outcome.decided_at else None,
        "decided_at": outcome.decided_at,
        "outcome": request.outcome or None,
        "now": outcome.now or None,
        "ticket": request.ticket.key if request.ticket else None,
        "ticket_url": request.ticket.url if request.ticket else None,
        "card_url": request.card.url if request.card else None,
        "signed": len(outcome.signed),
    }


def _evidence(seen: Evidence | None) -> Mapping[str, object] | None:
    if seen is None:
        return None
    return {
        "author": seen.author,
        "commit": seen.commit,
        "run_id": seen.run_id,
        "champion": str(seen.champion.version) if seen.champion else None,
        "metrics": {metric.name: metric.value for metric in seen.metrics},
        "champion_metrics": {metric.name: metric.value for metric in seen.champion.metrics} if seen.champion else {},
        "artifacts": seen.artifacts.digest if seen.artifacts else None,
        "lineage": checks_text(seen.lineage) if seen.lineage else None,
    }


def _evidence_in_words(seen: Evidence) -> Mapping[str, object]:
    named = {
        "author": seen.author,
        "commit": seen.commit,
        "run": seen.run_id,
        "champion": seen.champion.version if seen.champion else None,
        "metrics": "; ".join(_metrics(seen)),
        "artifacts": artifacts_text(seen.artifacts, seen.artifacts_unread),
        "lineage": checks_text(seen.lineage) if seen.lineage else "not recorded",
    }
    return {name: value for name, value in named.items() if value}


def _loss(loss: Loss) -> Mapping[str, object]:
    return {
        "part": loss.part,
        "is_gone": loss.is_gone,
        "what": loss.said,
        "since": loss.since,
        "last_seen": loss.last_seen,
        "acknowledged_by": loss.acknowledged_by or None,
        "reason": loss.acknowledged_because or None,
    }


def _metrics(seen: Evidence) -> Iterator[str]:
    champions = {one.name: one.value for one in seen.champion.metrics} if seen.champion else {}
    for metric in seen.metrics[:METRICS]:
        beside = f" (champion {figure(champions[metric.name])})" if metric.name in champions else ""
        yield f"{metric.name} {figure(metric.value)}{beside}"
    if len(seen.metrics) > METRICS:
        yield f"and {len(seen.metrics) - METRICS} more"


Section = tuple[list[Row], tuple[str, ...], tuple[str, ...]]


def _tables(found: RequestRecord) -> dict[str, Section]:
    """Rows with their columns, and what may go below its row."""
    votes: list[Row] = [
        {
            "person": one.person,
            "verdict": str(one.verdict),
            "at": one.at,
            "counts": one.worth or None,
            "standing_in_for": ", ".join(one.standing_in_for) or None,
            "reason": one.reason or None,
        }
        for one in found.outcome.votes
    ]
    said: list[Row] = [
        {"person": one.person, "said": one.what, "at": one.at, "text": one.text or None, "url": one.url or None}
        for one in found.outcome.said
    ]
    refused: list[Row] = [{"person": one.person, "cast_at": one.cast_at, "why": one.reason} for one in found.refused]
    ledger: list[Row] = [{"entry": one.seq, "at": one.at, "event": one.event} for one in found.ledger]
    return {
        "votes": (votes, ("person", "verdict", "at", "counts"), ("standing_in_for", "reason")),
        "refused_votes": (refused, ("person", "cast_at"), ("why",)),
        "conversation": (said, ("person", "said", "at"), ("text", "url")),
        "ledger": (ledger, ("entry", "at", "event"), ()),
        "jobs": ([job_row(job) for job in found.jobs], JOB_COLUMNS, JOB_BELOW),
    }
