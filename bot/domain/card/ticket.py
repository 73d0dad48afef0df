"""The description of a request's ticket: the request and its evidence, as they were. `ticket_comments` has what happens afterwards."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.card.break_glass.sentences import broken_text
from bot.domain.card.card import Card
from bot.domain.card.details import facts_of
from bot.domain.card.fast_track_sentences import judgement_text
from bot.domain.card.metrics_table import left_out, metric_tables
from bot.domain.card.reasons import comment_of
from bot.domain.card.risk import warnings
from bot.domain.card.sentences import CardContext
from bot.domain.evidence.caps import cut_text
from bot.domain.model import FastTrackMode, Kind, TargetKind, TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.request.shown import shown_on
from bot.domain.text import target_label, version_name
from bot.language import Value, _, from_record, ngettext, sentences


def ticket_card(request: TransitionRequest, context: CardContext) -> Card:
    """The outcome goes into the ticket's comments and status."""
    version, target = version_name(request.version), target_label(request)
    return Card(
        title=_title(request, version, target),
        summary=sentences(question(request), how_to_decide(context)),
        facts=tuple(facts_of(request, context)),
        tables=tuple(metric_tables(request, context)),
        paragraphs=tuple(_grounds(request, context)),
        footer=_footer(request, context),
    )


def _title(request: TransitionRequest, version: str, target: str) -> str:
    if request.glass is not None:
        return _("Break glass: {version} → {target}", version=version, target=target)
    is_rollback = request.kind is Kind.ROLLBACK
    return (
        _("Rollback: {version} → {target}", version=version, target=target) if is_rollback else f"{version} → {target}"
    )


def how_to_decide(context: CardContext) -> str:
    """Where people may decide in the ticket, which of its transitions are votes."""
    plan = context.rule.ticket if context.rule else None
    if plan is None or not plan.decides:
        return _("Decided on its card; recorded here.")
    if not plan.decide_approve:
        return _("Decided on its card, or by the approvers of this ticket.")
    said = _(
        "Decided on its card, or here: move this ticket to {approve} to approve, or to {reject} to reject. Give your reason in a comment "
        "with the move, or just before it.",
        approve=plan.decide_approve,
        reject=plan.decide_reject,
    )
    by_passkey = context.rule is not None and context.rule.approve.wants_passkeys
    return sentences(said, _("Approvals that need a passkey are made on the card.") if by_passkey else "")


def _footer(request: TransitionRequest, context: CardContext) -> str:
    """With the digest of what a vote in this ticket is on, so that the text changes when that does."""
    said = _("Countersign request {id} · opened {opened}", id=request.short_id, opened=request.opened_at)
    plan = context.rule.ticket if context.rule else None
    if plan is None or not plan.decides:
        return said
    return _("{said} · shows sha256:{digest}", said=said, digest=shown_on(request, context.rule_hash))


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


def _grounds(request: TransitionRequest, context: CardContext) -> list[str]:
    """What a vote is based on, without the fast track's record, which changes from day to day."""
    paragraphs = [broken_text(request.glass, request, context)] if request.glass else []
    paragraphs += warnings(request, replace(context, unread=""), ever=True)
    if request.people_decide and not request.failed_before:
        paragraphs.append(_("Votes are needed: {why}.", why=from_record(in_one_line(request.people_decide))))
    reason = comment_of(request) or (in_one_line(request.evidence.description) if request.evidence else "")
    if reason:
        paragraphs.append(_("Why: {reason}", reason=reason))
    if request.evidence is not None and request.evidence.cut:
        paragraphs.append(cut_text(request.evidence.cut))
    hidden = left_out(request, context)
    if hidden:
        paragraphs.append(
            ngettext("{count} more metric is on the run.", "{count} more metrics are on the run.", hidden)
        )
    return [*paragraphs, *_judgement(request, context)]


def _judgement(request: TransitionRequest, context: CardContext) -> list[str]:
    judgement = request.judgement
    if judgement is None or judgement.mode is FastTrackMode.OFF:
        return []
    return [judgement_text(judgement, context.rule.label if context.rule else "", request.rule_hash)]
