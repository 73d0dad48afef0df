"""How a person makes a passkey: a short-lived page that Slack links to, and how passkeys end. `buttons.passkeys` has the confirmation."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import metrics
from bot.domain.events import PasskeyEnrolled, PasskeyRevoked
from bot.domain.request.passkeys import FIRST, LATER, Passkey
from bot.errors import FORBIDDEN, GONE, Refused, Rejected
from bot.ids import new_id
from bot.language import N_, _, sentences
from bot.links import enrol_path
from bot.passkeys import relying_party
from bot.services import Services
from bot.store.passkeys import PendingEnrolment
from bot.store.people import Person
from bot.store.transaction import Transaction
from handlers.request.voters import any_approver, person_of

OPENS_FOR = timedelta(minutes=10)
MOST = 5  # passkeys of one person that are not revoked
LABEL_LIMIT = 60  # characters
CHALLENGE = 32  # bytes
TAKEN_BACK = N_("its owner took it back")
ASK_ANEW = N_("Say /countersign passkey in Slack to get another; its answer lists the passkeys that were made for you.")
NO_LINK_KEY = N_("COUNTERSIGN_LINK_KEY is not set, so no page of the bot can be opened. Ask an administrator to set it")


@dataclass(frozen=True)
class EnrolmentPage:
    """What the page shows, and `options` for the browser."""

    person: Person
    options: Mapping[str, object]
    confirmations: int
    until: datetime


def offer_page(account: str, team: str, s: Services) -> str:
    """A link to the page where the owner of this account makes a passkey. It opens for OPENS_FOR, for one passkey. Raises Refused."""
    relying_party(s.links.url)
    if not s.links.are_made:
        raise Refused(_(NO_LINK_KEY))
    person = any_approver(account, s)
    now = s.clock.now()
    challenge = urlsafe_b64encode(secrets.token_bytes(CHALLENGE)).decode().rstrip("=")
    pending = PendingEnrolment(
        id=new_id(),
        person=person.id,
        account=account,
        team=team,
        challenge=challenge,
        made_at=now,
        expires_at=now + OPENS_FOR,
    )
    with s.store.transaction() as tx:
        _check_has_room(person, tx)
        tx.passkeys.keep_enrolment(pending)
    return s.links.to_page(enrol_path(pending.id), pending.expires_at)


def open_page(id_: str, s: Services) -> EnrolmentPage:
    """Raises Rejected when it was used, has ended or is not known."""
    # Here and below: it loads webauthn, 5 MB that only installations with passkeys need.
    from bot.passkey_enrolment import creation_options

    party = relying_party(s.links.url)
    with s.store.transaction() as tx:
        pending = _still_open(tx.passkeys.enrolment(id_), tx, s.clock.now())
        person = _owner(pending, tx)
        ids = tx.people.ids_of(person.id)
        mine = [key for key in tx.passkeys.all().values() if key.person_ids & ids]
    known = [key.credential for key in mine if not key.is_revoked]
    options = creation_options(pending.challenge, person.id, person.email, person.name, known, party)
    needs = LATER if any(key.is_confirmed for key in mine) else FIRST
    return EnrolmentPage(person, options, needs, pending.expires_at)


def enrol(id_: str, sent: Mapping[str, object], s: Services) -> Passkey:
    """Records the passkey that the page has made; others are asked to confirm it. Raises Rejected, which is counted, and Refused."""
    try:
        return _enrol(id_, sent, s)
    except Rejected as refusal:
        metrics.passkeys_refused.labels(refusal.reason).inc()
        raise


def _enrol(id_: str, sent: Mapping[str, object], s: Services) -> Passkey:
    from bot.passkey_enrolment import read_made  # before any row is locked

    party, now = relying_party(s.links.url), s.clock.now()
    label = _label_in(sent)
    with s.store.transaction() as tx:
        pending = _still_open(tx.passkeys.enrolment(id_, for_update=True), tx, now)
        made = read_made(sent, pending.challenge, party)
        person = _owner(pending, tx)
        tx.passkeys.lock()
        _check_is_new(made.credential, person, tx)
        _check_has_room(person, tx)
        tx.passkeys.use_enrolment(id_, made.credential, now)
        enrolled = PasskeyEnrolled(
            at=now,
            person=person.id,
            credential=made.credential,
            public_key=made.public_key,
            rp_id=party.id,
            account=pending.account,
            team=pending.team,
            label=label,
            also=tuple(sorted(tx.people.ids_of(person.id) - {person.id})),
            salt=new_id(),
        )
        tx.record([enrolled])
    with s.store.transaction() as tx:
        return tx.passkeys.all()[made.credential]


def passkeys_of(account: str, s: Services) -> tuple[Person, list[Passkey]]:
    """The person's passkeys that are not revoked, oldest first."""
    person = person_of(account, s)
    with s.store.transaction() as tx:
        return person, [key for key in tx.passkeys.of(person.id) if not key.is_revoked]


def revoke_own(account: str, beginning: str, s: Services) -> Passkey:
    """The person takes back one of their own; `beginning` of its id may be empty while there is only one. Raises Refused."""
    person, mine = passkeys_of(account, s)
    if not mine:
        raise Refused(_("you have no passkey. To make one, say /countersign passkey"))
    found = [key for key in mine if key.id.startswith(beginning.lower())]
    if len(found) != 1:
        ids = ", ".join(key.short_id for key in mine)
        raise Refused(_("say which of your passkeys: /countersign passkey revoke ID, with one of {ids}", ids=ids))
    return _revoke(found[0].id, person.id, TAKEN_BACK, s)


def revoke_by_hand(beginning: str, by: str, reason: str, s: Services) -> Passkey:
    """By an administrator; `by` is an id, or empty when no one is named. Raises Refused."""
    if not reason.strip():
        raise Refused("say why, with --reason: it is recorded in the ledger")
    return _revoke(beginning, by, reason.strip(), s)


def _revoke(beginning: str, by: str, reason: str, s: Services) -> Passkey:
    with s.store.transaction() as tx:
        tx.passkeys.lock()
        key = tx.passkeys.named(beginning)
        if key.is_revoked:
            raise Refused(_("passkey {passkey} was revoked already", passkey=key.short_id))
        tx.record([PasskeyRevoked(s.clock.now(), key.person, key.credential, by, reason)])
    return key


def _still_open(pending: PendingEnrolment | None, tx: Transaction, now: datetime) -> PendingEnrolment:
    if pending is None:
        raise Rejected("unknown", sentences(_("This page is not known."), _(ASK_ANEW)), FORBIDDEN)
    if pending.used_at is not None:
        raise Rejected("used", _made_already(tx.passkeys.find(pending.credential)), GONE)
    if now >= pending.expires_at:
        raise Rejected("expired", sentences(_("This page has ended."), _(ASK_ANEW)), GONE)
    return pending


def _made_already(key: Passkey | None) -> str:
    """Its reader may be the person for whom someone else, who had the link, has made a passkey."""
    if key is None or key.is_revoked:
        return sentences(_("A passkey was made on this page already."), _(ASK_ANEW))
    made = _(
        "Passkey {passkey} was made on this page already. Did you not make it? Then someone else has your link: press "
        '"Not them" below it in Slack, or say /countersign passkey revoke {passkey}, and warn your administrators.',
        passkey=key.short_id,
    )
    return sentences(made, _(ASK_ANEW))


def _owner(pending: PendingEnrolment, tx: Transaction) -> Person:
    """An administrator may have unbound the account since the link was made."""
    person = tx.people.get(pending.person)
    if person.account != pending.account:
        why = sentences(_("Your Slack account belongs to someone else by now."), _(ASK_ANEW))
        raise Rejected("other_account", why, FORBIDDEN)
    return person


def _check_is_new(credential: str, person: Person, tx: Transaction) -> None:
    known = tx.passkeys.find(credential)
    if known is None:
        return
    if known.person_ids & tx.people.ids_of(person.id):
        raise Rejected("enrolled_before", _("This passkey was enrolled before. Make a new one"), FORBIDDEN)
    name = tx.people.get(known.person).name
    why = _("This passkey is {name}'s. Each person makes their own, also on a phone that two people use", name=name)
    raise Rejected("another_person", why, FORBIDDEN)


def _check_has_room(person: Person, tx: Transaction) -> None:
    mine = [key for key in tx.passkeys.of(person.id) if not key.is_revoked]
    if len(mine) >= MOST:
        raise Refused(
            _(
                "you have {count} passkeys. Revoke one first: /countersign passkey revoke {passkey}",
                count=MOST,
                passkey=mine[0].short_id,
            )
        )


def _label_in(sent: Mapping[str, object]) -> str:
    label = sent.get("label", "")
    if not isinstance(label, str):
        raise Rejected("malformed", "the name of the passkey has to be a text", 400)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in label).split())[:LABEL_LIMIT]
