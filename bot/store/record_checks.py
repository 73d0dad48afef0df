"""Compares tables with the ledger: policies, bindings, people, switch, absences, kept requests, verdicts, lists of files, placements,
baselines and restored backups.

Each check yields a sentence for each row that was inserted, edited or deleted beside the ledger. Keys, envelopes and requests are compared
in `audit`. docs/ledger.md says what the ledger cannot show.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.domain.events import (
    AccountBound,
    AccountUnbound,
    AwayDeclared,
    AwayEnded,
    DigestSignedOff,
    Event,
    EvidenceFrozen,
    FastTrackSwitched,
    GlassBroken,
    GlassReviewed,
    OldRecordsListed,
    PasskeyConfirmed,
    PasskeyRevoked,
    PolicyActivated,
    RequestEvent,
    VerdictSigned,
    VoteCast,
)
from bot.domain.ledger.chain import as_plain
from bot.domain.model import Vote
from bot.domain.policy.changes import digest_of as digest_of_policy
from bot.domain.policy.rules import Policy
from bot.errors import InvalidPolicy, NotVerified
from bot.signatures import digest_of, payload_of
from bot.store import tables
from bot.store.absences import FAST_TRACK
from bot.store.attestations import kept_of
from bot.store.audit import events_of, placements
from bot.store.ledger import A_FETCH
from bot.store.passkey_checks import passkeys
from bot.store.passkeys import signed_request_of
from bot.store.people import BEFORE
from bot.store.vouched import baselines, restored

ReadPolicy = Callable[[str], Policy]


def differences(connection: sa.Connection, read_policy: ReadPolicy | None = None) -> Iterator[str]:
    """All of them, in a fixed order. `read_policy` turns a policy's text into a Policy; without it, names in policies are not known."""
    yield from _policies(connection)
    yield from _bindings(connection)
    yield from _people(connection, read_policy)
    yield from _switch(connection)
    yield from _absences(connection)
    yield from _signed_requests(connection)
    yield from _passkey_requests(connection)
    yield from _sign_off_requests(connection)
    yield from passkeys(connection)
    yield from _verdicts(connection)
    yield from _manifests(connection)
    yield from placements(connection)
    yield from baselines.differences(connection)
    yield from restored.differences(connection)


def _policies(connection: sa.Connection) -> Iterator[str]:
    said = {
        event.policy_id: (event.digest, event.source, event.at)
        for event in events_of(connection, PolicyActivated)
        if isinstance(event, PolicyActivated)
    }
    for row in connection.execute(sa.select(tables.policies).order_by(tables.policies.c.id)):
        recorded = said.pop(row.id, None)
        if recorded is None:
            yield f"policy {row.id} was inserted: no entry says that it was put in force"
        elif recorded != (row.digest, row.source, row.activated_at) or digest_of_policy(row.text) != row.digest:
            yield f"policy {row.id} was edited: it is not the one that was put in force"
    yield from (f"policy {id_} was deleted" for id_ in said)


def _bindings(connection: sa.Connection) -> Iterator[str]:
    """A binding without an entry is believed only when `OldRecordsListed` has it, or before there is such a list."""
    made: dict[tuple[str, str, datetime], tuple[str, datetime | None]] = {}
    old: dict[tuple[str, str], datetime | None] = {}
    is_listed = False
    for event in events_of(connection, AccountBound, AccountUnbound, OldRecordsListed):
        if isinstance(event, AccountBound):
            made[event.account, event.person, event.at] = (event.how, None)
        elif isinstance(event, AccountUnbound):
            mine = [key for key, (_, until) in made.items() if key[:2] == (event.account, event.person) and not until]
            if mine:
                made[mine[-1]] = (made[mine[-1]][0], event.at)
            else:
                old[event.account, event.person] = event.at
        elif isinstance(event, OldRecordsListed) and not is_listed:
            is_listed = True
            old |= {(one.account, one.person): old.get((one.account, one.person)) for one in event.bindings}
    rows = connection.execute(sa.select(tables.accounts).order_by(tables.accounts.c.id)).all()
    for row in rows:
        whose = f"the binding of account {row.account} to person {row.person}"
        if row.how == BEFORE:
            if (row.account, row.person) not in old and (is_listed or row.unbound_at is not None):
                yield f"{whose} was inserted: no entry lists it"
            elif old.pop((row.account, row.person), None) != row.unbound_at:
                yield f"{whose} was edited"
            continue
        recorded = made.pop((row.account, row.person, row.bound_at), None)
        if recorded is None:
            yield f"{whose} was inserted or edited: no entry binds them at that time"
        elif recorded != (row.how, row.unbound_at):
            yield f"{whose} was edited"
    lost = [*((account, person) for account, person, _ in made), *old]
    yield from (f"the binding of account {account} to person {person} was deleted" for account, person in lost)
    yield from _accounts_of_people(connection, {row.person: row.account for row in rows if row.unbound_at is None})


def _accounts_of_people(connection: sa.Connection, bound: Mapping[str, str]) -> Iterator[str]:
    known = {row.id: row.account for row in connection.execute(sa.select(tables.people.c.id, tables.people.c.account))}
    for person in sorted(known.keys() | bound.keys()):
        if person not in known:
            yield f"person {person} was deleted, and an account is bound to them"
        elif known[person] != bound.get(person):
            yield f"person {person} was edited: their account is not the one that is bound to them"


def _people(connection: sa.Connection, read_policy: ReadPolicy | None) -> Iterator[str]:
    """Those who have voted: their addresses as signed, and a name that was signed or that a policy gave. Others are not in the ledger."""
    signed_names, signed_emails = _signed_people(connection)
    listed = _names_in_policies(connection, read_policy)
    rows = {row.id: row for row in connection.execute(sa.select(tables.people))}
    for person in sorted(signed_names):
        row = rows.get(person)
        if row is None:
            yield f"person {person} was deleted, and has voted"
        elif listed.is_whole and row.name not in signed_names[person] | listed.names.get(row.email, set()):
            yield f"person {person} was edited: no signed vote and no policy gives them the name that they have now"
        elif signed_emails[person] - {row.email}:
            yield f"person {person} was edited: their address is not the one in their signed votes"
    known = {row.email for row in rows.values()}
    yield from (
        f"the person with the address {email} was deleted: a policy names them" for email in listed.names.keys() - known
    )


def _signed_people(connection: sa.Connection) -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """Names and addresses of voters by id, as far as the signed statements have them."""
    names, emails = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    query = sa.select(tables.attestations.c.envelope).where(tables.attestations.c.about == "vote")
    with connection.execute(query.execution_options(yield_per=A_FETCH)) as rows:
        for envelope in rows.scalars():
            person = _person_in(envelope)
            if person.get("id"):
                names[person["id"]].add(person.get("name", ""))
                emails[person["id"]] |= {person.get("email", "")} - {""}
    return names, emails


def _person_in(envelope: str) -> dict[str, str]:
    try:
        said = json.loads(payload_of(envelope))["predicate"]["person"]
    except (NotVerified, ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


@dataclass(frozen=True)
class _Listed:
    """The names that policies give to addresses. Not `is_whole` when a policy could not be read: it may give more."""

    names: Mapping[str, set[str]]
    is_whole: bool


def _names_in_policies(connection: sa.Connection, read_policy: ReadPolicy | None) -> _Listed:
    if read_policy is None:
        return _Listed({}, is_whole=False)
    found, is_whole = defaultdict[str, set[str]](set), True
    for text in connection.execute(sa.select(tables.policies.c.text)).scalars():
        try:
            policy = read_policy(text)
        except InvalidPolicy:
            is_whole = False  # written for another release
            continue
        for entry in policy.people:
            found[entry.email].add(entry.name)
    return _Listed(found, is_whole)


def _switch(connection: sa.Connection) -> Iterator[str]:
    said: tuple[object, ...] = (True, None, None, "")
    for event in events_of(connection, FastTrackSwitched):
        if isinstance(event, FastTrackSwitched):
            said = (event.on, event.at, event.person, event.reason)
    rows = [row for row in connection.execute(sa.select(tables.switches)) if row.name == FAST_TRACK]
    if not rows:
        yield "the fast track's switch was deleted"
    elif (rows[0].is_on, rows[0].at, rows[0].person, rows[0].reason) != said:
        yield "the fast track's switch was edited: it is not in the position that it was last switched to"


def _absences(connection: sa.Connection) -> Iterator[str]:
    said: dict[str, tuple[str, datetime, datetime]] = {}
    for event in events_of(connection, AwayDeclared, AwayEnded):
        if isinstance(event, AwayDeclared):
            said[event.person] = (event.delegate, event.at, event.until)
        elif isinstance(event, AwayEnded):
            said.pop(event.person, None)
    for row in connection.execute(sa.select(tables.absences).order_by(tables.absences.c.person)):
        if said.pop(row.person, None) != (row.delegate, row.since, row.until):
            yield f"the absence of person {row.person} was inserted or edited"
    yield from (f"the absence of person {person} was deleted" for person in said)


def _signed_requests(connection: sa.Connection) -> Iterator[str]:
    said: dict[str, tuple[str, object]] = {}
    for event in events_of(connection, VoteCast, GlassBroken, GlassReviewed):
        vote = _sent_in(event)
        if isinstance(event, RequestEvent) and vote is not None and vote.signed_request:
            said[vote.signed_request] = (event.request_id, as_plain(vote))
    with connection.execute(sa.select(tables.signed_requests).execution_options(yield_per=A_FETCH)) as rows:
        for row in rows:
            kept = kept_of(row)
            if kept is None or said.pop(row.digest, None) != (kept.request_id, as_plain(kept.vote)):
                yield f"the signed request {row.digest[:19]} of request {row.request_id} was inserted or edited"
    yield from (
        f"the signed request {digest[:19]} of request {about} was deleted" for digest, (about, _) in said.items()
    )


def _sent_in(event: Event) -> Vote | None:
    """What a person sent: a vote, or that they broke the glass, or what they say about that."""
    match event:
        case VoteCast():
            return event.vote
        case GlassBroken():
            return event.deed
        case GlassReviewed():
            return event.said
        case _:
            return None


def _passkey_requests(connection: sa.Connection) -> Iterator[str]:
    """Whether a secret of Slack's signed them is not checked here: over the years that a passkey lives, secrets are replaced."""
    named: dict[str, str] = {}
    for event in events_of(connection, PasskeyConfirmed, PasskeyRevoked):
        if not isinstance(event, PasskeyConfirmed | PasskeyRevoked):
            continue
        if event.signed_request:
            named[event.signed_request] = event.person
        elif isinstance(event, PasskeyConfirmed):
            yield f"person {event.by} confirmed a passkey of person {event.person} without a signed request: no button was pressed"
    for row in connection.execute(sa.select(tables.passkey_requests)):
        kept = signed_request_of(row)
        if kept is None or named.pop(row.digest, None) is None:
            yield f"the signed request {row.digest[:19]} about a passkey was inserted or edited"
    for digest, person in named.items():
        yield f"the signed request {digest[:19]} about a passkey of person {person} was deleted"


def _sign_off_requests(connection: sa.Connection) -> Iterator[str]:
    """A digest that was signed off on a page has no request of the notifier's."""
    named = {}
    for event in events_of(connection, DigestSignedOff):
        if isinstance(event, DigestSignedOff) and event.signed_request:
            named[event.signed_request] = event.week
    for row in connection.execute(sa.select(tables.sign_off_requests)):
        kept = signed_request_of(row)
        if kept is None or named.pop(row.digest, None) is None:
            yield f"the signed request {row.digest[:19]} about a sign-off was inserted or edited"
    for digest, week in named.items():
        yield f"the signed request {digest[:19]} about the sign-off of {week} was deleted"


def _verdicts(connection: sa.Connection) -> Iterator[str]:
    """The newest verdict about each version and target. One that has expired may be gone."""
    said: dict[tuple[str, str, str], VerdictSigned] = {}
    old: frozenset[str] | None = None
    for event in events_of(connection, VerdictSigned, OldRecordsListed):
        if isinstance(event, VerdictSigned):
            said[event.workspace, event.uri, str(event.target)] = event
        elif isinstance(event, OldRecordsListed) and old is None:
            old = frozenset(event.verdicts)
    for row in connection.execute(sa.select(tables.verdicts)):
        uri, digest = f"models:/{row.model}/{row.version}", digest_of(row.envelope)
        recorded = said.pop((row.workspace, uri, row.target), None)
        if recorded is None and old is not None and digest not in old:
            yield f"the verdict on {uri} for {row.target} was inserted"
        elif recorded is not None and (recorded.digest, recorded.expires_at) != (digest, row.expires_at):
            yield f"the verdict on {uri} for {row.target} was edited"
    now = _latest_moment(connection)
    gone = (event for event in said.values() if event.expires_at > now)
    yield from (f"the verdict on {event.uri} for {event.target} was deleted" for event in gone)


def _latest_moment(connection: sa.Connection) -> datetime:
    newest = sa.select(sa.func.max(tables.ledger.c.at)).scalar_subquery()
    moment: datetime = connection.execute(sa.select(sa.func.greatest(newest, sa.func.now()))).scalar_one()
    return moment


def _manifests(connection: sa.Connection) -> Iterator[str]:
    """The lists of files that evidence names. A list that no evidence names says nothing about any version, if its digest fits."""
    named = {
        event.evidence.artifacts.digest
        for event in events_of(connection, EvidenceFrozen)
        if isinstance(event, EvidenceFrozen) and event.evidence.artifacts
    }
    with connection.execute(sa.select(tables.manifests).execution_options(yield_per=A_FETCH)) as rows:
        for row in rows:
            if "sha256:" + hashlib.sha256(row.text.encode()).hexdigest() != row.digest:
                yield f"the list of files {row.digest[:19]} was edited"
            named.discard(row.digest)
    yield from (f"the list of files {digest[:19]} was deleted" for digest in sorted(named))
