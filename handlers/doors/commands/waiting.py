"""What waits for a decision: how long, whether it needs the person who asks, and how risky it is."""

from __future__ import annotations

from bot.domain.card.card import Card, Fact, Link
from bot.domain.card.risk import risk_of
from bot.domain.card.sentences import title_of
from bot.domain.model import OPEN, State, TransitionRequest
from bot.domain.request.opening import waits_since
from bot.domain.text import IN_PROSE, duration_text, target_label
from bot.errors import OutsideError, Refused
from bot.language import _, sentences
from bot.services import Services
from bot.store.people import Person
from handlers.doors.commands.asked import SHOWN, Asked, check_is_member, listing, nothing_after
from handlers.notify.render_context import context_for
from handlers.queries.needed_votes import WaitingVotes


def pending(asked: Asked, s: Services) -> Card:
    """The requests that need this person come first, then the oldest."""
    nothing_after(asked)
    check_is_member(asked, s)
    with s.store.transaction() as tx:
        waiting = tx.requests.find(states=OPEN)
    if not waiting:
        text = _("No request waits for a decision.")
        return Card(_("Nothing waits"), text, paragraphs=(text,))
    mine, unknown = _mine(asked, waiting, s)
    waiting.sort(key=lambda one: (one.id not in mine, one.opened_at))
    oldest = min(one.opened_at for one in waiting)
    text = sentences(
        _("Waiting for a decision: {count}, the oldest since {oldest}.", count=len(waiting), oldest=oldest),
        _("They need you: {count}.", count=len(mine)) if mine else "",
        unknown,
    )
    facts = [_line(one, is_mine=one.id in mine, s=s) for one in waiting[:SHOWN]]
    return listing(_("Waiting for a decision"), text, facts, len(waiting))


def _mine(asked: Asked, waiting: list[TransitionRequest], s: Services) -> tuple[frozenset[str], str]:
    """The ids of those that a vote of this person would bring forward, and what is not known of that."""
    person = _person(asked, s)
    if person is None:
        return frozenset(), ""
    needed = WaitingVotes(person, s, asks_notifier=True)
    try:
        return frozenset(one.id for one in waiting if needed.is_needed_for(one)), ""
    except (OutsideError, Refused):
        return frozenset(), _("Slack does not say now which of them need you.")


def _person(asked: Asked, s: Services) -> Person | None:
    """Only reading binds no account."""
    account = s.notifier.account(asked.account)
    with s.store.transaction() as tx:
        return tx.people.holder(account.id) or (tx.people.find(account.email) if account.email else None)


def _line(request: TransitionRequest, *, is_mine: bool, s: Services) -> Fact:
    with s.store.transaction() as tx:
        risk = risk_of(request, context_for(request, tx, s.clock.now())) if request.state is State.PENDING else None
    since = waits_since(request) or request.opened_at
    parts = (
        _("Open the card") if request.card else title_of(request),
        _("needs you") if is_mine else "",
        _("waits {duration}", duration=duration_text(s.clock.now() - since, IN_PROSE)),
        risk.text.rstrip(".") if risk else "",
    )
    text = " · ".join(part for part in parts if part)
    label = f"{request.version} → {target_label(request)}"
    return Fact(label, Link(text, request.card.url) if request.card else text)
