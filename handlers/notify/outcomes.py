"""Effects: the outcome of a request, to those who asked for it. Several that come at once for one person are one message."""

from __future__ import annotations

from bot.domain.calm.group_card import Shown
from bot.domain.calm.outcomes import TOGETHER, are_many, outcomes_card
from bot.domain.card.request_card import outcome_card
from bot.domain.model import ENDED_UNDECIDED, State, TransitionRequest
from bot.domain.references import PostedCard
from bot.engine.lanes import Lane
from bot.ids import new_id
from bot.services import Services
from bot.store.calm.outcomes import OutcomeNote, OutcomeRows
from bot.store.outbox import SentRows
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.outbox import post_once, unsent_keys
from handlers.notify.readers import for_account
from handlers.notify.render_context import context_for


def tell(request_id: str, s: Services) -> None:
    """Sends the outcome directly, once, to those who asked, or to the author when that is all we know."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        context = context_for(request, tx, s.clock.now())
        if not _is_to_be_told(request):
            return
        freeze = f":{request.frozen_until:%Y%m%dT%H%M}" if request.state is State.APPROVED else ""
        concerned = dict.fromkeys(filter(None, (request.requester or request.author, *request.joined)))
        keys = {f"told:{request_id}:{request.state}{freeze}:{person}": person for person in concerned}
        waiting = {
            key: tx.people.get(keys[key])
            for key in unsent_keys(keys, tx)
            if not _waits_for_others(key, keys[key], request, tx)
        }
    for key, person in waiting.items():
        account = _account_of(person, s)
        if account is not None:  # others are not in this workspace; the card and the ticket say it as well
            with for_account(account, s):
                post_once(key, account, outcome_card(request, context), s)


def tell_together(person_id: str, s: Services) -> None:
    """Sends one message with all outcomes that wait for this person. What is in it is fixed first, so that a try after a stop adopts it."""
    with s.store.transaction() as tx:
        person = tx.people.get(person_id)
        batch, notes = OutcomeRows(tx.connection).batch(person_id, new_id(), TOGETHER)
        now = s.clock.now()
        ended = [Shown(one, context_for(one, tx, now)) for one in (tx.requests.get(note.request_id) for note in notes)]
    if not notes:
        return
    account = _account_of(person, s)

    def record(tx: Transaction, _posted: PostedCard | None = None) -> None:
        _done(batch, notes, tx, s, tells_again=person_id)

    if account is None:
        with s.store.transaction() as tx:
            record(tx)
        return
    with for_account(account, s):
        card = outcomes_card(ended)
    post_once(f"told-together:{batch}", account, card, s, record=record)


def _done(batch: str, notes: list[OutcomeNote], tx: Transaction, s: Services, *, tells_again: str) -> None:
    rows = OutcomeRows(tx.connection)
    for note in notes:
        SentRows(tx.connection).put(note.key, "", s.clock.now())
    rows.done(batch)
    if rows.count(tells_again):
        tx.defer("tell_together", tells_again, _lane(tells_again))


def _waits_for_others(key: str, person: str, request: TransitionRequest, tx: Transaction) -> bool:
    """Leaves the outcome to the person's shared message when many come at once: those that are due now, and those that wait for it."""
    rows = OutcomeRows(tx.connection)
    due, held = tx.unfinished("tell") | {request.id}, rows.count(person)
    if not are_many(len(due) + held) or not are_many(rows.of_person(person, due) + held):
        return False
    if tx.outbox.begun(key) is not None:
        return False
    rows.wait(key, person, request.id)
    tx.defer("tell_together", person, _lane(person))
    return True


def _lane(person: str) -> str:
    return f"{Lane.NOTES}:told:{person}"


def _account_of(person: Person, s: Services) -> str | None:
    found = None if person.account else s.notifier.find_account(person.email)
    return person.account or (found.id if found else None)


def _is_to_be_told(request: TransitionRequest) -> bool:
    """Once it has ended, or when a freeze holds it back; not when it ended before anyone could have seen it."""
    waits = request.state is State.APPROVED and request.frozen_until is None
    unseen = request.card is None and request.state in ENDED_UNDECIDED and request.requester is None
    return not (request.state.is_open or waits or unseen)
