"""Passkeys by the ledger's entries, and rows for the votes and pages that wait for one.

Which passkeys count is read from the ledger alone, so that no row beside it can add one. `bot.domain.request.passkeys` says how.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.event import Event
from bot.domain.grounds import SignedBy, SignedRequest
from bot.domain.ledger.chain import as_plain
from bot.domain.model import Vote
from bot.domain.passkey_events import PASSKEY_EVENTS
from bot.domain.references import PostedCard
from bot.domain.request.passkeys import Passkey, passkeys_from
from bot.errors import NotFound, Refused
from bot.language import _
from bot.ports import Click
from bot.store import tables

VOTE, CLICK = JsonReader(Vote), JsonReader(Click)
ABOUT_PASSKEYS: dict[str, JsonReader[Event]] = {kind.__name__: JsonReader(kind) for kind in PASSKEY_EVENTS}
KINDS: sa.BindParameter[Any] = sa.bindparam(
    "kinds", list(ABOUT_PASSKEYS), expanding=True, literal_execute=True
)  # as literals, so that PostgreSQL can use the partial index `passkey_entries`


@dataclass(frozen=True)
class PendingVote:
    """A vote that waits for its person's passkey. The sha256 of `statement`, an exact text, is the challenge; `click` was pressed."""

    id: str
    request_id: str
    vote: Vote
    click: Click
    statement: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True)
class PendingEnrolment:
    """A page where `person` makes a passkey, asked for by `account` in `team`. `challenge` is base64url.

    `credential` is the passkey that was made there, and empty before.
    """

    id: str
    person: str
    account: str
    team: str
    challenge: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    credential: str = ""


class PasskeyRows:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    # Passkeys

    def lock(self) -> None:
        """Blocks other transactions that change passkeys, until this one ends."""
        self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("passkeys", 0))))

    def all(self, before: int | None = None) -> dict[str, Passkey]:
        """By credential, in the order of enrolment; with `before`, as they were just before that ledger entry."""
        return passkeys_from(self._events(before))

    def of(self, person: str, before: int | None = None) -> list[Passkey]:
        """Also those that are not confirmed or are revoked."""
        return [key for key in self.all(before).values() if key.person == person]

    def find(self, credential: str, before: int | None = None) -> Passkey | None:
        return self.all(before).get(credential)

    def named(self, beginning: str) -> Passkey:
        """The one whose id begins like this. Raises Refused when there is none, or more than one."""
        found = [key for key in self.all().values() if beginning and key.id.startswith(beginning.lower())]
        if not found:
            raise NotFound(_('there is no passkey "{id}". `countersign passkeys list` shows all', id=beginning[:40]))
        if len(found) > 1:
            raise Refused(
                _('"{id}" is the beginning of {count} passkeys. Write more of it', id=beginning, count=len(found))
            )
        return found[0]

    def _events(self, before: int | None) -> Iterator[Event]:
        rows = tables.ledger.c
        query = sa.select(rows.kind, rows.body).where(rows.kind.in_(KINDS)).order_by(rows.seq)
        if before is not None:
            query = query.where(rows.seq < before)
        for row in self._connection.execute(query):
            yield ABOUT_PASSKEYS[row.kind].validate_json(row.body)

    # Votes that wait

    def keep_pending(self, pending: PendingVote) -> None:
        values = {
            "id": pending.id,
            "request_id": pending.request_id,
            "person": pending.vote.person,
            "vote": json.dumps(as_plain(pending.vote)),
            "click": json.dumps(as_plain(pending.click)),
            "statement": pending.statement,
            "made_at": pending.made_at,
            "expires_at": pending.expires_at,
            "used_at": pending.used_at,
        }
        self._connection.execute(sa.insert(tables.pending_votes).values(values))

    def pending(self, id_: str, *, for_update: bool = False) -> PendingVote | None:
        query = sa.select(tables.pending_votes).where(tables.pending_votes.c.id == id_)
        row = self._connection.execute(query.with_for_update() if for_update else query).first()
        return _pending_of(row) if row else None

    def pending_of(self, request_id: str, statement_digest: str) -> PendingVote | None:
        """The one whose statement has this digest (sha256:...)."""
        rows = tables.pending_votes.c
        digest = sa.literal("sha256:") + sa.func.encode(
            sa.func.sha256(sa.func.convert_to(rows.statement, "UTF8")), "hex"
        )
        query = sa.select(tables.pending_votes).where(rows.request_id == request_id, digest == statement_digest)
        row = self._connection.execute(query.order_by(rows.made_at)).first()
        return _pending_of(row) if row else None

    def waiting(self, person: str, now: datetime) -> int:
        """How many votes of this person can still be signed."""
        rows = tables.pending_votes.c
        wait = (rows.person == person, rows.used_at.is_(None), rows.expires_at > now)
        return self._connection.execute(sa.select(sa.func.count()).where(*wait)).scalar_one()

    def forget_unsigned_votes(self, until: datetime) -> None:
        """Those that expired before `until`. Only the tables' owner may: the bot could delete the statement of a vote that was cast."""
        rows = tables.pending_votes
        self._connection.execute(sa.delete(rows).where(rows.c.used_at.is_(None), rows.c.expires_at < until))

    def use(self, id_: str, at: datetime) -> None:
        rows = tables.pending_votes
        self._connection.execute(sa.update(rows).where(rows.c.id == id_).values(used_at=at))

    # Pages where a passkey is made

    def keep_enrolment(self, pending: PendingEnrolment) -> None:
        self._connection.execute(sa.insert(tables.pending_enrolments).values(asdict(pending)))

    def enrolment(self, id_: str, *, for_update: bool = False) -> PendingEnrolment | None:
        query = sa.select(tables.pending_enrolments).where(tables.pending_enrolments.c.id == id_)
        row = self._connection.execute(query.with_for_update() if for_update else query).first()
        return PendingEnrolment(*row) if row else None

    def use_enrolment(self, id_: str, credential: str, at: datetime) -> None:
        rows = tables.pending_enrolments
        self._connection.execute(sa.update(rows).where(rows.c.id == id_).values(used_at=at, credential=credential))

    def forget_enrolments(self, until: datetime) -> int:
        """Those that expired before `until`; returns how many."""
        rows = tables.pending_enrolments
        return self._connection.execute(sa.delete(rows).where(rows.c.expires_at < until)).rowcount

    # Messages that ask others to confirm a passkey

    def keep_card(self, credential: str, asked_in: str, posted: PostedCard) -> None:
        """`asked_in` is the channel as the policy names it."""
        values = {"credential": credential, "asked_in": asked_in, **_columns(posted)}
        self._connection.execute(insert(tables.passkey_cards).values(values).on_conflict_do_nothing())

    def replace_card(self, credential: str, asked_in: str, posted: PostedCard, instead_of: PostedCard) -> None:
        """When the message `instead_of` was deleted."""
        rows = tables.passkey_cards
        here = (rows.c.credential == credential, rows.c.asked_in == asked_in, rows.c.message == instead_of.message)
        self._connection.execute(sa.update(rows).where(*here).values(**_columns(posted)))

    def cards(self, credential: str) -> dict[str, PostedCard]:
        """By channel, as the policy names it."""
        rows = tables.passkey_cards.c
        query = sa.select(tables.passkey_cards).where(rows.credential == credential).order_by(rows.asked_in)
        found = self._connection.execute(query)
        return {row.asked_in: PostedCard(row.team, row.app, row.channel, row.message, row.url) for row in found}

    # Signed requests

    def keep_request(self, signed: SignedRequest) -> bool:
        """False when it is kept already: the notifier has sent the same request twice."""
        values = {"digest": signed.digest, **asdict(signed)}
        keep = insert(tables.passkey_requests).values(values).on_conflict_do_nothing()
        return self._connection.execute(keep.returning(tables.passkey_requests.c.digest)).first() is not None

    def request(self, digest: str) -> SignedRequest | None:
        """None too when the row is not what was kept: its digest is another one."""
        query = sa.select(tables.passkey_requests).where(tables.passkey_requests.c.digest == digest)
        row = self._connection.execute(query).first()
        return signed_request_of(row) if row else None


def signed_request_of(row: sa.Row[Any]) -> SignedRequest | None:
    """None when the row was changed."""
    if row.signed_by not in set(SignedBy):
        return None
    signed = SignedRequest(SignedBy(row.signed_by), row.body, row.timestamp, row.signature, row.key)
    return signed if signed.digest == row.digest else None


def _pending_of(row: sa.Row[Any]) -> PendingVote:
    return PendingVote(
        row.id,
        row.request_id,
        VOTE.validate_json(row.vote),
        CLICK.validate_json(row.click),
        row.statement,
        row.made_at,
        row.expires_at,
        row.used_at,
    )


def _columns(posted: PostedCard) -> dict[str, str]:
    """These cards are never replies, so the row has no thread."""
    return {name: value for name, value in asdict(posted).items() if name != "thread"}
