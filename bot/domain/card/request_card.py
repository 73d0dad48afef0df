"""The card of a request in every state. The ticket's description is in `ticket`.

The metrics are in `metrics_table`, the changes in `changes`, the sentences in `sentences`.
"""

from __future__ import annotations

from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Link, Mention, Tone
from bot.domain.card.changes import change_facts, trained_by
from bot.domain.card.fast_track_sentences import agreement_text, judgement_text
from bot.domain.card.metrics_table import left_out, metric_tables
from bot.domain.card.named_ticket import named_text
from bot.domain.card.next_steps import next_step
from bot.domain.card.sentences import (
    CardContext,
    button_labels,
    may_stand_in,
    status_sentence,
    title_of,
    vote_line,
    what_approve_does,
    what_is_missing,
    what_reject_does,
)
from bot.domain.card.ticket import ticket_card as ticket_card
from bot.domain.evidence.caps import cut_text
from bot.domain.evidence.lineage import in_the_way
from bot.domain.grounds import objection_text
from bot.domain.model import FastTrackMode, Kind, RefusedVote, State, TransitionRequest, Verdict
from bot.domain.policy.rules import Group
from bot.domain.request.lifecycle import wants_reason
from bot.domain.request.opening import waits_since
from bot.domain.request.quorum import ANYONE, groups_with_a_say
from bot.domain.request.shown import vote_value
from bot.domain.text import IN_PROSE, duration_text, format_utc, target_label


def request_card(request: TransitionRequest, context: CardContext, walk_back: str = "") -> Card:
    """`walk_back` is a link to the version's page; empty when there is none."""
    title = _title(request, context)
    return Card(
        title=title,
        summary=f"{title}. {status_sentence(request, context)}",
        facts=(*_facts(request, context), *_other_cards(context), *_walk_back(walk_back)),
        tables=tuple(metric_tables(request, context)),
        paragraphs=tuple(_paragraphs(request, context)),
        buttons=_buttons(request, context),
        footer=_footer(request),
        image=request.plot,
    )


def outcome_card(request: TransitionRequest, context: CardContext) -> Card:
    """The direct message to the requester."""
    title = _title(request, context)
    facts = [Fact("Ticket", Link(request.ticket.key, request.ticket.url))] if request.ticket else []
    return Card(
        title=title,
        summary=f"{title}. {status_sentence(request, context)}",
        facts=(*facts, *_link_to_the_card(request)),
        paragraphs=(
            *_judgement(request, context),
            *(vote_line(vote, request, context) for vote in request.votes),
            status_sentence(request, context),
            next_step(request),
        ),
    )


def reminder_card(request: TransitionRequest, context: CardContext) -> Card:
    """Posted in the card's thread while the request waits; notifies those who can decide and have not."""
    title = f"Still waiting: {request.version} → {target_label(request)}"
    waits = _waiting_since(request)
    deadline = [Fact("Decide by", format_utc(request.expires_at))] if request.expires_at else []
    said = [waits, status_sentence(request, context)] if waits else [status_sentence(request, context)]
    return Card(
        title=title,
        summary=f"{title}. {' '.join(said)}",
        facts=(*_link_to_the_card(request), *deadline),
        paragraphs=tuple(said),
        mentions=mentions_of(request, context),
    )


def refused_vote_card(request: TransitionRequest, refused: RefusedVote, context: CardContext) -> Card:
    """Posted in the card's thread for a vote on record that nothing proves."""
    title = f"A vote was refused: {request.version} → {target_label(request)}"
    said = refused_vote_text(refused, context)
    advice = (
        "If that person pressed the button, press it again on the newest card. If not, somebody else wrote this vote: "
        "tell your administrators, and run countersign audit verify."
    )
    return Card(
        title=title, summary=f"{title}. {said}", facts=tuple(_link_to_the_card(request)), paragraphs=(said, advice)
    )


def refused_vote_text(refused: RefusedVote, context: CardContext) -> str:
    who, when = context.name(refused.person), format_utc(refused.cast_at)
    return f"The vote on record by {who} of {when} does not count and was not signed: {refused.reason.rstrip('.')}."


def mentions_of(request: TransitionRequest, context: CardContext) -> tuple[Mention, ...]:
    """The groups whose votes are missing and, after the escalation, the group that may vote for them."""
    missing = what_is_missing(request, context)
    if context.rule is None:
        return ()
    named = (
        [*missing, context.rule.escalate.group] if may_stand_in(request, context) and context.rule.escalate else missing
    )
    if ANYONE in missing or not missing:  # one more vote by any approver decides
        named = groups_with_a_say(request, context.rule)
    called = [mention for group in context.groups if group.name in named for mention in _members(group)]
    return tuple(dict.fromkeys(called))


def _members(group: Group) -> list[Mention]:
    if group.slack_group is not None:
        return [Mention(Called.GROUP, group.slack_group, group.name)]
    return [Mention(Called.PERSON, email, email) for email in group.people]


def _title(request: TransitionRequest, context: CardContext) -> str:
    return f"{title_of(request, is_rolled_back=bool(context.rolled_back))}: {request.version} → {target_label(request)}"


def _waiting_since(request: TransitionRequest) -> str:
    """Measured from when the reminder was due, so that a late one says the same."""
    moments = [at for at in (request.reminded_at, request.escalated_at) if at is not None]
    since = waits_since(request)
    if since is None:
        return ""
    so_far = f", {duration_text(max(moments) - since, IN_PROSE)}" if moments else ""
    return f"It has waited since {format_utc(since)}{so_far}."


def _link_to_the_card(request: TransitionRequest) -> list[Fact]:
    return [Fact("Card", Link("Open the card", request.card.url))] if request.card else []


def _facts(request: TransitionRequest, context: CardContext) -> list[Fact]:
    evidence = request.evidence
    facts = [
        Fact("Version", Link(str(request.version), evidence.version_url) if evidence else str(request.version)),
        Fact("Target", f"{request.target}, held by {_holder(request)}"),
        Fact("Asked", _asked(request, context)),
        Fact("Trained by", trained_by(request, context)),
    ]
    if evidence is not None and evidence.run_url and evidence.run_id:
        facts.append(Fact("Run", Link(f"Run {evidence.run_id[:8]}", evidence.run_url)))
    facts += change_facts(request, context)
    if request.ticket is not None:
        facts.append(Fact("Ticket", Link(request.ticket.key, request.ticket.url)))
    elif context.rule is not None and context.rule.ticket is not None:
        facts.append(Fact("Ticket", "being opened"))
    if request.named is not None:
        facts.append(Fact("Named ticket", named_text(request.named, request, context)))
    if request.state.is_open and request.expires_at is not None:
        facts.append(Fact("Decide by", format_utc(request.expires_at)))
    return facts


def _other_cards(context: CardContext) -> list[Fact]:
    """Links between the card of a request and that of the one that took its place."""
    earlier = [Fact("Before", Link("The earlier card", context.earlier.url))] if context.earlier else []
    return [*earlier, *([Fact("Goes on", Link("The new card", context.later.url))] if context.later else [])]


def _walk_back(url: str) -> list[Fact]:
    return [Fact("Walk back", Link("Where it comes from, and who decided", url))] if url else []


def _asked(request: TransitionRequest, context: CardContext) -> str:
    if request.requester is not None and request.kind is Kind.OBSERVED:
        return f"{request.ask}; {context.name(request.requester)} asks to keep it there"
    if request.requester is not None:
        return f"{request.ask}, by {context.name(request.requester)}"
    return f"{request.ask}; the registry does not say by whom"


def _holder(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED:
        return f"{request.previous} before" if request.previous else "nobody before"
    champion = request.evidence.champion if request.evidence else None
    before = " before" if request.state is State.APPLIED else ""
    lawful = champion.version if champion else None
    found = request.found[0] if request.found else None
    if found is not None and found != lawful:
        approved = f"{lawful} was approved before" if lawful else "nobody was approved before"
        return f"{found}{before}, which was moved there without an approval; {approved}"
    return f"{lawful or 'nobody'}{before}"


def _footer(request: TransitionRequest) -> str:
    return f"Countersign request {request.short_id} · opened {format_utc(request.opened_at)}"


def _paragraphs(request: TransitionRequest, context: CardContext) -> list[str]:
    votes = [vote_line(vote, request, context) for vote in request.votes]
    votes += [refused_vote_text(refused, context) for refused in request.refused_votes]
    grounds = _grounds(request, context, with_the_record=True)
    return [*grounds, *votes, *_what_happens(request, context), status_sentence(request, context)]


def _grounds(request: TransitionRequest, context: CardContext, *, with_the_record: bool = False) -> list[str]:
    """What a vote is based on. The ticket omits the fast track's record, which changes from day to day."""
    paragraphs = []
    if context.stranger:
        paragraphs.append(
            f"Careful: {context.stranger} asked for this, and neither the policy nor Slack knows that address."
        )
    if request.failed_before:
        paragraphs.append(f"Careful: {request.version} was {request.failed_before.rstrip('.')}.")
    said = (objection_text(objection, context.name(objection.person)) for objection in request.objections)
    paragraphs.extend(f"Careful, the same content: {sentence}." for sentence in said)
    outside = request.evidence.outside if request.evidence else ()
    if outside:
        paragraphs.append(
            f"Careful, the gate denies this version: it runs files that are not its own. {'; '.join(outside)}."
        )
    if request.people_decide and not request.failed_before:
        paragraphs.append(f"Votes are needed: {request.people_decide}.")
    why = request.comment or (request.evidence.description if request.evidence else "")
    if why:
        paragraphs.append(f"Why: {why}")
    if request.evidence is not None and request.evidence.cut:
        paragraphs.append(cut_text(request.evidence.cut))
    hidden = left_out(request, context)
    if hidden:
        paragraphs.append(f"{hidden} more metrics are on the run.")
    return [*paragraphs, *_judgement(request, context, with_the_record=with_the_record)]


def _judgement(request: TransitionRequest, context: CardContext, *, with_the_record: bool = False) -> list[str]:
    judgement = request.judgement
    if judgement is None or judgement.mode is FastTrackMode.OFF:
        return []
    rule = context.rule.label if context.rule else "that is no longer in the policy"
    said = judgement_text(judgement, rule, request.rule_hash)
    is_shadow = judgement.mode is FastTrackMode.SHADOW
    record = agreement_text(context.agreement) if with_the_record and is_shadow else ""
    return [f"{said} {record}".rstrip()]


def _what_happens(request: TransitionRequest, context: CardContext) -> list[str]:
    if request.state is not State.PENDING or context.rule is None or in_the_way(request, context.rule):
        return []
    label = button_labels(request)[0].lower()
    happens = f"What happens on {label}: {what_approve_does(request)}"
    if context.freeze is None:
        return [happens]
    until = f"is on until {format_utc(context.freeze.until)}: an approval is applied after it."
    return [f"{happens} A freeze ({context.freeze.name}) {until}"]


def _buttons(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    if context.rule is None:
        return ()
    if request.state is State.APPLIED:
        return _way_back(request, context)
    if request.state is State.APPROVED:
        return (Button("call_off", "Call off", request.id, Tone.DANGER),)  # a form asks why, and confirms as well
    return _votes(request, context) if request.state is State.PENDING else ()


def _way_back(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    """Opens a form that asks for a reason, which is also the confirmation."""
    if request.kind is Kind.OBSERVED or not context.may_go_back:
        return ()
    return (Button("roll_back", "Undo" if context.may_undo else "Roll back", request.id, Tone.DANGER),)


def _votes(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    approve, reject = button_labels(request)
    yes = _confirm(request, Verdict.APPROVE, approve, what_approve_does(request), context)
    no = _confirm(request, Verdict.REJECT, reject, what_reject_does(request), context)
    rejects = Button("reject", reject, vote_value(request, context.rule_hash), Tone.DANGER, no)
    if context.rule is not None and in_the_way(request, context.rule):
        return (rejects,)
    return (Button("approve", approve, vote_value(request, context.rule_hash), Tone.PRIMARY, yes), rejects)


def _confirm(
    request: TransitionRequest, verdict: Verdict, label: str, happens: str, context: CardContext
) -> Confirm | None:
    """None when a reason is required, because the form for the reason is also the confirmation."""
    if context.rule is None or wants_reason(request, verdict, context.rule):
        return None
    return Confirm(f"{label}?", happens, label, "Not yet")
