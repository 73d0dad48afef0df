"""The title of a request in every state: of its card, its messages, and where its decisions are listed."""

from __future__ import annotations

from bot.domain.break_glass.reviewing import wants_review
from bot.domain.card.break_glass.sentences import TITLES as GLASS_TITLES
from bot.domain.card.card import Mark
from bot.domain.card.context import CardContext
from bot.domain.card.needs import is_blocked, may_be_approved
from bot.domain.card.outcomes import replaced_by
from bot.domain.model import DecidedBy, Kind, State, TransitionRequest, VersionId
from bot.domain.text import target_label, version_name
from bot.language import N_, _, pgettext

TITLES = {
    State.COLLECTING: N_("Collecting evidence"),
    State.PENDING: N_("Approval needed"),
    State.APPROVED: N_("Approved, waiting for the registry"),
    State.APPLIED: N_("Approved"),
    State.REJECTED: N_("Rejected"),
    State.EXPIRED: N_("Expired"),
    State.WITHDRAWN: N_("Withdrawn"),
    State.SUPERSEDED: N_("Superseded"),
    State.STALE: N_("Approved, but not applied"),
    State.CALLED_OFF: N_("Approved, and called off"),
}
OBSERVED_TITLES = {
    State.COLLECTING: N_("Moved without an approval"),
    State.PENDING: N_("Moved without an approval"),
    State.APPROVED: N_("Ratified, waiting for the registry"),
    State.APPLIED: N_("Ratified"),
    State.REJECTED: N_("To be put back"),
    State.STALE: N_("Ratified, but no longer there"),
    State.CALLED_OFF: N_("Ratified, and called off"),
}
ROLLBACK_TITLES = {
    State.PENDING: N_("Rollback requested"),
    State.APPROVED: N_("Rollback approved, waiting for the registry"),
    State.APPLIED: N_("Restored by a rollback"),
    State.REJECTED: N_("Rollback rejected"),
    State.STALE: N_("Rollback approved, but not applied"),
    State.CALLED_OFF: N_("Rollback approved, and called off"),
}
FAST_TRACK_TITLES = {
    State.APPROVED: N_("Approved by the fast track, waiting for the registry"),
    State.APPLIED: N_("Approved by the fast track"),
    State.STALE: N_("Approved by the fast track, but not applied"),
    State.CALLED_OFF: N_("Approved by the fast track, and called off"),
}
KIND_TITLES = {Kind.PROMOTION: TITLES, Kind.OBSERVED: TITLES | OBSERVED_TITLES, Kind.ROLLBACK: TITLES | ROLLBACK_TITLES}

MARKS = {
    State.COLLECTING: Mark.PREPARING,
    State.PENDING: Mark.OPEN,
    State.APPROVED: Mark.UNDER_WAY,
    State.APPLIED: Mark.DONE,
    State.REJECTED: Mark.REFUSED,
    State.STALE: Mark.CARE,
}
FROZEN_TITLES = {
    N_("Approved, waiting for the registry"): N_("Approved, waiting for the freeze to end"),
    N_("Ratified, waiting for the registry"): N_("Ratified, waiting for the freeze to end"),
    N_("Rollback approved, waiting for the registry"): N_("Rollback approved, waiting for the freeze to end"),
    N_("Approved by the fast track, waiting for the registry"): N_(
        "Approved by the fast track, waiting for the freeze to end"
    ),
}
ROLLED_BACK_TITLES = {
    N_("Approved"): N_("Approved, and rolled back since"),
    N_("Ratified"): N_("Ratified, and rolled back since"),
    N_("Restored by a rollback"): N_("Restored by a rollback, and rolled back since"),
    N_("Approved by the fast track"): N_("Approved by the fast track, and rolled back since"),
    N_("Promoted by breaking the glass"): N_("Promoted by breaking the glass, and rolled back since"),
}
PUT_BACK = "Put back"
NAME_SHOWN = 60  # characters of a model's name, and of a target's, in a title


def headline(request: TransitionRequest, context: CardContext) -> str:
    """The status, the version and the target. Of a long name the beginning and the end are there, so the version's number is."""
    title = title_of(request, is_rolled_back=bool(context.rolled_back))
    version, target = short_version(request.version), _middle_out(target_label(request))
    if request.state is not State.PENDING:
        return _("{title}: {version} → {target}", title=title, version=version, target=target)
    if request.kind is not Kind.OBSERVED and not may_be_approved(request, context):
        title = _("Cannot be approved") if is_blocked(request, context) else _("Cannot be approved now")
    elif request.kind is Kind.PROMOTION:
        before = replaced_by(request)
        if before is not None:
            held = f"v{before.version}"
            return _(
                "{title}: promote {version} to {target} (replaces {before})",
                title=title,
                version=version,
                target=target,
                before=held,
            )
        return _("{title}: promote {version} to {target}", title=title, version=version, target=target)
    elif request.kind is Kind.ROLLBACK and request.away_from is not None:
        away = f"v{request.away_from.version}"
        return _(
            "{title}: {target} from {away} back to {version}", title=title, target=target, away=away, version=version
        )
    return _("{title}: {version} → {target}", title=title, version=version, target=target)


def short_version(version: VersionId) -> str:
    return _middle_out(version_name(version))


def _middle_out(text: str) -> str:
    half = NAME_SHOWN // 2
    return text if len(text) <= NAME_SHOWN else f"{text[: half - 1]}…{text[-half:]}"


def mark_of(request: TransitionRequest, context: CardContext) -> Mark:
    """Whatever ended without a decision, or was called off, is over."""
    unread = request.state is State.COLLECTING and bool(request.unreadable)
    unasked = request.state is State.PENDING and request.kind is Kind.OBSERVED
    barred = request.state is State.PENDING and not may_be_approved(request, context)
    if context.rolled_back or unread or unasked or barred or wants_review(request):
        return Mark.CARE
    return MARKS.get(request.state, Mark.OVER)


def title_of(request: TransitionRequest, *, is_rolled_back: bool = False) -> str:
    """`is_rolled_back`: its version was taken back from the target since, which ends every title of an approval."""
    title = _title_of(request)
    if title == PUT_BACK:
        return pgettext("title", "Put back")
    return _(ROLLED_BACK_TITLES.get(title, title) if is_rolled_back and request.state is State.APPLIED else title)


def _title_of(request: TransitionRequest) -> str:
    if request.kind is Kind.OBSERVED and request.state is State.REJECTED and _is_settled_rejection(request):
        return PUT_BACK if request.settled_by_us else N_("Rejected")
    if request.state is State.COLLECTING and request.unreadable and request.kind is not Kind.OBSERVED:
        return N_("Evidence cannot be read")
    if request.renewed:
        return N_("Renewed on another card")
    if request.glass is not None and request.state in GLASS_TITLES:
        return GLASS_TITLES[request.state]
    titles = KIND_TITLES[request.kind]
    if request.decided_by is DecidedBy.FAST_TRACK and request.kind is Kind.PROMOTION:
        titles = titles | FAST_TRACK_TITLES
    title = titles[request.state]
    if request.state is State.APPROVED and request.frozen_until is not None:
        return FROZEN_TITLES.get(title, title)
    return title


def _is_settled_rejection(request: TransitionRequest) -> bool:
    return request.is_adopted or request.settled_at is not None
