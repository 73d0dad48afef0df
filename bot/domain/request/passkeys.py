"""Passkeys of people, as the ledger's entries make them: who enrolled one, who confirmed it, and when it was revoked.

The first passkey of a person takes one confirmation by another approver. A later one takes two, because it is how a lost key is replaced,
and how a thief would add one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.event import Event
from bot.domain.grounds import Assertion as Assertion
from bot.domain.passkey_events import PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked

FIRST, LATER = 1, 2  # confirmations that a person's first and later passkeys take
SHOWN = 12  # digits of an id, which people read to each other


@dataclass(frozen=True)
class Passkey:
    """`needs` is how many other people must confirm it. `person_ids` are all ids of its person, `confirmers_ids` of those who confirmed.

    `account` in `team` enrolled it for the host `rp_id`. `revoked_by` is empty for an administrator, and while it is not revoked.
    """

    credential: str
    person: str
    public_key: str
    enrolled_at: datetime
    label: str
    salt: str
    rp_id: str
    account: str
    team: str
    confirmed_by: tuple[str, ...] = ()
    needs: int = FIRST
    revoked_at: datetime | None = None
    revoked_by: str = ""
    revoked_because: str = ""
    person_ids: frozenset[str] = frozenset()
    confirmers_ids: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """32 hexadecimal digits, for buttons and commands: a credential may be long.

        The person's device chooses the credential and the key, and the bot the salt after that. So no one can make a passkey with the id of
        another, and who confirms an id confirms this very key.
        """
        said = json.dumps([self.credential, self.public_key, self.salt])
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    @property
    def short_id(self) -> str:
        return self.id[:SHOWN]

    @property
    def is_confirmed(self) -> bool:
        return len(self.confirmed_by) >= self.needs

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    @property
    def counts(self) -> bool:
        """Whether a vote that it signs now counts."""
        return self.is_confirmed and not self.is_revoked

    @property
    def is_waiting(self) -> bool:
        """Whether others can confirm it."""
        return not self.is_confirmed and not self.is_revoked


def passkeys_from(events: Iterable[Event]) -> dict[str, Passkey]:
    """By credential, in the order of enrolment. `events` are in the ledger's order; those that are not about passkeys change nothing.

    To know what counted at a place in the ledger, give the events before it.
    """
    found: dict[str, Passkey] = {}
    for event in events:
        if isinstance(event, PasskeyEnrolled) and event.credential not in found:
            found[event.credential] = _enrolled(event, found)
        elif isinstance(event, PasskeyConfirmed) and _may_confirm(event, found):
            confirmed = _confirmed(event, found)
            found[event.credential] = confirmed
            if confirmed.is_confirmed:
                found |= _needing_more(confirmed, found)
        elif isinstance(event, PasskeyRevoked) and event.credential in found:
            found[event.credential] = _revoked(event, found[event.credential])
    return found


def _enrolled(event: PasskeyEnrolled, known: Mapping[str, Passkey]) -> Passkey:
    ids = frozenset((event.person, *event.also))
    had_one = any(key.is_confirmed and key.person_ids & ids for key in known.values())
    return Passkey(
        credential=event.credential,
        person=event.person,
        public_key=event.public_key,
        enrolled_at=event.at,
        label=event.label,
        salt=event.salt,
        rp_id=event.rp_id,
        account=event.account,
        team=event.team,
        needs=LATER if had_one else FIRST,
        person_ids=ids,
    )


def _may_confirm(event: PasskeyConfirmed, known: Mapping[str, Passkey]) -> bool:
    key = known.get(event.credential)
    if key is None or not key.is_waiting or key.person != event.person:
        return False
    return not {event.by, *event.also} & (key.person_ids | key.confirmers_ids)


def _confirmed(event: PasskeyConfirmed, known: Mapping[str, Passkey]) -> Passkey:
    key = known[event.credential]
    return replace(
        key,
        confirmed_by=(*key.confirmed_by, event.by),
        confirmers_ids=key.confirmers_ids | {event.by, *event.also},
    )


def _needing_more(confirmed: Passkey, known: Mapping[str, Passkey]) -> dict[str, Passkey]:
    """The person's other passkeys that wait are later ones from now on."""
    theirs = {name: key for name, key in known.items() if key.person_ids & confirmed.person_ids}
    return {name: replace(key, needs=LATER) for name, key in theirs.items() if key.is_waiting}


def _revoked(event: PasskeyRevoked, key: Passkey) -> Passkey:
    if key.is_revoked:
        return key
    return replace(key, revoked_at=event.at, revoked_by=event.by, revoked_because=event.reason)
