"""The card of a request in every state: what is asked, why and how risky. The rest is in `details`, for the card's thread.

The metrics are in `metrics_table`, the risk in `risk`, the sentences in `sentences` and `needs`.
"""

from __future__ import annotations

from datetime import timedelta

from bot.domain.break_glass.offer import OPENS_FORM
from bot.domain.card.break_glass.sentences import glass_paragraphs, review_buttons
from bot.domain.card.card import Button, Called, Card, Confirm, Fact, Link, Mention, Tone
from bot.domain.card.changes import trained_by
from bot.domain.card.conversation.sentences import conversation_lines, decide_by
from bot.domain.card.details import asked_by, holder_of, is_moved_by_hand, judgement_of, named_text
from bot.domain.card.metrics_table import deciding_tables
from bot.domain.card.needs import called_for, is_blocked, may_be_approved, may_stand_in, what_is_missing
from bot.domain.card.next_steps import next_step
from bot.domain.card.outcomes import replaced_by, sealed_text, what_approve_does, what_reject_does
from bot.domain.card.reasons import NOT_GIVEN, reason_of
from bot.domain.card.risk import approval_text, other_risks, risk_of, warnings
from bot.domain.card.sentences import (
    CardContext,
    button_labels,
    status_sentence,
    vote_words,
)
from bot.domain.card.ticket import ticket_card as ticket_card
from bot.domain.card.titles import headline, mark_of, short_version
from bot.domain.conversation.reassignment import in_charge
from bot.domain.model import DecidedBy, Kind, RefusedVote, State, TransitionRequest, Verdict
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Group
from bot.domain.request.lifecycle import wants_reason
from bot.domain.request.opening import waits_since
from bot.domain.request.quorum import ANYONE, groups_with_a_say
from bot.domain.request.shown import vote_value
from bot.domain.text import target_label, version_name
from bot.language import N_, Value, _, from_record, listed, ngettext, sentences

CALL_OFF = "call_off"


def request_card(request: TransitionRequest, context: CardContext, walk_back: str = "", *, calls: bool = False) -> Card:
    """`walk_back` is a link to the version's page; empty when there is none. `calls`: those whose votes are missing are mentioned."""
    title = _title(request, context)
    called = mentions_of(request, context) if calls and request.state is State.PENDING and not context.unread else ()
    is_said = bool(called and called_for(request, context))
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), _summary(request, context)),
        mark=mark_of(request, context),
        lead=risk_of(request, context) if request.state is State.PENDING else None,
        facts=tuple(_facts(request, context)),
        tables=tuple(deciding_tables(request, context)),
        paragraphs=(*_paragraphs(request, context), *([] if is_said else [status_sentence(request, context)])),
        links=tuple(_links(request, context, walk_back)),
        buttons=_buttons(request, context),
        footer=_("Countersign request {id}", id=request.short_id),
        mentions=called,
        waits_for=_waits_for(request, context) if called else "",
    )


def outcome_card(request: TransitionRequest, context: CardContext) -> Card:
    """The direct message to the requester."""
    title = _title(request, context)
    facts = [Fact(_("Ticket"), Link(request.ticket.key, request.ticket.url))] if request.ticket else []
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), status_sentence(request, context)),
        facts=(*facts, *_link_to_the_card(request)),
        paragraphs=(
            *judgement_of(request, context),
            *(vote_words(vote, request, context) for vote in request.votes),
            status_sentence(request, context),
            next_step(request),
        ),
    )


def reminder_card(
    request: TransitionRequest, context: CardContext, mentions: tuple[Mention, ...] | None = None
) -> Card:
    """Posted in the card's thread while the request waits; notifies `mentions`, or else all who can decide and have not."""
    title = _("Still waiting: {version} → {target}", **_names(request))
    waits = _waiting_since(request)
    said = [waits, status_sentence(request, context)] if waits else [status_sentence(request, context)]
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), *said),
        facts=(*_link_to_the_card(request), *decide_by(request)),
        paragraphs=tuple(said),
        mentions=mentions_of(request, context) if mentions is None else mentions,
    )


def refused_vote_card(request: TransitionRequest, refused: RefusedVote, context: CardContext) -> Card:
    """Posted in the card's thread for a vote on record that nothing proves."""
    title = _("A vote was refused: {version} → {target}", **_names(request))
    said = refused_vote_text(refused, context)
    advice = _(
        "If that person pressed the button, press it again on the newest card. If not, somebody else wrote this vote: "
        "tell your administrators, and run countersign audit verify."
    )
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), said),
        facts=tuple(_link_to_the_card(request)),
        paragraphs=(said, advice),
    )


def refused_vote_text(refused: RefusedVote, context: CardContext) -> str:
    return _(
        "The vote on record by {person} of {when} does not count and was not signed: {why}.",
        person=context.name(refused.person),
        when=refused.cast_at,
        why=from_record(in_one_line(refused.reason).rstrip(".")),
    )


def first_reminded(request: TransitionRequest, context: CardContext) -> tuple[Mention, ...]:
    """To whom it was handed: the first reminder after that is theirs alone, unless it was escalated since."""
    handover = in_charge(request)
    if handover is None or context.in_charge is None or request.reminders > handover.reminders + 1:
        return ()
    is_escalated = request.escalated_at is not None and request.escalated_at >= handover.at
    return () if is_escalated else (context.in_charge,)


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
    called = [mention for group in context.groups if group.name in named for mention in _members(group, context)]
    return tuple(dict.fromkeys(called))


def _waits_for(request: TransitionRequest, context: CardContext) -> str:
    """The words before those who are called."""
    if is_blocked(request, context):
        return _("Waiting for a decision of:")
    return called_for(request, context)


def _members(group: Group, context: CardContext) -> list[Mention]:
    """Never a party of the request by name: they may not vote."""
    if group.slack_group is not None:
        return [Mention(Called.GROUP, group.slack_group, group.name)]
    return [Mention(Called.PERSON, email, email) for email in group.people if email.lower() not in context.addresses]


def _title(request: TransitionRequest, context: CardContext) -> str:
    return headline(request, context)


def _summary(request: TransitionRequest, context: CardContext) -> str:
    """What a notification shows: the risk first, then what is needed or what happened."""
    risk = risk_of(request, context) if request.state is State.PENDING else None
    said = status_sentence(request, context)
    return sentences(_("{said}.", said=risk.text.rstrip(".")), said) if risk else said


def _waiting_since(request: TransitionRequest) -> str:
    """Measured from when the reminder was due, so that a late one says the same."""
    moments = [at for at in (request.reminded_at, request.escalated_at) if at is not None]
    since = waits_since(request)
    if since is None:
        return ""
    if not moments:
        return _("It has waited since {since}.", since=since)
    return _("It has waited since {since}, {duration}.", since=since, duration=_duration(max(moments) - since))


def _duration(length: timedelta) -> str:
    """In the two largest units that are not zero."""
    minutes = max(int(length.total_seconds()), 0) // 60
    parts = [
        ngettext("{count} day", "{count} days", minutes // 1440) if minutes >= 1440 else "",
        ngettext("{count} hour", "{count} hours", minutes // 60 % 24) if minutes // 60 % 24 else "",
        ngettext("{count} minute", "{count} minutes", minutes % 60) if minutes % 60 else "",
    ]
    return listed([part for part in parts if part][:2]) or _("less than a minute")


def _link_to_the_card(request: TransitionRequest) -> list[Fact]:
    return [Fact(_("Card"), Link(_("Open the card"), request.card.url))] if request.card else []


def _facts(request: TransitionRequest, context: CardContext) -> list[Fact]:
    facts = [
        Fact(_("Moved by") if request.kind is Kind.OBSERVED else _("Requested by"), asked_by(request, context)),
        Fact(_("Trained by"), trained_by(request, context)),
    ]
    if request.kind is not Kind.ROLLBACK or request.state is not State.PENDING or not request.comment:
        facts.append(Fact(_("Why"), reason_of(request) or _(NOT_GIVEN)))  # of an open rollback it leads
    if is_moved_by_hand(request):
        facts.append(Fact(_("Target"), holder_of(request)))
    if request.named is not None:
        facts.append(Fact(_("Named ticket"), named_text(request.named, request, context)))
    return [*facts, *(decide_by(request) if request.state.is_open else [])]


def _links(request: TransitionRequest, context: CardContext, walk_back: str) -> list[Link]:
    """The ticket, the records, and the cards of the requests before and after this one."""
    evidence, ticket = request.evidence, request.ticket
    links = [
        Link(ticket.key, ticket.url) if ticket else None,
        Link(_("Full record of this version"), walk_back) if walk_back else None,
        Link(_("In the registry"), evidence.version_url) if evidence and evidence.version_url else None,
        Link(_("The earlier card"), context.earlier.url) if context.earlier else None,
        Link(_("The new card"), context.later.url) if context.later else None,
    ]
    return [link for link in links if link is not None]


def _paragraphs(request: TransitionRequest, context: CardContext) -> list[str]:
    votes = [vote_words(vote, request, context) for vote in request.votes]
    votes += [refused_vote_text(refused, context) for refused in request.refused_votes]
    return [
        *glass_paragraphs(request, context),
        *_risks(request, context),
        *_why_people(request),
        *(judgement_of(request, context) if request.decided_by is DecidedBy.FAST_TRACK else []),
        *votes,
        *conversation_lines(request, context),
        *_what_happens(request, context),
        *filter(None, (sealed_text(request),)),
    ]


def _risks(request: TransitionRequest, context: CardContext) -> list[str]:
    """Warnings stay on the card to the end; while votes are open the heaviest is the lead."""
    return other_risks(request, context) if request.state is State.PENDING else warnings(request, context)


def _why_people(request: TransitionRequest) -> list[str]:
    if not request.people_decide or request.failed_before:
        return []
    return [_("Votes are needed: {why}.", why=from_record(in_one_line(request.people_decide)))]


def _what_happens(request: TransitionRequest, context: CardContext) -> list[str]:
    """Not what the title says already."""
    if request.state is not State.PENDING or context.rule is None:
        return []
    if request.kind is Kind.OBSERVED:
        return [_what_becomes_of_it(request, context)]
    is_in_title = request.kind is Kind.ROLLBACK or replaced_by(request) is not None
    if is_in_title or not may_be_approved(request, context):
        return []
    return [_("If approved: {what}", what=what_approve_does(request))]


def _what_becomes_of_it(request: TransitionRequest, context: CardContext) -> str:
    """Of a move by hand: what each button does, and what happens without a decision."""
    ratified = _("If ratified: {what}", what=what_approve_does(request))
    rejected = N_("If rejected: {what}") if request.is_adopted else N_("If put back: {what}")
    left = _("Without a decision it stays, without an approval.")
    return sentences(
        ratified if may_be_approved(request, context) else "",
        _(rejected, what=what_reject_does(request)),
        left,
    )


def _buttons(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    if context.rule is None:
        return ()
    reviews = review_buttons(request)
    if request.state is State.APPLIED:
        return reviews or _way_back(request, context)
    if request.state is not State.PENDING and request.state is not State.APPROVED:
        return reviews
    if request.state is State.APPROVED:
        return (
            *reviews,
            Button(CALL_OFF, _("Call off"), request.id, Tone.DANGER),
        )  # a form asks why, and confirms as well
    value = vote_value(request, context.rule_hash)
    return (*_votes(request, context, value), *_other_answers(value), *_glass(request, context))


def _glass(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    """Opens a form that says what will happen and asks why."""
    if context.rule is None or context.rule.break_glass is None or request.kind is Kind.OBSERVED:
        return ()
    return (Button(OPENS_FORM, _("Break the glass"), request.id),)


def _way_back(request: TransitionRequest, context: CardContext) -> tuple[Button, ...]:
    """Opens a form that asks for a reason, which is also the confirmation."""
    if request.kind is Kind.OBSERVED or context.back_to is None:
        return ()
    number = f"v{context.back_to.version}"
    back = _("Roll back to {version}", version=number)
    return (Button("roll_back", _("Undo") if context.may_undo else back, request.id, Tone.DANGER),)


def _votes(request: TransitionRequest, context: CardContext, value: str) -> tuple[Button, ...]:
    approve, reject = button_labels(request)
    yes = _confirm(request, Verdict.APPROVE, approve, "", context)
    no = _confirm(request, Verdict.REJECT, reject, what_reject_does(request), context)
    rejects = Button("reject", reject, value, Tone.DANGER, no)
    if not may_be_approved(request, context):
        return (rejects,)
    return (Button("approve", approve, value, Tone.PRIMARY, yes), rejects)


def _other_answers(value: str) -> tuple[Button, ...]:
    """Neither decides anything. Handing over is rarer, so it is in the menu."""
    return Button("ask", _("Ask"), value), Button("reassign", _("Hand over"), value, in_menu=True)


def _confirm(
    request: TransitionRequest, verdict: Verdict, label: str, happens: str, context: CardContext
) -> Confirm | None:
    """Repeats the risk of an approval. None when a reason is required, because the form for the reason is also the confirmation."""
    if context.rule is None or wants_reason(request, verdict, context.rule):
        return None
    version = short_version(request.version)
    if verdict is Verdict.REJECT:
        return Confirm(_("{reject} {version}?", reject=label, version=version), happens, label, _("Cancel"))
    asks = _("{approve} {version} for {target}?", approve=label, version=version, target=target_label(request))
    return Confirm(asks, approval_text(request, context), label, _("Cancel"))


def _names(request: TransitionRequest) -> dict[str, Value]:
    return {"version": version_name(request.version), "target": target_label(request)}
