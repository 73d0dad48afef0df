"""Audits votes by passkey: what each envelope says that a passkey signed is verified again, without the rows of votes that waited.

The ledger's entries say whose the passkey was, whether others had confirmed it, and whether it was revoked, at the place of the vote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from bot.assertions import SignedByPasskey, passkey_in, proven_by
from bot.domain.events import PASSKEY_EVENTS, Event, VoteCast
from bot.domain.model import VOTE, Vote
from bot.domain.request.passkeys import Passkey, passkeys_from
from bot.errors import InvalidStatement, NotVerified
from bot.signatures import payload_of
from bot.store import tables
from bot.store.audit import event_of
from bot.store.ledger import A_FETCH, LedgerRows

OTHERWISE = "its envelope has another signature by passkey, or none, than its entry in the ledger"
VoteKey = tuple[str, str, str]


@dataclass
class _Known:
    """The passkeys after each of their entries, and the votes by passkey with what counted when they were cast."""

    events: list[Event] = field(default_factory=list)
    keys: dict[str, Passkey] = field(default_factory=dict)
    votes: dict[VoteKey, tuple[Vote, Passkey | None]] = field(default_factory=dict)


def passkeys(connection: sa.Connection) -> Iterator[str]:
    """A sentence for each signed vote whose passkey proves nothing."""
    known = _known(connection)
    query = sa.select(tables.attestations).where(tables.attestations.c.about == VOTE)
    with connection.execute(query.order_by(tables.attestations.c.seq).execution_options(yield_per=A_FETCH)) as rows:
        for row in rows:
            fault = _fault_of(row.envelope, row.request_id, known)
            if fault:
                yield f"the signed vote of person {row.person} in request {row.request_id} proves nothing: {fault}"


def _known(connection: sa.Connection) -> _Known:
    known = _Known()
    kinds = [kind.__name__ for kind in (*PASSKEY_EVENTS, VoteCast)]
    for entry in LedgerRows(connection).entries(*kinds):
        event = event_of(entry)
        if isinstance(event, VoteCast):
            vote = event.vote
            if vote.passkey is not None:
                key = known.keys.get(vote.passkey.credential)
                known.votes[event.request_id, vote.person, vote.at.isoformat()] = (vote, key)
        else:
            known.events.append(event)
            known.keys = passkeys_from(known.events)
    return known


def _fault_of(envelope: str, request_id: str, known: _Known) -> str:
    try:
        statement = json.loads(payload_of(envelope))
        signed, digest = passkey_in(statement), proven_by(statement)
    except (NotVerified, InvalidStatement, ValueError) as trouble:
        return str(trouble)
    found = known.votes.get((request_id, *_whose(statement)))
    if signed is None or found is None:
        return "" if signed is None and found is None else OTHERWISE
    return _fault_of_passkey(signed, digest, *found)


def _whose(statement: Mapping[str, object]) -> tuple[str, str]:
    """The voter's id and the time of the vote; empty where the statement does not say."""
    said = statement.get("predicate")
    person = said.get("person") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(person, dict):
        return "", ""
    return str(person.get("id", "")), str(said.get("at", ""))


def _fault_of_passkey(signed: SignedByPasskey, digest: str, vote: Vote, key: Passkey | None) -> str:
    """`key` is the passkey as the ledger made it before the vote."""
    if vote.passkey is None or _parts_of(signed, digest) != _parts_in(vote):
        return OTHERWISE
    if key is None or key.person != vote.person or (key.public_key, key.rp_id) != (signed.public_key, signed.rp_id):
        return "the ledger did not know its passkey as this person's"
    if key.is_revoked:
        return "its passkey was revoked before"
    return "" if key.is_confirmed else "its passkey was not confirmed by others before"


def _parts_of(signed: SignedByPasskey, digest: str) -> Sequence[str]:
    return (signed.credential, signed.client_data, signed.authenticator_data, signed.signature, digest)


def _parts_in(vote: Vote) -> Sequence[str]:
    one = vote.passkey
    return (one.credential, one.client_data, one.authenticator_data, one.signature, one.statement) if one else ()
