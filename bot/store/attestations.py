"""Rows for signed approvals, for trusted public keys, and for the signed requests that votes came in.

`bot.domain.attestation.decision` says what is signed, `handlers.attestation.signing` when.

A key is trusted between two ledger entries: the one that added it and the one that retired it. A time that a signer claims is never used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.events import AccountBound, AccountUnbound, Event, KeyAdded, KeyRetired, OldRecordsListed
from bot.domain.grounds import SignedRequest
from bot.domain.ledger.chain import as_plain
from bot.domain.model import SignedBy, Vote
from bot.errors import NotVerified
from bot.store import tables

if TYPE_CHECKING:
    from bot.signatures import TrustedKey


@dataclass(frozen=True)
class Attestation:
    """`about` is vote or decision, `person` the voter (empty for the decision), `seq` the ledger entry with its digest."""

    request_id: str
    about: str
    person: str
    key_id: str
    envelope: str
    digest: str
    seq: int
    signed_at: datetime


@dataclass(frozen=True)
class KnownKey:
    """A registered public key; `retired_seq` is None while it may sign."""

    id: str
    purpose: str
    algorithm: str
    pem: str
    added_at: datetime
    added_seq: int
    retired_seq: int | None = None
    retired_because: str = ""

    def covers(self, seq: int) -> bool:
        """Whether a signature recorded at this ledger entry counts."""
        return self.added_seq < seq and (self.retired_seq is None or seq < self.retired_seq)


KINDS: sa.BindParameter[Any] = sa.bindparam(
    "kinds", [KeyAdded.__name__, KeyRetired.__name__], expanding=True, literal_execute=True
)  # as literals, so that PostgreSQL can use the partial index `key_entries`
ABOUT_KEYS = (
    sa.select(tables.ledger.c.seq, tables.ledger.c.kind, tables.ledger.c.body)
    .where(tables.ledger.c.kind.in_(KINDS))
    .order_by(tables.ledger.c.seq)
)


class AttestationRows:
    """The signatures of a request are read once a transaction, and again after `add`."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._of: dict[str, list[Attestation]] = {}

    def add(self, attestation: Attestation) -> None:
        self._of.pop(attestation.request_id, None)
        self.connection.execute(sa.insert(tables.attestations).values(asdict(attestation)))

    def of(self, request_id: str) -> list[Attestation]:
        """In the order of signing: the votes, then the decision."""
        if request_id not in self._of:
            rows = tables.attestations
            query = sa.select(rows).where(rows.c.request_id == request_id).order_by(rows.c.seq)
            self._of[request_id] = [_attestation_of(row) for row in self.connection.execute(query)]
        return [*self._of[request_id]]

    def count_by_key(self) -> Mapping[str, int]:
        key = tables.attestations.c.key_id
        counted = self.connection.execute(sa.select(key, sa.func.count()).group_by(key))
        return {row[0]: row[1] for row in counted}


class KeyRows:
    """`ring` is the argument of `bot.signatures.verify`; the keys of `recorded` say whether a key counts at a ledger entry.

    `recorded` reads once a transaction, and again after `add` and `retire`.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._recorded: Mapping[str, KnownKey] | None = None

    def lock(self) -> None:
        """Blocks other transactions that add a key, until this one ends."""
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("keys", 0))))

    def add(self, key: KnownKey) -> None:
        self._recorded = None
        self.connection.execute(sa.insert(tables.keys).values(asdict(key)))

    def find(self, key_id: str) -> KnownKey | None:
        return self._one(sa.select(tables.keys).where(tables.keys.c.id == key_id))

    def find_and_hold(self, key_id: str) -> KnownKey | None:
        """Locks the row: retiring the key waits for this transaction to end, or is already visible to it."""
        return self._one(sa.select(tables.keys).where(tables.keys.c.id == key_id).with_for_update(read=True))

    def starting_with(self, beginning: str, *, for_update: bool = False) -> list[KnownKey]:
        return [key for key in self.all(for_update=for_update) if key.id.startswith(beginning.lower())]

    def all(self, *, for_update: bool = False) -> list[KnownKey]:
        """In the order in which they were added."""
        query = sa.select(tables.keys).order_by(tables.keys.c.added_seq)
        return [_key_of(row) for row in self.connection.execute(query.with_for_update() if for_update else query)]

    def recorded(self) -> Mapping[str, KnownKey]:
        """By id, with the range from the ledger's own entries, because the columns of this table could be changed."""
        if self._recorded is None:
            self._recorded = self._read_recorded()
        return self._recorded

    def counting(self, purpose: str) -> list[KnownKey]:
        """Those of this purpose that may sign, the oldest first."""
        return [key for key in self.recorded().values() if key.purpose == purpose and key.retired_seq is None]

    def _read_recorded(self) -> Mapping[str, KnownKey]:
        there, found = {key.id: key for key in self.all() if _is_itself(key)}, dict[str, KnownKey]()
        for entry in self.connection.execute(ABOUT_KEYS):
            said = json.loads(entry.body)
            key = found.get(said["key"])
            if entry.kind == KeyAdded.__name__ and key is None and said["key"] in there:
                found[said["key"]] = _as_added(there[said["key"]], entry.seq, said["purpose"])
            elif entry.kind == KeyRetired.__name__ and key is not None and key.retired_seq is None:
                found[key.id] = replace(key, retired_seq=entry.seq, retired_because=said["reason"])
        return found

    def ring(self) -> dict[str, TrustedKey]:
        """All keys by id, including retired ones, because their earlier signatures still count."""
        from bot.signatures import TrustedKey  # here and below: the clock reads no keys, and `cryptography` takes 7 MB

        return {key.id: TrustedKey(key.id, key.algorithm, key.pem, key.purpose) for key in self.all()}

    def retire(self, key_id: str, seq: int, reason: str) -> None:
        self._recorded = None
        change = sa.update(tables.keys).where(tables.keys.c.id == key_id)
        self.connection.execute(change.values(retired_seq=seq, retired_because=reason))

    def _one(self, query: sa.Select[Any]) -> KnownKey | None:
        row = self.connection.execute(query).first()
        return _key_of(row) if row else None


def _is_itself(key: KnownKey) -> bool:
    """Whether the id is the digest of the key's bytes, as it must be."""
    from bot.signatures import trusted_key

    try:
        return trusted_key(key.pem).id == key.id
    except NotVerified:
        return False


def _as_added(key: KnownKey, seq: int, purpose: str) -> KnownKey:
    return replace(key, purpose=purpose, added_seq=seq, retired_seq=None, retired_because="")


def _attestation_of(row: sa.Row[Any]) -> Attestation:
    return Attestation(
        row.request_id, row.about, row.person, row.key_id, row.envelope, row.digest, row.seq, row.signed_at
    )


def _key_of(row: sa.Row[Any]) -> KnownKey:
    return KnownKey(
        row.id, row.purpose, row.algorithm, row.pem, row.added_at, row.added_seq, row.retired_seq, row.retired_because
    )


@dataclass(frozen=True)
class VerdictRow:
    """The newest verdict for this version; `target` is a text such as alias:champion."""

    workspace: str
    model: str
    version: int
    target: str
    envelope: str
    expires_at: datetime


class VerdictRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def of(self, workspace: str, model: str, target: str) -> dict[int, VerdictRow]:
        """The verdicts by version number."""
        rows = tables.verdicts
        query = sa.select(rows).where(rows.c.workspace == workspace, rows.c.model == model, rows.c.target == target)
        return {row.version: VerdictRow(*row) for row in self.connection.execute(query)}

    def put(self, verdict: VerdictRow) -> None:
        """Replaces the previous verdict."""
        keys = ("workspace", "model", "version", "target")
        values = asdict(verdict)
        upsert = insert(tables.verdicts).values(values).on_conflict_do_update(index_elements=keys, set_=values)
        self.connection.execute(upsert)

    def lasting(self, until: datetime) -> set[tuple[str, str, int, str]]:
        """Workspace, model, version and target of the verdicts that expire after `until`."""
        rows = tables.verdicts.c
        query = sa.select(rows.workspace, rows.model, rows.version, rows.target).where(rows.expires_at > until)
        return {(row.workspace, row.model, row.version, row.target) for row in self.connection.execute(query)}

    def envelopes(self) -> list[str]:
        return list(self.connection.execute(sa.select(tables.verdicts.c.envelope)).scalars())

    def forget_expired(self, now: datetime) -> None:
        self.connection.execute(sa.delete(tables.verdicts).where(tables.verdicts.c.expires_at <= now))


@dataclass(frozen=True)
class GovernedList:
    """The newest signed list for a registry's guard; `covers` counts the ledger's entries that it takes into account, also those that
    changed nothing in it since it was signed.
    """

    registry: str
    covers: int
    issued_at: datetime
    envelope: str


class GovernedRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def find(self, registry: str) -> GovernedList | None:
        rows = tables.governed_lists
        row = self.connection.execute(sa.select(rows).where(rows.c.registry == registry)).one_or_none()
        return GovernedList(*row) if row else None

    def put(self, new: GovernedList) -> None:
        """Replaces the previous list."""
        values = asdict(new)
        upsert = insert(tables.governed_lists).values(values)
        self.connection.execute(upsert.on_conflict_do_update(index_elements=["registry"], set_=values))


# The requests that votes came in, as the notifier signed them. A row is written with its vote and never changed: the bot's role may not.

VOTE = JsonReader(Vote)
ABOUT_ACCOUNTS: dict[str, JsonReader[Event]] = {
    kind.__name__: JsonReader(kind) for kind in (AccountBound, AccountUnbound, OldRecordsListed)
}
ACCOUNT_KINDS: sa.BindParameter[Any] = sa.bindparam(
    "kinds", list(ABOUT_ACCOUNTS), expanding=True, literal_execute=True
)  # as literals, so that PostgreSQL can use the partial index `account_entries`


@dataclass(frozen=True)
class KeptRequest:
    """`vote` is as it was cast."""

    request_id: str
    signed: SignedRequest
    vote: Vote


class SignedRequestRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, signed: SignedRequest, request_id: str, vote: Vote) -> bool:
        """False when it is kept already: the notifier has sent the same request twice."""
        values = {
            "digest": signed.digest,
            "request_id": request_id,
            "signed_by": signed.signed_by,
            "timestamp": signed.timestamp,
            "signature": signed.signature,
            "body": signed.body,
            "vote": json.dumps(as_plain(vote)),
            "key": signed.key,
        }
        keep = insert(tables.signed_requests).values(values).on_conflict_do_nothing()
        return self._connection.execute(keep.returning(tables.signed_requests.c.digest)).first() is not None

    def find(self, digest: str) -> KeptRequest | None:
        """None too when the row is not what was kept: its digest is another one."""
        query = sa.select(tables.signed_requests).where(tables.signed_requests.c.digest == digest)
        row = self._connection.execute(query).first()
        return kept_of(row) if row else None

    def listed(self) -> OldRecordsListed | None:
        """What an older release left; None when no `migrate` has listed it. Only the first entry counts."""
        lists = self._about_accounts(tables.ledger.c.kind == OldRecordsListed.__name__)
        return next((event for event in lists if isinstance(event, OldRecordsListed)), None)

    def changes_of(self, account: str, *, before: int | None = None) -> list[AccountBound | AccountUnbound]:
        """What the ledger says about this account, oldest first; in the entries before this one when it is given."""
        named = tables.ledger.c.body.contains(
            f'"account":{json.dumps(account)}', autoescape=True
        )  # bodies are canonical
        narrowed = named if before is None else sa.and_(named, tables.ledger.c.seq < before)
        events = (event for event in self._about_accounts(narrowed) if isinstance(event, AccountBound | AccountUnbound))
        return [event for event in events if event.account == account]

    def _about_accounts(self, narrowed: sa.ColumnElement[bool]) -> Iterator[Event]:
        rows = tables.ledger.c
        query = sa.select(rows.kind, rows.body).where(rows.kind.in_(ACCOUNT_KINDS), narrowed).order_by(rows.seq)
        for row in self._connection.execute(query):
            yield ABOUT_ACCOUNTS[row.kind].validate_json(row.body)


def kept_of(row: sa.Row[Any]) -> KeptRequest | None:
    """None when the row was changed."""
    try:
        signed = SignedRequest(SignedBy(row.signed_by), row.body, row.timestamp, row.signature, row.key)
        vote = VOTE.validate_json(row.vote)
    except ValueError:
        return None
    return KeptRequest(row.request_id, signed, vote) if signed.digest == row.digest else None
