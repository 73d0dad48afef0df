"""Everything about a request that its card leaves out, for the card's thread.

`ticket`, the description of the ticket, says the target and who asked in the words that are here.
"""

from __future__ import annotations

from bot.domain.card.card import Card, Fact, Link, Mention
from bot.domain.card.changes import change_facts, trained_by
from bot.domain.card.context import CardContext
from bot.domain.card.fast_track_sentences import agreement_text, judgement_text
from bot.domain.card.metrics_table import left_out, metric_tables
from bot.domain.card.reasons import comment_of
from bot.domain.card.risk import warnings
from bot.domain.card.titles import short_version
from bot.domain.evidence.caps import cut_text
from bot.domain.model import AskKind, FastTrackMode, Kind, State, TargetKind, TransitionRequest, VersionId
from bot.domain.names import in_one_line
from bot.domain.references import NamedTicket, Relation
from bot.domain.text import target_label, version_name
from bot.language import N_, _, from_record, moment, ngettext, sentences

ASKED = {
    AskKind.ALIAS: N_("by alias {name}"),
    AskKind.TAG: N_("by tag {name}"),
    AskKind.STAGE: N_("by stage {name}"),
    AskKind.NEW_VERSION: N_("by creating the version"),
    AskKind.COMMAND: N_("on the command line"),
    AskKind.API: N_("through the API"),
    AskKind.FORM: N_("with a form"),
    AskKind.OBSERVED: N_("moved without asking"),
    AskKind.ADOPTED: N_("by adopt"),
    AskKind.REOPENED: N_("automatically, because what was compared or checked had changed"),
    AskKind.ROLLBACK: N_("to go back"),
    AskKind.UNDO: N_("to undo what the fast track decided"),
    AskKind.BREAK_GLASS: N_("by breaking the glass"),
}
BY_SOMEONE_THERE = {  # where the registry does not say who asked
    AskKind.ALIAS: N_("alias {name} was set in the registry"),
    AskKind.TAG: N_("tag {name} was set in the registry"),
    AskKind.STAGE: N_("stage {name} was set in the registry"),
    AskKind.NEW_VERSION: N_("the version was created"),
}
BY_SOMEONE = ASKED | BY_SOMEONE_THERE
TARGETS = {
    TargetKind.ALIAS: N_("alias {name}"),
    TargetKind.STAGE: N_("stage {name}"),
    TargetKind.MODEL: N_("model {name}"),
}
RELATED = {
    Relation.SUBTASK: N_("this request's ticket is its sub-task"),
    Relation.LINK: N_("linked to this request's ticket"),
}


def details_card(request: TransitionRequest, context: CardContext, mentions: tuple[Mention, ...] = ()) -> Card:
    """A reply in the card's thread, posted once: lineage, files, parameters, data, and all metrics, as they were frozen.

    `mentions` are those who are to vote and were not called when the card was posted.
    """
    version, target = short_version(request.version), target_label(request)
    title = _("Details: {version} → {target}", version=version, target=target)
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), _("The evidence that the vote is based on.")),
        facts=(*facts_of(request, context), Fact(_("Opened"), moment(request.opened_at))),
        tables=tuple(metric_tables(request, context)),
        paragraphs=tuple(_grounds(request, context)),
        footer=_("Countersign request {id}", id=request.short_id),
        mentions=mentions,
    )


def facts_of(request: TransitionRequest, context: CardContext) -> list[Fact]:
    evidence, version = request.evidence, version_name(request.version)
    facts = [
        Fact(_("Version"), Link(version, evidence.version_url) if evidence else version),
        Fact(_("Target"), holder_of(request)),
        Fact(_("Requested by"), asked(request, context)),
        Fact(_("Trained by"), trained_by(request, context)),
    ]
    if evidence is not None and evidence.run_url and evidence.run_id:
        facts.append(Fact(_("Run"), Link(_("Run {id}", id=evidence.run_id[:8]), evidence.run_url)))
    facts += change_facts(request, context)
    if request.named is not None:
        facts.append(Fact(_("Named ticket"), named_text(request.named, request, context)))
    return facts


def asked_by(request: TransitionRequest, context: CardContext) -> str:
    """The person who asked; of an unknown one, how it was asked."""
    person = context.name(request.requester)
    if request.kind is Kind.OBSERVED and not request.vouched_by:
        return _("unknown; {person} asks to keep it there", person=person) if request.requester else _("unknown")
    if request.vouched_by:
        return _("{person} ({voucher} vouches for the name)", person=person, voucher=_(request.vouched_by))
    if request.requester is not None:
        return person
    return _("unknown (in the registry)") if request.ask.kind in BY_SOMEONE_THERE else _unknown(request)


def asked(request: TransitionRequest, context: CardContext) -> str:
    """The person and the way."""
    if request.requester is None:
        return _unknown(request)
    person, how = context.name(request.requester), _(ASKED[request.ask.kind], name=request.ask.name)
    if request.vouched_by:
        return _(
            "{person}, {how}; {voucher} vouches for the name", person=person, how=how, voucher=_(request.vouched_by)
        )
    if request.kind is Kind.OBSERVED:
        return _("unknown ({how}); {person} asks to keep it there", how=how, person=person)
    return _("{person}, {how}", person=person, how=how)


def _unknown(request: TransitionRequest) -> str:
    return _("unknown ({how})", how=_(BY_SOMEONE[request.ask.kind], name=request.ask.name))


def is_moved_by_hand(request: TransitionRequest) -> bool:
    """Whether what holds the target came there without an approval, so that the comparison is with another version."""
    return _found(request) not in (None, _lawful(request)) and request.kind is not Kind.OBSERVED


def holder_of(request: TransitionRequest) -> str:
    """The target, and what held it when the evidence was frozen."""
    target = _(TARGETS[request.target.kind], name=request.target.name)
    if request.kind is Kind.OBSERVED:
        return _("{target} (before: {holder})", target=target, holder=_named(request.previous))
    found, lawful = _found(request), _lawful(request)
    holder = _named(lawful)
    if is_moved_by_hand(request):
        approved = N_("{found}, which was moved there without an approval; {lawful} was approved before")
        none = N_("{found}, which was moved there without an approval; no version was approved before")
        holder = _(approved if lawful else none, found=_named(found), lawful=holder)
    if request.state is State.APPLIED:
        return _("{target} (before: {holder})", target=target, holder=holder)
    return _("{target} (currently {holder})", target=target, holder=holder)


def _named(version: VersionId | None) -> str:
    return version_name(version) if version else _("unassigned")


def _found(request: TransitionRequest) -> VersionId | None:
    return request.found[0] if request.found else None


def _lawful(request: TransitionRequest) -> VersionId | None:
    champion = request.evidence.champion if request.evidence else None
    return champion.version if champion else None


def named_text(named: NamedTicket, request: TransitionRequest, context: CardContext) -> str:
    """Who named it stands first: anyone who may ask, or may write in the registry, can write any name."""
    named_by = (
        _("by {person} in the request", person=_asker(request, context))
        if named.in_request
        else _("in the version's description, by someone with access to MLflow")
    )
    if named.relation is Relation.NONE:
        related = _("not related to this request's ticket: {why}", why=in_one_line(named.trouble))
    else:
        related = _(RELATED[named.relation])
    said = _("{ticket}, named {where}; {related}", ticket=in_one_line(named.key), where=named_by, related=related)
    if not named.refused:
        return said
    return _("{named}. Not related: {refused}", named=said, refused=in_one_line("; ".join(named.refused)))


def _asker(request: TransitionRequest, context: CardContext) -> str:
    """A request keeps the first comment, which may be of one who joined later: then no name is put to it."""
    if set(request.joined) - {request.requester}:
        return _("one of those who asked")
    return context.name(request.requester) if request.requester else _("someone unknown")


def _grounds(request: TransitionRequest, context: CardContext) -> list[str]:
    """What a vote is based on, with the fast track's record."""
    paragraphs = warnings(request, context)
    if request.people_decide and not request.failed_before:
        paragraphs.append(_("Votes are needed: {why}.", why=from_record(in_one_line(request.people_decide))))
    if request.comment:
        paragraphs.append(_("Why: {reason}", reason=comment_of(request)))
    if request.evidence is not None and request.evidence.description:
        paragraphs.append(_("Description: {text}", text=in_one_line(request.evidence.description)))
    if request.evidence is not None and request.evidence.cut:
        paragraphs.append(cut_text(request.evidence.cut))
    hidden = left_out(request, context)
    if hidden:
        paragraphs.append(
            ngettext("{count} more metric is on the run.", "{count} more metrics are on the run.", hidden)
        )
    return [*paragraphs, *judgement_of(request, context, with_the_record=True)]


def judgement_of(request: TransitionRequest, context: CardContext, *, with_the_record: bool = False) -> list[str]:
    """What the fast track found. `with_the_record` adds how often it agreed with people, which changes from day to day."""
    judgement = request.judgement
    if judgement is None or judgement.mode is FastTrackMode.OFF:
        return []
    said = judgement_text(judgement, context.rule.label if context.rule else "", request.rule_hash)
    is_shadow = judgement.mode is FastTrackMode.SHADOW
    record = agreement_text(context.agreement) if with_the_record and is_shadow else ""
    return [sentences(said, record)]
