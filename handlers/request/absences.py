"""Absences of approvers: declared, recorded, and sent to the delegate. What a delegate's vote counts for is in `voters`."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.card.card import Card
from bot.domain.events import AwayDeclared, AwayEnded
from bot.domain.model import State
from bot.engine.lanes import Lane
from bot.errors import Refused
from bot.language import _
from bot.services import Services
from bot.store.absences import Absence
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.outbox import post_once
from handlers.notify.readers import for_account
from handlers.request.voters import VoterUnknown, any_approver, person_of

LONGEST = timedelta(days=90)
ADDRESS = re.compile(r"[^@\s<>|]+@[^@\s<>|]+")


def check_is_here(person_id: str, tx: Transaction, now: datetime) -> None:
    """A person who is away has delegated their vote, which must never be used twice. Raises Refused."""
    absence = tx.absences.find(person_id, now)
    if absence is not None:
        name = tx.people.get(absence.delegate).name
        raise Refused(
            _(
                'you are away until {until} and {delegate} decides for you. Say "/countersign back" first',
                until=absence.until,
                delegate=name,
            )
        )


def declare_away(account_id: str, last_day: date, named: str, s: Services) -> tuple[Absence, Person]:
    """`named` is how the delegate was written, a mention or an e-mail address. Returns the absence and its delegate."""
    person = any_approver(account_id, s)
    now = s.clock.now()
    until = _end_of(last_day, now, s)
    delegate = _delegate(named, person, s)

    with s.store.transaction() as tx:
        _check_stands_ready(delegate, tx, now)
        before = tx.absences.find(person.id, now)
        absence = Absence(person.id, delegate.id, now, until)
        tx.absences.declare(absence)
        if before is not None and before.delegate != delegate.id:
            tx.record([AwayEnded(now, person.id, before.delegate)])
        tx.record([AwayDeclared(now, person.id, delegate.id, until)])
        show_who_is_left(tx)
    return absence, delegate


def come_back(account_id: str, s: Services) -> Person:
    """Ends the absence; returns the delegate."""
    person = person_of(account_id, s)
    now = s.clock.now()
    with s.store.transaction() as tx:
        absence = tx.absences.find(person.id, now)
        if absence is None:
            raise Refused(_("you are not away, as far as Countersign knows, so your votes count already"))
        tx.absences.end(person.id)
        tx.record([AwayEnded(now, person.id, absence.delegate)])
        show_who_is_left(tx)
        return tx.people.get(absence.delegate)


def show_who_is_left(tx: Transaction) -> None:
    """Cards under rules whose groups list their people say when nobody of them is left. A card that says the same is not written again."""
    policy = tx.policy()
    for request in tx.requests.find(states=(State.PENDING,)):
        rule = policy.rule_for(request.version.workspace, request.version.model, request.target)
        if rule is not None and any(group.people for group in policy.groups_of(rule)):
            tx.defer("sync_card", request.id, f"{Lane.SLACK}:{request.id}", once=True)


def who_is_away(s: Services) -> list[tuple[Absence, str, str]]:
    """Each absence in force with the names of the person and the delegate; the first to be back first."""
    with s.store.transaction() as tx:
        absences = tx.absences.everybody(s.clock.now())
        names = tx.people.names({person for absence in absences for person in (absence.person, absence.delegate)})
    return [(absence, names[absence.person], names[absence.delegate]) for absence in absences]


def tell_delegate(seq: str, s: Services) -> None:
    """Sends the delegate one direct message when the absence begins, and one when it ends early."""
    key = f"delegate:{seq}"
    with s.store.transaction() as tx:
        body = json.loads(tx.ledger.get(int(seq)).body)
        person, delegate = tx.people.get(body["person"]), tx.people.get(body["delegate"])
        if tx.outbox.is_sent(key):
            return
    found = None if delegate.account else s.notifier.find_account(delegate.email)
    account_id = delegate.account or (found.id if found else None)
    if account_id is None:
        return  # left the workspace since; a delegate who cannot press a button decides nothing
    until = body.get("until")  # an absence that has ended says none
    with for_account(account_id, s):
        card = _you_stand_in(person, datetime.fromisoformat(until)) if until else _no_longer_needed(person)
    post_once(key, account_id, card, s)


def _end_of(last_day: date, now: datetime, s: Services) -> datetime:
    """Midnight after that day, where the policy's calendar is."""
    zone = ZoneInfo(s.store.policy().calendar.timezone)
    today = now.astimezone(zone).date()
    if last_day < today:
        raise Refused(_("{day} is over. Name the last day on which you are away, as in 2026-12-01", day=str(last_day)))
    if last_day > today + LONGEST:
        raise Refused(
            _(
                "{day} is more than {days} days away. Name a day until {latest}, and say it again then",
                day=str(last_day),
                days=LONGEST.days,
                latest=str(today + LONGEST),
            )
        )
    return datetime.combine(last_day + timedelta(days=1), time.min, zone).astimezone(now.tzinfo)


def _delegate(named: str, person: Person, s: Services) -> Person:
    account_id = s.notifier.read_mention(named) or _account_with(named, s)
    try:
        delegate = person_of(account_id, s)
    except VoterUnknown:
        raise
    except Refused as refusal:
        raise Refused(_("the one you named cannot stand in for you: {why}", why=refusal.args[0])) from None
    if delegate.id == person.id:
        raise Refused(_("you cannot stand in for yourself. Name somebody who is here"))
    return delegate


def _account_with(named: str, s: Services) -> str:
    if not ADDRESS.fullmatch(named):
        raise Refused(
            _(
                '"{named}" names nobody whom Slack knows. Type @ and pick the person, or write the e-mail address',
                named=named[:80],
            )
        )
    account = s.notifier.find_account(named.lower())
    if account is None:
        raise Refused(
            _(
                "nobody in this Slack workspace has the e-mail address {email}. Check how it is written",
                email=named[:320],
            )
        )
    return account.id


def _check_stands_ready(delegate: Person, tx: Transaction, now: datetime) -> None:
    """A delegated vote cannot be delegated again, so no one would have it."""
    away = tx.absences.find(delegate.id, now)
    if away is not None:
        raise Refused(
            _("{person} is away until {until}. Name somebody who is here", person=delegate.name, until=away.until)
        )


def _you_stand_in(person: Person, until: datetime) -> Card:
    said = _("{person} is away until {until} and has named you to decide for them.", person=person.name, until=until)
    advice = _(
        "Where a card waits for a group of theirs, your vote counts for it as well, but not on what either of you has asked for "
        "or trained. It ends by itself, or when they say /countersign back."
    )
    return Card(_("You stand in for {person}", person=person.name), said, paragraphs=(said, advice))


def _no_longer_needed(person: Person) -> Card:
    said = _("You no longer stand in for {person}: they are back, or have named somebody else.", person=person.name)
    title = _("You no longer stand in for {person}", person=person.name)
    return Card(title, said, paragraphs=(said, _("Nothing is left for you to do.")))
