"""The review of a broken glass: by somebody else, within a time, and asked for until it is done."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.broken_glass import BrokenGlass
from bot.domain.events import Event, GlassReviewDue, GlassReviewed
from bot.domain.model import ENDED_UNDECIDED, TransitionRequest, Verdict, Vote
from bot.errors import Refused
from bot.language import _

CONFIRM, TAKE_BACK = "glass_confirm", "glass_take_back"
VERDICTS = {CONFIRM: Verdict.APPROVE, TAKE_BACK: Verdict.REJECT}
VIA = "break_glass_review"
AGAIN_AFTER = timedelta(days=1)  # once it is overdue


def wants_review(request: TransitionRequest) -> bool:
    """Until somebody has done it. Not for a deed that brought nothing about."""
    glass = request.glass
    if glass is None or glass.review is not None or glass.held_by:
        return False
    return request.state not in ENDED_UNDECIDED


def review_by(request: TransitionRequest) -> datetime | None:
    """When the review that is still wanted is due."""
    return request.glass.review_by if request.glass is not None and wants_review(request) else None


def check_may_review(request: TransitionRequest, said: Vote) -> BrokenGlass:
    """Raises Refused with the sentence that the person sees."""
    glass = request.glass
    if glass is None:
        raise Refused(_("nobody broke the glass here, so there is nothing to review"))
    if glass.review is not None:
        raise Refused(_("this was reviewed already, on {when}. Your click changed nothing", when=glass.review.at))
    if not wants_review(request):
        raise Refused(_("this break glass brought nothing about, so there is nothing to review"))
    if said.ids & (glass.ids | request.parties):
        raise Refused(_("you broke the glass, asked for the version or trained it, so somebody else must review this"))
    if glass.reviewers not in said.groups:
        raise Refused(only_members(glass.reviewers))
    return glass


def only_members(group: str) -> str:
    return _("only members of {group} may review this. Ask one of them", group=group)


def review(request: TransitionRequest, said: Vote, at: datetime) -> list[Event]:
    """To reject takes a reason: the version is then rolled back."""
    check_may_review(request, said)
    if said.verdict is Verdict.REJECT and not said.reason.strip():
        raise Refused(_("say in a sentence why it must go back"))
    return [GlassReviewed(at, request.id, said)]


def next_reminder(request: TransitionRequest) -> datetime | None:
    """At half of the time, at its end, and then every day; None when no review is wanted."""
    glass = request.glass
    if glass is None or not wants_review(request):
        return None
    if glass.reminders == 0:
        return glass.at + (glass.review_by - glass.at) / 2
    last = glass.reminded_at or glass.review_by
    return glass.review_by if last < glass.review_by else last + AGAIN_AFTER


def remind(request: TransitionRequest, at: datetime) -> list[Event]:
    due = next_reminder(request)
    if request.glass is None or due is None or at < due:
        return []
    return [GlassReviewDue(at, request.id, request.glass.reminders + 1, request.glass.is_overdue(at))]
