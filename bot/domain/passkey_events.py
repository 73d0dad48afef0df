"""Events of passkeys: enrolled by a person, confirmed by other approvers, revoked. `bot.domain.events` has all events."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.event import Event


@dataclass(frozen=True)
class PasskeyEnrolled(Event):
    """A person made a passkey; it counts once others have confirmed it.

    `credential` is its id and `public_key` its COSE key, both base64url without padding; `rp_id` is the host it was made for. `account` in
    `team` asked for it. `also` are the person's other ids. `salt` is drawn by the bot once the credential is known.
    """

    person: str
    credential: str
    public_key: str
    rp_id: str
    account: str
    team: str
    label: str = ""
    also: tuple[str, ...] = ()
    salt: str = ""


@dataclass(frozen=True)
class PasskeyConfirmed(Event):
    """Another approver, `by`, says that the passkey is this person's. `also` are the other ids of `by`; `account` in `team` pressed."""

    person: str
    credential: str
    by: str
    account: str
    team: str
    also: tuple[str, ...] = ()
    signed_request: str = ""


@dataclass(frozen=True)
class PasskeyRevoked(Event):
    """What this passkey signs from this place in the ledger on does not count. `by` is a person, or empty for an administrator."""

    person: str
    credential: str
    by: str
    reason: str
    signed_request: str = ""


PASSKEY_EVENTS = (PasskeyEnrolled, PasskeyConfirmed, PasskeyRevoked)
