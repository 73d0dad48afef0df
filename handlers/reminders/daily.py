"""The note of the day: who wants one, and when; and the effects that send it, once for each day of the person's own calendar."""

from __future__ import annotations

from datetime import date, datetime

from bot.domain.calm.daily import USUALLY, DailyNote, Day, begun, daily_card, day_before, due_day, is_overdue
from bot.domain.calm.reminders import Waits
from bot.domain.model import State
from bot.domain.references import PostedCard
from bot.engine.lanes import Lane
from bot.errors import Permanent
from bot.ports import Account
from bot.services import Services
from bot.store.calm.dailies import DailyRows
from bot.store.transaction import Transaction
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account
from handlers.notify.render_context import context_for
from handlers.notify.who_reads import reads_all
from handlers.reminders.waiting import member_with, waits_for
from handlers.request.voters import person_of


def want_daily(account_id: str, minute: int | None, s: Services) -> DailyNote:
    """From now on, at this minute of the person's day; without one at the minute they chose before, or at nine."""
    person, account = person_of(account_id, s), s.notifier.account(account_id)
    with s.store.transaction() as tx:
        rows = DailyRows(tx.connection)
        before = rows.find(person.id)
        at = minute if minute is not None else before.minute if before else USUALLY
        note = begun(DailyNote(person.id, account_id, at, account.timezone), s.clock.now())
        rows.want(note)
    return note


def stop_daily(account_id: str, s: Services) -> bool:
    """False when there was none."""
    person = person_of(account_id, s)
    with s.store.transaction() as tx:
        return DailyRows(tx.connection).stop(person.id)


def daily_of(account_id: str, s: Services) -> DailyNote | None:
    person = person_of(account_id, s)
    with s.store.transaction() as tx:
        return DailyRows(tx.connection).find(person.id)


def send_dailies(_: str, s: Services) -> None:
    """Once a minute: has those sent whose hour has come."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        for note in DailyRows(tx.connection).all():
            if due_day(note, now) is not None:
                tx.defer("send_daily", note.person, f"{Lane.NOTES}:daily:{note.person}", once=True)


def send_daily(person_id: str, s: Services) -> None:
    """Sends the note of the day, once; none on a day on which there is nothing to say."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        note = DailyRows(tx.connection).find(person_id)
    on = due_day(note, now) if note else None
    if note is None or on is None:
        return
    account = member_with(note.account, s)
    if account is None:  # nothing can be sent there any more; a new account says so again
        with s.store.transaction() as tx:
            DailyRows(tx.connection).stop(person_id)
        return
    if account.timezone != note.timezone:  # the person has travelled; there it may be too early
        with s.store.transaction() as tx:
            DailyRows(tx.connection).is_in_zone(person_id, account.timezone)
        return
    told = _day(note, on, account, s)
    if told.is_empty:
        with s.store.transaction() as tx:
            DailyRows(tx.connection).is_done(person_id, on)
        return
    with for_account(account.id, s):
        card = daily_card(on, told, now)

    def done(tx: Transaction, _posted: PostedCard) -> None:
        DailyRows(tx.connection).is_done(person_id, on)

    try:
        post_once(f"daily:{person_id}:{on}", account.id, card, s, record=done)
    except Permanent:  # this job is parked, and not another one every minute
        with s.store.transaction() as tx:
            DailyRows(tx.connection).is_done(person_id, on)
        raise


def _day(note: DailyNote, on: date, account: Account, s: Services) -> Day:
    now, (since, until) = s.clock.now(), day_before(on, note.timezone)
    waits = waits_for(account, s)
    with s.store.transaction() as tx:
        person, policy = tx.people.get(note.person), tx.policy()
    may_read = reads_all(person, policy, s)
    with s.store.transaction() as tx:
        rows, ids = DailyRows(tx.connection), tx.people.ids_of(note.person)
        calendar = tx.policy().calendar
        asked = [_with_context(one.id, tx, now) for one in rows.asked_by(ids) if one.state is State.PENDING]
        late = [one for one in asked if is_overdue(one, calendar, now)]
        moved = rows.moved(since, until) if may_read else ()
        return Day(tuple(waits), tuple(late), tuple(rows.decided(ids, since, until)), tuple(moved))


def _with_context(request_id: str, tx: Transaction, now: datetime) -> Waits:
    request = tx.requests.get(request_id)
    return Waits(request, context_for(request, tx, now))
