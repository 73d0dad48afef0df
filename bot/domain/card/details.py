"""Everything about a request that its card leaves out, for the card's thread. The ticket's description is in `ticket`."""

from __future__ import annotations

from bot.domain.card.card import Card, Fact, Link, Mention
from bot.domain.card.changes import change_facts, trained_by
from bot.domain.card.context import CardContext
from bot.domain.card.fast_track_sentences import agreement_text, judgement_text
from bot.domain.card.metrics_table import left_out, metric_tables
from bot.domain.card.named_ticket import named_text
from bot.domain.card.risk import warnings
from bot.domain.card.titles import short_version
from bot.domain.evidence.caps import cut_text
from bot.domain.model import Ask, AskKind, FastTrackMode, Kind, State, TransitionRequest, VersionId
from bot.domain.names import in_one_line
from bot.domain.text import format_utc, target_label

HOW = {
    AskKind.ALIAS: "alias {} was set in the registry",
    AskKind.TAG: "tag {} was set in the registry",
    AskKind.STAGE: "stage {} was set in the registry",
    AskKind.NEW_VERSION: "the version was created",
}


def details_card(request: TransitionRequest, context: CardContext, mentions: tuple[Mention, ...] = ()) -> Card:
    """A reply in the card's thread, posted once: lineage, files, parameters, data, and all metrics, as they were frozen.

    `mentions` are those who are to vote and were not called when the card was posted.
    """
    title = f"Details: {short_version(request.version)} → {target_label(request)}"
    return Card(
        title=title,
        summary=f"{title}. The evidence that the vote is based on.",
        facts=(*facts_of(request, context), Fact("Opened", format_utc(request.opened_at))),
        tables=tuple(metric_tables(request, context)),
        paragraphs=tuple(_grounds(request, context)),
        footer=f"Countersign request {request.short_id}",
        mentions=mentions,
    )


def facts_of(request: TransitionRequest, context: CardContext) -> list[Fact]:
    evidence = request.evidence
    facts = [
        Fact("Version", Link(str(request.version), evidence.version_url) if evidence else str(request.version)),
        Fact("Target", holder_of(request)),
        Fact("Requested by", asked(request, context)),
        Fact("Trained by", trained_by(request, context)),
    ]
    if evidence is not None and evidence.run_url and evidence.run_id:
        facts.append(Fact("Run", Link(f"Run {evidence.run_id[:8]}", evidence.run_url)))
    facts += change_facts(request, context)
    if request.named is not None:
        facts.append(Fact("Named ticket", named_text(request.named, request, context)))
    return facts


def asked_by(request: TransitionRequest, context: CardContext) -> str:
    """The person who asked; of an unknown one, how it was asked."""
    if request.kind is Kind.OBSERVED:
        if request.requester is None:
            return "unknown"
        return f"unknown; {context.name(request.requester)} asks to keep it there"
    return context.name(request.requester) if request.requester is not None else f"unknown ({_how(request.ask)})"


def asked(request: TransitionRequest, context: CardContext) -> str:
    """The person and the way."""
    if request.requester is None:
        return f"unknown ({_how(request.ask)})"
    if request.kind is Kind.OBSERVED:
        return f"unknown ({request.ask}); {context.name(request.requester)} asks to keep it there"
    return f"{context.name(request.requester)}, {request.ask}"


def _how(ask: Ask) -> str:
    return HOW[ask.kind].format(ask.name) if ask.kind in HOW else str(ask)


def is_moved_by_hand(request: TransitionRequest) -> bool:
    """Whether what holds the target came there without an approval, so that the comparison is with another version."""
    return _found(request) not in (None, _lawful(request)) and request.kind is not Kind.OBSERVED


def holder_of(request: TransitionRequest) -> str:
    """The target, and what held it when the evidence was frozen."""
    target = f"{request.target.kind} {request.target.name}"
    if request.kind is Kind.OBSERVED:
        return f"{target} (before: {request.previous or 'unassigned'})"
    lawful, when = _lawful(request), "before" if request.state is State.APPLIED else "currently"
    if is_moved_by_hand(request):
        approved = f"{lawful} was approved before" if lawful else "no version was approved before"
        return f"{target} ({when} {_found(request)}, which was moved there without an approval; {approved})"
    return f"{target} ({when} {lawful or 'unassigned'})"


def _found(request: TransitionRequest) -> VersionId | None:
    return request.found[0] if request.found else None


def _lawful(request: TransitionRequest) -> VersionId | None:
    champion = request.evidence.champion if request.evidence else None
    return champion.version if champion else None


def _grounds(request: TransitionRequest, context: CardContext) -> list[str]:
    """What a vote is based on, with the fast track's record."""
    paragraphs = warnings(request, context)
    if request.people_decide and not request.failed_before:
        paragraphs.append(f"Votes are needed: {in_one_line(request.people_decide)}.")
    if request.comment:
        paragraphs.append(f"Why: {in_one_line(request.comment)}")
    if request.evidence is not None and request.evidence.description:
        paragraphs.append(f"Description: {in_one_line(request.evidence.description)}")
    if request.evidence is not None and request.evidence.cut:
        paragraphs.append(cut_text(request.evidence.cut))
    hidden = left_out(request, context)
    if hidden:
        paragraphs.append(f"{hidden} more metrics are on the run.")
    return [*paragraphs, *judgement_of(request, context, with_the_record=True)]


def judgement_of(request: TransitionRequest, context: CardContext, *, with_the_record: bool = False) -> list[str]:
    """What the fast track found. `with_the_record` adds how often it agreed with people, which changes from day to day."""
    judgement = request.judgement
    if judgement is None or judgement.mode is FastTrackMode.OFF:
        return []
    rule = context.rule.label if context.rule else "that is no longer in the policy"
    said = judgement_text(judgement, rule, request.rule_hash)
    is_shadow = judgement.mode is FastTrackMode.SHADOW
    record = agreement_text(context.agreement) if with_the_record and is_shadow else ""
    return [f"{said} {record}".rstrip()]
