"""The buttons under a new passkey: another approver confirms it, or says that it is not theirs. `passkeys` is about making one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import partial

from bot.domain.card.passkey_card import CONFIRM, passkey_card
from bot.domain.events import PasskeyConfirmed, PasskeyRevoked
from bot.domain.policy.rules import Policy
from bot.domain.references import PostedCard
from bot.domain.request.passkeys import Passkey
from bot.errors import MessageGone, Refused
from bot.language import N_, _
from bot.language.catalogues import in_language
from bot.ports import Click
from bot.services import Services
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.notify.outbox import begin_update, post_once
from handlers.notify.own_posts import NotOnRecord
from handlers.request.casting import Reply
from handlers.request.voters import any_approver, passkey_confirmer

NOT_THEIRS = N_("another approver said that it is not theirs")
WITHDRAWN = N_("its owner said that they have not made it")


def press(click: Click, s: Services) -> Reply:
    """Recorded with the signed request that it came in. Raises Refused."""
    person = (passkey_confirmer if click.action == CONFIRM else any_approver)(click.account, s)
    with s.store.transaction() as tx:
        tx.passkeys.lock()
        passkey = tx.passkeys.named(click.value)
        name = tx.people.get(passkey.person).name
        _check_place(click, passkey, tx)
        if tx.people.get(person.id).account != click.account:
            raise Refused(_("whose account this is has changed just now. Nothing was recorded: press again"))
        _check_waits(passkey, name)
        if click.action == CONFIRM:
            return _confirm(click, person, passkey, name, tx, s)
        return _refuse(click, person, passkey, name, tx, s)


def _confirm(click: Click, person: Person, passkey: Passkey, name: str, tx: Transaction, s: Services) -> Reply:
    ids = tx.people.ids_of(person.id)
    if ids & (passkey.person_ids | tx.people.ids_of(passkey.person)):
        raise Refused(
            _("this is your own passkey, so another approver must confirm it. Ask one who knows that you made it")
        )
    if ids & passkey.confirmers_ids:
        raise Refused(
            _("you have confirmed {person}'s passkey already, and another approver must as well", person=name)
        )
    kept = _keep(click, tx)
    who = (person.id, click.account, click.team)
    also = tuple(sorted(ids - {person.id}))
    tx.record([PasskeyConfirmed(s.clock.now(), passkey.person, passkey.credential, *who, also, kept)])
    said = _("Recorded: you confirmed that passkey {passkey} is {person}'s.", passkey=passkey.short_id, person=name)
    return Reply(said)


def _refuse(click: Click, person: Person, passkey: Passkey, name: str, tx: Transaction, s: Services) -> Reply:
    kept = _keep(click, tx)
    why = WITHDRAWN if tx.people.ids_of(person.id) & passkey.person_ids else NOT_THEIRS
    tx.record([PasskeyRevoked(s.clock.now(), passkey.person, passkey.credential, person.id, why, kept)])
    said = _(
        "Recorded: passkey {passkey} will not count as {person}'s. Tell your administrators.",
        passkey=passkey.short_id,
        person=name,
    )
    return Reply(said)


def _check_place(click: Click, passkey: Passkey, tx: Transaction) -> None:
    here = (click.team, click.app, click.channel, click.message)
    posted = tx.passkeys.cards(passkey.credential)
    if not any(here == (card.team, card.app, card.channel, card.message) for card in posted.values()):
        said = _("this button is not on the message that Countersign posted for the passkey. Use that message")
        last = {channel: posted.get(channel) for channel in {*posted, *_channels(tx.policy())}}
        may_be = {_key(passkey, *one): partial(_record, passkey, *one) for one in last.items()}
        raise NotOnRecord(said, may_be)


def _record(
    passkey: Passkey,
    channel: str,
    gone: PostedCard | None,
    tx: Transaction,
    posted: PostedCard,
    _now: datetime | None = None,
) -> None:
    if gone is None:
        tx.passkeys.keep_card(passkey.credential, channel, posted)
    else:
        tx.passkeys.replace_card(passkey.credential, channel, posted, instead_of=gone)


def _check_waits(passkey: Passkey, name: str) -> None:
    if passkey.is_revoked:
        raise Refused(_("passkey {passkey} was revoked, so there is nothing to confirm", passkey=passkey.short_id))
    if passkey.is_confirmed:
        raise Refused(
            _(
                "{person}'s passkey {passkey} is confirmed already. "
                "To end it, an administrator runs: countersign passkeys revoke {passkey} --reason ...",
                person=name,
                passkey=passkey.short_id,
            )
        )


def _keep(click: Click, tx: Transaction) -> str:
    """The digest of the signed request; empty for a click that has none."""
    if click.signed is None:
        return ""
    if not tx.passkeys.keep_request(click.signed):
        raise Refused(_("this click has come before, and it was recorded then"))
    return click.signed.digest


def show_passkey(seq: str, s: Services) -> None:
    """Effect: asks in each channel to confirm the passkey that this ledger entry is about, or shows there what became of it."""
    with s.store.transaction() as tx:
        credential = json.loads(tx.ledger.get(int(seq)).body)["credential"]
    _show(str(credential), s)


def look_at_passkey(credential: str, s: Services) -> None:
    """Effect: asks again where the message was deleted in Slack: without it no one could confirm the passkey."""
    with s.store.transaction() as tx:
        passkey = tx.passkeys.find(credential)
        posted = tx.passkeys.cards(credential)
    if passkey is None or not passkey.is_waiting:
        return
    for channel, card in posted.items():
        if not s.notifier.is_there(card):
            _post_anew(passkey, channel, card, s)


def _post_anew(passkey: Passkey, channel: str, gone: PostedCard, s: Services) -> None:
    """Once for each message that was deleted. Not for a passkey that waits no more: its message has nothing left to ask."""
    if not passkey.is_waiting:
        return
    with s.store.transaction() as tx, in_language(tx.policy().language):
        card = passkey_card(passkey, tx.people.all_names(), tx.people.get(passkey.person).email)
    post_once(_key(passkey, channel, gone), channel, card, s, record=partial(_record, passkey, channel, gone))


def _show(credential: str, s: Services) -> None:
    with s.store.transaction() as tx:
        passkey = tx.passkeys.find(credential)
        if passkey is None:
            return
        owner = tx.people.get(passkey.person)
        with in_language(tx.policy().language):
            card = passkey_card(passkey, tx.people.all_names(), owner.email)
        posted = tx.passkeys.cards(passkey.credential)
        channels = [channel for channel in _channels(tx.policy()) if channel not in posted]
        updates = {channel: begin_update(_key(passkey, channel), one, card, tx, s) for channel, one in posted.items()}
    for channel, update in updates.items():
        try:
            if update is not None:
                update.send(s)
        except MessageGone:
            _post_anew(passkey, channel, posted[channel], s)
    for channel in channels if passkey.is_waiting else ():
        post_once(_key(passkey, channel), channel, card, s, record=partial(_record, passkey, channel, None))


def _channels(policy: Policy) -> tuple[str, ...]:
    """Those of the rules that want passkeys, where their approvers are; of all rules while none wants them."""
    return replace(policy, rules=policy.rules_with_passkeys or policy.rules).channels()


def _key(passkey: Passkey, channel: str, gone: PostedCard | None = None) -> str:
    key = f"passkey:{passkey.id}:{channel}"
    return f"{key}:after:{gone.message}" if gone else key
