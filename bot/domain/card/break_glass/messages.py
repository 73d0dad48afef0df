"""The messages about a broken glass, and the question of the form that breaks it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.card.break_glass.sentences import broken_text, held_text, passed_text, review_text
from bot.domain.card.card import Called, Card, Fact, Link, Mark, Mention
from bot.domain.card.context import CardContext, name_or_someone
from bot.domain.grounds import HOW
from bot.domain.model import TransitionRequest, VersionId
from bot.domain.names import in_one_line
from bot.domain.policy.rules import Group, Rule
from bot.domain.text import exact_duration, target_label, version_name
from bot.language import _, from_record, moment, sentences

REJECTIONS_SHOWN = 5


def alarm_card(request: TransitionRequest, context: CardContext, reviewers: Group | None) -> Card:
    """For the channel, as a message of its own, which calls those who must review it."""
    title = _("The glass was broken: {version} → {target}", **_names(request))
    glass = request.glass
    said = broken_text(glass, request, context) if glass else ""
    texts = (said, passed_text(glass) if glass else "", review_text(request, context))
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), said),
        mark=Mark.REFUSED,
        facts=tuple(_link(request)),
        paragraphs=tuple(text for text in texts if text),
        mentions=_called(reviewers),
        waits_for=_("To be reviewed by:"),
        footer=_("Countersign request {id}", id=request.short_id),
    )


def held_card(request: TransitionRequest, context: CardContext) -> Card:
    """For the thread of the alarm, and for who broke the glass: it decided nothing."""
    glass = request.glass
    title = _("The broken glass decided nothing: {version} → {target}", **_names(request))
    texts = (held_text(glass, request), broken_text(glass, request, context)) if glass else ("", "")
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), texts[0]),
        mark=Mark.CARE,
        facts=tuple(_link(request)),
        paragraphs=tuple(text for text in texts if text),
        footer=_("Countersign request {id}", id=request.short_id),
    )


def review_reminder_card(request: TransitionRequest, context: CardContext, reviewers: Group | None) -> Card:
    """In the card's thread, and directly once it is overdue."""
    glass = request.glass
    is_overdue = glass is not None and glass.reminded_at is not None and glass.is_overdue(glass.reminded_at)
    title = (
        _("Overdue: the review of a broken glass, {version} → {target}", **_names(request))
        if is_overdue
        else _("A broken glass waits for its review: {version} → {target}", **_names(request))
    )
    texts = (review_text(request, context), broken_text(glass, request, context) if glass else "")
    deadline = [Fact(_("Review by"), moment(glass.review_by))] if glass else []
    return Card(
        title=title,
        summary=sentences(_("{said}.", said=title), texts[0]),
        mark=Mark.CARE,
        facts=(*_link(request), *deadline),
        paragraphs=tuple(text for text in texts if text),
        mentions=_called(reviewers),
        waits_for=_("To be reviewed by:"),
    )


def glass_question(request: TransitionRequest, rule: Rule, holder: VersionId | None, names: Mapping[str, str]) -> str:
    """What will happen, in spite of what, and the question why. `request` is as it would be opened; `holder` has the target now."""
    may = rule.break_glass
    before = _("in place of v{version}", version=str(holder.version)) if holder else _("which nobody holds")
    happens = _(
        "{version} goes to {target} at once ({before}), without votes, and a freeze does not hold it.",
        before=before,
        **_names(request),
    )
    everyone = _("The channel, the ticket, the ledger and the digest say that you did it, and why.")
    reviewed = (
        _(
            "A member of {group} who is not you must review it within {time}, and may roll it back.",
            group=may.reviewers,
            time=exact_duration(may.review_within),
        )
        if may
        else ""
    )
    return sentences(happens, *_rejections(request, names), everyone, reviewed, _("Why can it not wait for the votes?"))


def _rejections(request: TransitionRequest, names: Mapping[str, str]) -> list[str]:
    said: list[str] = [
        _(
            "Take care: {version} has the same content and was {how} by {person}: {reason}.",
            version=one.version,
            how=from_record(HOW[one.how]),
            person=name_or_someone(names, one.person),
            reason=in_one_line(one.reason).rstrip(".")[:200],
        )
        for one in request.objections[:REJECTIONS_SHOWN]
    ]
    if len(request.objections) > REJECTIONS_SHOWN:
        said.append(_("There are {count} more rejections.", count=len(request.objections) - REJECTIONS_SHOWN))
    if request.failed_before:
        said.append(
            _("Take care: this version was {failed}.", failed=from_record(in_one_line(request.failed_before)[:300]))
        )
    return said


def _called(group: Group | None) -> tuple[Mention, ...]:
    if group is None:
        return ()
    if group.slack_group is not None:
        return (Mention(Called.GROUP, group.slack_group, group.name),)
    return tuple(Mention(Called.PERSON, email, email) for email in group.people)


def _link(request: TransitionRequest) -> list[Fact]:
    return [Fact(_("Card"), Link(_("Open the card"), request.card.url))] if request.card else []


def _names(request: TransitionRequest) -> dict[str, str]:
    return {"version": version_name(request.version), "target": target_label(request)}
