"""A `description` as lines for a terminal: headings with labelled lines below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from bot.domain.card.metrics_table import figure
from bot.domain.evidence.lineage import GIT_MIRROR, TRAINER, failed
from bot.domain.evidence.lineage import check_text as check_text
from bot.domain.evidence.lineage import checks_text as checks_text
from bot.domain.model import Artifacts, DataSet, Evidence, Metric, SignedBy, Verdict
from bot.domain.queries.conversation import said_text as said_text
from bot.domain.queries.description import Ballot, Description, Held, Loss, Pipeline, Signed, Told
from bot.domain.text import format_utc
from bot.language import N_, _, moment, ngettext

INDENT = "  "
LABEL = 18  # characters
VERDICTS = {Verdict.APPROVE: N_("approve"), Verdict.REJECT: N_("reject")}
VOUCHED = {
    GIT_MIRROR: N_("the git mirror, which has the commit and this very dvc.lock"),
    TRAINER: N_("self-reported by the trainer; not verified against git"),
}
CAME_IN = {
    SignedBy.NOTIFIER: N_("the signed request is kept"),
    SignedBy.BOT: N_("over a socket, where nothing is signed: sealed by the bot alone"),
    SignedBy.TICKETS: N_("in the ticket, whose history vouches for it: sealed by the bot alone"),
    "": N_("from before signed requests were kept: on the bot's word alone"),
}

Lines = Iterator[str]


def in_words(found: Description) -> list[str]:
    """The version, its origin, metrics, decisions and signatures."""
    return [
        *_headline(found),
        *_origin(found),
        *_pipeline(found.pipeline),
        *_figures(found.evidence),
        *_requests(found),
    ]


def holders_in_words(model: str, at: datetime, held: Sequence[Held], unknown: str) -> list[str]:
    """Each target's holder at that time; `unknown` says what the ledger does not show."""
    lines = [f"{model} on {format_utc(at)}"]
    lines += [f"{INDENT}{place.target}: {held_text(place)}" for place in held]
    if not held:
        lines.append(f"{INDENT}no target that Countersign knows of was held")
    return [*lines, f"{INDENT}{unknown}"] if unknown else lines


def held_text(place: Held) -> str:
    if place.version is None:
        return _("nobody since {when}", when=place.since) if place.since else _("nobody")
    ticket = f" ({place.ticket})" if place.ticket else ""
    return _(
        "{version}, {since}, {approval}{ticket}",
        version=str(place.version),
        since=_since(place),
        approval=place.approval,
        ticket=ticket,
    )


def decision_text(request: Told) -> str:
    """Who decided and when, or how the request ended without a decision."""
    what, comma, then = request.title.partition(", ")  # "Approved", ", but not applied"
    by = _("by {who}", who=request.decided_by) if request.decided_by else ""
    on = _("on {when}", when=request.decided_at) if request.decided_at else ""
    return " ".join(filter(None, (what, "" if by and what.endswith(by) else by, on))) + comma + then


def ballot_text(ballot: Ballot) -> str:
    voted = " ".join(filter(None, (_(VERDICTS[ballot.verdict]), ballot.worth)))
    instead = _("standing in for {people}", people=ballot.standing_in_for) if ballot.standing_in_for else ""
    said = ", ".join(filter(None, (ballot.person, voted, instead, moment(ballot.at))))
    reason = f": {ballot.reason}" if ballot.reason else ""
    return f"{said}{reason} ({_(CAME_IN[ballot.signed_by])})"


def signed_text(signed: Signed) -> str:
    state = "verified" if signed.is_verified else f"NOT VERIFIED: {signed.fault}"
    return f"{signed.subject}, by key {signed.key[:12]} at ledger entry {signed.entry}: {state}"


def witness_text(request: Told) -> str:
    """The signed head of the ledger that covers the decision."""
    if request.entry is None:
        return ""
    if request.checkpoint is None:
        return _(
            "no checkpoint covers ledger entry {entry} yet. Make one with: countersign audit checkpoint",
            entry=str(request.entry),
        )
    return _(
        "ledger entry {entry} is covered by the checkpoint of {size} entries, made {when}",
        entry=str(request.entry),
        size=str(request.checkpoint.size),
        when=request.checkpoint.made_at,
    )


def artifacts_text(artifacts: Artifacts | None, unread: str) -> str:
    if artifacts is None:
        return _("not read: {why}", why=unread) if unread else _("not read")
    files = ngettext("{count} file", "{count} files", artifacts.files)
    size = ngettext("{count} byte", "{count} bytes", artifacts.size)
    return f"{artifacts.digest}, {files}, {size}"


def loss_text(loss: Loss) -> str:
    """What is gone or out of sight and since when, and who knows of it."""
    if not loss.acknowledged_by:
        return loss.said
    return _(
        "{loss}; acknowledged by {person}: {reason}",
        loss=loss.said,
        person=loss.acknowledged_by,
        reason=loss.acknowledged_because,
    )


def measured_text(metric: Metric) -> str:
    """The data that the metric was measured on, as far as MLflow says."""
    data = metric.measured_on
    return f"{data.name} {data.digest}".strip() if data else ""


def data_set_text(found: DataSet) -> str:
    table = f"; {found.table}" if found.table else ""
    return f"{found.digest} {found.context}".rstrip() + table


def unfrozen_sentences(found: Description) -> tuple[str, ...]:
    """What a reader must know before reading on; empty when the evidence is frozen."""
    if found.is_frozen and found.evidence is not None:
        return ()
    why = _("nothing was frozen: no one has asked for a target yet")
    if found.requests:
        why = _("nothing was frozen: the evidence of its request is still being read")
    if found.evidence is not None:
        return (why, _("what follows is what MLflow says now, and it may still change"))
    return (why, *filter(None, (found.unread,)))


def vouched_text(evidence: Evidence) -> str:
    return _(VOUCHED.get(evidence.vouched_by, evidence.vouched_by) or VOUCHED[TRAINER])


def _headline(found: Description) -> Lines:
    yield str(found.version)
    yield _line("created", format_utc(found.version.created))
    if not found.is_registered:
        yield _line("in the registry", "no longer: what follows is what was recorded")
    for place in found.holds:
        yield _line("holds", f"{place.target}, {_since(place)}, {place.approval}")
    if not found.holds:
        yield _line("holds", "no target now")
    if found.decision is not None:
        yield _line("decision", f"{decision_text(found.decision)}, for {found.decision.target}")
    for place in (place for place in found.holders if place not in found.holds):
        yield _line("instead", f"{place.target}: {held_text(place)}")


def _since(place: Held) -> str:
    return _("since {when}", when=place.since) if place.since else _("since before anything was recorded")


def _origin(found: Description) -> Lines:
    evidence = found.evidence
    yield from _heading("Where it comes from")
    yield from (f"{INDENT}{sentence}" for sentence in unfrozen_sentences(found))
    if evidence is None:
        return
    yield _line("run", " ".join(filter(None, (evidence.run_id or "none", evidence.run_url))))
    yield _line("trained by", evidence.author or "unknown")
    author = f" by {evidence.commit_author}" if evidence.commit_author else ""
    yield _line("commit", f"{evidence.commit}{author}" if evidence.commit else "none")
    if found.is_frozen:
        yield _line("evidence source", vouched_text(evidence))
    yield _line("artifacts", artifacts_text(evidence.artifacts, evidence.artifacts_unread))
    yield from (_line("gone" if loss.is_gone else "not looked at", loss_text(loss)) for loss in found.losses)
    yield from (_line("leads out", found) for found in evidence.outside)
    yield from (_line("not covered", found) for found in evidence.uncovered)
    if evidence.lineage:
        yield _line("lineage", checks_text(evidence.lineage))
    yield from (_line(f"lineage {check.code}", check_text(check)) for check in failed(evidence))


def _pipeline(pipeline: Pipeline) -> Lines:
    yield from _heading("Pipeline")
    if pipeline.unread:
        yield f"{INDENT}{pipeline.unread}"
        return
    yield from (f"{INDENT}{line}" for line in pipeline.tree)
    if pipeline.lock_sha256:
        yield _line("dvc.lock", f"sha256 {pipeline.lock_sha256}")
    yield from _if_any("careful", pipeline.warning)
    yield from _heading("Data files")
    for file in pipeline.files:
        size = f", {file.size:,} bytes" if file.size is not None else ""
        made = f", made by {file.made_by}" if file.made_by else ""
        yield f"{INDENT}{file.path}  md5 {file.md5}{size}{made}"


def _figures(evidence: Evidence | None) -> Lines:
    if evidence is None:
        return
    if evidence.datasets:
        yield from _heading("Data sets")
        yield from (_line(found.name, data_set_text(found)) for found in evidence.datasets)
    yield from _heading("Parameters")
    yield from [_line(name, value) for name, value in sorted(evidence.params.items())] or [f"{INDENT}none"]
    yield from _heading("Metrics")
    for metric in evidence.metrics:
        data = f"  on {measured_text(metric)}" if metric.measured_on else ""
        yield _line(metric.name, f"{figure(metric.value)}  of the {metric.source}{data}")
    if not evidence.metrics:
        yield f"{INDENT}none"


def _requests(found: Description) -> Lines:
    for request in found.requests:
        yield from _heading(f"Request {request.id[:8]} for {request.target}")
        by = f", by {request.requester}" if request.requester else ""
        yield _line("asked", f"{request.asked}{by}, {format_utc(request.opened_at)}")
        yield from _if_any("why", request.comment)
        yield _line("decision", decision_text(request))
        yield from _if_any("outcome", request.outcome)
        yield from (_line("break glass", said) for said in request.glass)
        yield from (_line("vote", ballot_text(ballot)) for ballot in request.votes)
        yield from (_line("said", said_text(said)) for said in request.said)
        yield from (_line("fast track", f"{'✓' if passed else '✗'} {said}") for passed, said in request.thresholds)
        yield from _if_any("sealed", request.sealed)
        yield from _if_any("now", request.now)
        yield from _if_any("ticket", " ".join(filter(None, (request.ticket, request.ticket_url))))
        yield from _if_any("card", request.card_url)
        yield from (_line("signed", signed_text(signed)) for signed in request.signed)
        yield from _if_any("witnessed", witness_text(request))
    if not found.requests:
        yield from _heading("Requests")
        yield f"{INDENT}none: nobody has asked for a target for {found.version}"


def _heading(text: str) -> Iterable[str]:
    return "", text


def _if_any(label: str, text: str) -> Iterable[str]:
    return [_line(label, text)] if text else []


def _line(label: str, text: str) -> str:
    return f"{INDENT}{label.ljust(LABEL)} {text}"
