"""What the rows of a person's page say about a request, and about what holds a target."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.domain.card.card import Link
from bot.domain.card.context import CardContext
from bot.domain.card.needs import needs_text
from bot.domain.card.risk import risk_of
from bot.domain.card.titles import headline, short_version, title_of
from bot.domain.home.page import HomePage, HomeState, Part, Row, Section
from bot.domain.model import State, TransitionRequest
from bot.domain.policy.rules import Rule
from bot.domain.queries.description import Held, decided_by
from bot.domain.text import duration_text, person_name, target_label
from bot.language import N_, _, moment, sentences

TITLES: Mapping[Section, str] = {
    Section.WAITS: N_("Waits for you"),
    Section.ASKED: N_("Asked by you"),
    Section.HELD: N_("In production now"),
    Section.DECIDED: N_("Recent decisions"),
}
EMPTY: Mapping[Section, str] = {
    Section.WAITS: N_(
        "Nothing waits for your vote. A request that needs it appears here, and its card in its channel."
    ),
    Section.ASKED: N_('You have asked for nothing yet. Press "Request a promotion" to ask for one.'),
    Section.HELD: N_(
        "No target that the policy governs is held yet. It appears here once a version holds one: request a promotion, or add a rule."
    ),
    Section.DECIDED: N_(
        "Nothing was decided yet. Decisions appear here once the first request is approved or rejected."
    ),
}
NONE_OF_MODEL = N_('Nothing of {model} here. Press "Show all models" to see the others.')
PAST_THE_END = N_('There are no more. Press "Newer" to go back.')


def part_of(section: Section, rows: tuple[Row, ...], state: HomeState, model: str, *, has_more: bool) -> Part:
    page = state.page_of(section)
    empty = _(NONE_OF_MODEL, model=model) if model else _(EMPTY[section])
    return Part(section, _(TITLES[section]), rows, _(PAST_THE_END) if page else empty, page, has_more)


def waiting_row(request: TransitionRequest, context: CardContext, now: datetime) -> Row:
    """With what is needed, and what matters most about it."""
    risk = risk_of(request, context)
    lines = (risk.text if risk else "", needs_text(request, context))
    asked_by = _asked_by(request, context.names)
    return Row(
        headline(request, context),
        tuple(line for line in (*lines, asked_by) if line),
        card=card_link(request),
        age=_("waits for {age}", age=duration_text(now - request.opened_at)),
    )


def asked_row(request: TransitionRequest, context: CardContext, now: datetime) -> Row:
    """With its state, and what it waits for while it does."""
    waits = request.state in (State.PENDING, State.APPROVED)
    lines = (needs_text(request, context) if request.state is State.PENDING else _ended(request),)
    age = _("asked {age} ago", age=duration_text(now - request.opened_at)) if waits else ""
    return Row(headline(request, context), tuple(line for line in lines if line), card=card_link(request), age=age)


def held_row(held: Held, model: str, page_url: str, card: Link | None) -> Row:
    """`page_url` is the version's page, and `card` that of the request by which it is held; where there is one."""
    version = f"v{held.version.version}" if held.version else "–"
    said = _("since {since}, {approval}", since=held.since, approval=held.approval) if held.since else held.approval
    back = _('To take it back, press "Roll back" on its card.') if card else ""
    return Row(
        _("{target} of {model}: {version}", target=str(held.target), model=model, version=version),
        tuple(line for line in (said, back) if line),
        (Link(_("Open the page"), page_url),) if page_url else (),
        card,
    )


def decided_row(
    request: TransitionRequest, names: Mapping[str, str], under: tuple[Rule | None, str], *, is_rolled_back: bool
) -> Row:
    """`under` is the rule that the decision is judged by, with its hash."""
    title = title_of(request, is_rolled_back=is_rolled_back)
    by = decided_by(request, names, under)
    when = request.ended_at or request.decided_at or request.opened_at
    said = _("{when}, by {who}", when=when, who=by) if by else moment(when)
    reasons = [vote.reason for vote in request.votes if vote.reason]
    reason = _("Reason: {reason}", reason=reasons[-1]) if reasons else ""
    version, target = short_version(request.version), target_label(request)
    return Row(
        _("{title}: {version} → {target}", title=title, version=version, target=target),
        tuple(line for line in (said, reason) if line),
        card=card_link(request),
    )


def card_link(request: TransitionRequest) -> Link | None:
    return Link(_("Open the card"), request.card.url) if request.card else None


def notice_page(why: str) -> HomePage:
    """For a person who has no lists here: why, and what to do."""
    return HomePage(notice=sentences(_("Countersign asks people here to approve model promotions."), why))


def _ended(request: TransitionRequest) -> str:
    when = request.ended_at or request.decided_at
    return _("since {since}", since=when) if when else ""


def _asked_by(request: TransitionRequest, names: Mapping[str, str]) -> str:
    return _("Asked by {person}", person=person_name(request.requester, names)) if request.requester else ""
