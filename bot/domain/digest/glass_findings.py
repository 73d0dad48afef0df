"""The digest's sentences about broken glass: each that was broken in the week, and each whose review is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bot.domain.broken_glass import BrokenGlass
from bot.domain.digest.figures import Finding, FindingKind
from bot.domain.digest.periods import Period
from bot.domain.digest.sentences import local_moment
from bot.domain.model import TransitionRequest
from bot.domain.names import in_one_line
from bot.domain.text import person_name
from bot.language import _, from_record, listed, sentences

Names = Mapping[str, str]


def glass_broken(request: TransitionRequest, at: datetime, names: Names, period: Period) -> Finding | None:
    """As it was when the week ended; None where the record says nothing of it any more."""
    glass = _as_of(request.glass, period.ends)
    if glass is None:
        return None
    said = _(
        "{person} of {group} broke the glass on {when} for {version} → {target}: {reason}.",
        person=person_name(glass.person, names),
        group=glass.group,
        when=local_moment(at, period),
        version=str(request.version),
        target=str(request.target),
        reason=in_one_line(glass.reason).rstrip("."),
    )
    passed = _("In spite of: {what}.", what=listed(from_record(one) for one in glass.passed)) if glass.passed else ""
    return Finding(
        FindingKind.GLASS_BROKEN, sentences(said, passed, _review(glass, names, period)), at, *_where(request)
    )


def review_overdue(request: TransitionRequest, names: Names, period: Period) -> Finding | None:
    """None before its time is up, and once somebody has done it."""
    glass = _as_of(request.glass, period.ends)
    if glass is None or glass.at >= period.ends or not glass.is_overdue(period.ends):
        return None
    said = _(
        "Nobody has reviewed that {person} broke the glass for {version} → {target}; a member of {group} had to by {when}. "
        "Confirm it or roll it back on its card.",
        person=person_name(glass.person, names),
        version=str(request.version),
        target=str(request.target),
        group=glass.reviewers,
        when=local_moment(glass.review_by, period),
    )
    return Finding(FindingKind.GLASS_NOT_REVIEWED, said, glass.review_by, *_where(request))


def _review(glass: BrokenGlass, names: Names, period: Period) -> str:
    if glass.review is None:
        return _("The review is due by {when}.", when=local_moment(glass.review_by, period))
    person = person_name(glass.review.person, names)
    if glass.review.is_confirmed:
        return _("{person} reviewed and confirmed it.", person=person)
    return _("{person} reviewed it and asked for the way back.", person=person)


def _as_of(glass: BrokenGlass | None, ends: datetime) -> BrokenGlass | None:
    if glass is None or glass.review is None or glass.review.at < ends:
        return glass
    return replace(glass, review=None)


def _where(request: TransitionRequest) -> tuple[str, str]:
    return request.version.model, request.card.url if request.card else ""
