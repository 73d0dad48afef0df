"""The description of a request's ticket: the request and its evidence, as they were. `ticket_comments` has what happens afterwards."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.card.card import Card, Fact, Link, Table
from bot.domain.card.changes import change_facts, trained_by
from bot.domain.card.details import asked, holder_of
from bot.domain.card.fast_track_sentences import judgement_text
from bot.domain.card.metrics_table import left_out, metric_tables
from bot.domain.card.named_ticket import named_text
from bot.domain.card.sentences import CardContext
from bot.domain.evidence import lineage
from bot.domain.evidence.caps import cut_text
from bot.domain.grounds import No, Objection
from bot.domain.model import FastTrackMode, Kind, TargetKind, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.text import target_label, version_name
from bot.language import N_, Value, _, ngettext, sentences

OBJECTED = {
    No.REJECTED: N_("{version} was rejected for {target} by {person} on {when}"),
    No.ROLLED_BACK: N_("{version} was rolled back for {target} by {person} on {when}"),
    No.CALLED_OFF: N_("{version} was called off for {target} by {person} on {when}"),
}
NO_NAME = N_("unknown")  # as `CardContext.name` says it
# Labels, headings and cells of `changes` and `metrics_table`, which stay English there.
CHANGES = (
    *(N_("Commit"), N_("Parameters"), N_("Model signature"), N_("Artifacts"), N_("Not covered"), N_("Data sets")),
    *(N_("Lineage"), N_("Missing")),
)
TABLES = (
    *(N_("Metrics"), N_("Metric"), N_("Difference"), N_("Threshold"), N_("Read from")),
    *(N_("missing"), N_("other data"), N_("the same"), N_("run")),
)
ROLES = (N_("candidate"), N_("now"), N_("before"))
ENDINGS = (N_("better"), N_("worse"), N_("no champion yet"))


def ticket_card(request: TransitionRequest, context: CardContext) -> Card:
    """The outcome goes into the ticket's comments and status."""
    version, target = version_name(request.version), target_label(request)
    is_rollback = request.kind is Kind.ROLLBACK
    return Card(
        title=_("Rollback: {version} → {target}", version=version, target=target)
        if is_rollback
        else f"{version} → {target}",
        summary=sentences(question(request), _("Decided on its card; recorded here.")),
        facts=tuple(_facts(request, context)),
        tables=tuple(_in_this_language(table) for table in metric_tables(request, context)),
        paragraphs=tuple(_grounds(request, context)),
        footer=_("Countersign request {id} · opened {opened}", id=request.short_id, opened=request.opened_at),
    )


def question(request: TransitionRequest) -> str:
    """The question to the approvers, as a record for later readers."""
    names: dict[str, Value] = {"version": version_name(request.version), "target": target_label(request)}
    if request.kind is Kind.ROLLBACK and request.away_from is not None:
        away = version_name(request.away_from)
        if request.target.kind is TargetKind.MODEL:
            return _("May {version} be copied into {target} again, away from {away}?", **names, away=away)
        return _("May {version} become {target} again, away from {away}?", **names, away=away)
    if request.target.kind is TargetKind.MODEL:
        return _("May {version} be copied into {target}?", **names)
    if request.kind is Kind.OBSERVED:
        return _("May {version} stay {target}?", **names)
    return _("May {version} become {target}?", **names)


def _facts(request: TransitionRequest, context: CardContext) -> list[Fact]:
    evidence = request.evidence
    version = version_name(request.version)
    facts = [
        Fact(_("Version"), Link(version, evidence.version_url) if evidence else version),
        Fact(_("Target"), holder_of(request)),
        Fact(_("Requested by"), asked(request, context)),
        Fact(_("Trained by"), _(trained_by(request, context))),
    ]
    if evidence is not None and evidence.run_url and evidence.run_id:
        facts.append(Fact(_("Run"), Link(_("Run {id}", id=evidence.run_id[:8]), evidence.run_url)))
    facts += [replace(fact, label=_(fact.label)) for fact in change_facts(request, context)]
    if request.named is not None:
        facts.append(Fact(_("Named ticket"), named_text(request.named, request, context)))
    return facts


def _grounds(request: TransitionRequest, context: CardContext) -> list[str]:
    """What a vote is based on, without the fast track's record, which changes from day to day."""
    version = version_name(request.version)
    paragraphs: list[str] = []
    if context.stranger:
        paragraphs.append(
            _(
                "Careful: {address} asked for this, and neither the policy nor Slack knows that address.",
                address=in_one_line(context.stranger),
            )
        )
    if request.failed_before:
        why = in_one_line(request.failed_before).rstrip(".")
        paragraphs.append(_("Careful: {version} was {failed}.", version=version, failed=why))
    paragraphs += [_objection(objection, context) for objection in request.objections]
    outside = request.evidence.outside if request.evidence else ()
    if outside:
        files = in_one_line("; ".join(outside))
        paragraphs.append(
            _("Careful, the gate denies this version: it runs files that are not its own. {files}.", files=files)
        )
    paragraphs += _unapprovable(request, context)
    if request.people_decide and not request.failed_before:
        paragraphs.append(_("Votes are needed: {why}.", why=_(in_one_line(request.people_decide))))
    reason = request.comment or (request.evidence.description if request.evidence else "")
    if reason:
        paragraphs.append(_("Why: {reason}", reason=in_one_line(reason)))
    if request.evidence is not None and request.evidence.cut:
        paragraphs.append(cut_text(request.evidence.cut))
    hidden = left_out(request, context)
    if hidden:
        paragraphs.append(
            ngettext("{count} more metric is on the run.", "{count} more metrics are on the run.", hidden)
        )
    return [*paragraphs, *_judgement(request, context)]


def _unapprovable(request: TransitionRequest, context: CardContext) -> list[str]:
    """As on the card, but in every state: the description is of the vote, however late the ticket is opened."""
    paragraphs: list[str] = []
    blocked = lineage.in_the_way(request, context.rule) if context.rule else ()
    if blocked:
        checks = ", ".join(f"{lineage.TITLES[check.code]} ({lineage.state_of(check)})" for check in blocked)
        paragraphs.append(_("Careful, it cannot be approved without: {checks}.", checks=checks))
    if request.evidence and request.evidence.artifacts is None and request.evidence.artifacts_unread:
        why = in_one_line(request.evidence.artifacts_unread).rstrip(".")
        paragraphs.append(_("Careful, the model's files were not read: {why}.", why=why))
    return paragraphs


def _objection(objection: Objection, context: CardContext) -> str:
    said = _(
        OBJECTED[objection.how],
        version=objection.version,
        target=objection.target,
        person=context.name(objection.person),
        when=objection.at,
    )
    reason = in_one_line(objection.reason).removesuffix(".")
    if not reason:
        return _("Careful, the same content: {objection}.", objection=said)
    return _("Careful, the same content: {objection}: {reason}.", objection=said, reason=reason)


def _judgement(request: TransitionRequest, context: CardContext) -> list[str]:
    judgement = request.judgement
    if judgement is None or judgement.mode is FastTrackMode.OFF:
        return []
    rule = context.rule.label if context.rule else _("that is no longer in the policy")
    return [judgement_text(judgement, rule, request.rule_hash)]


def _in_this_language(table: Table) -> Table:
    """A cell may be a figure with an ending, such as "-3.6, better"; a heading, a version with its role."""
    return Table(
        _(table.title),
        tuple(_heading(column) for column in table.columns),
        tuple(tuple(_cell(cell) for cell in row) for row in table.rows),
    )


def _heading(text: str) -> str:
    version, opens, role = text.removesuffix(")").partition(" (")
    return f"{version} ({_(role)})" if opens and role in ROLES else _(text) if text in TABLES else text


def _cell(text: str) -> str:
    figure, comma, ending = text.rpartition(", ")
    return f"{figure}, {_(ending)}" if comma and ending in ENDINGS else _(text) if text in TABLES else text
