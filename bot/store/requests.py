"""The rows of transition requests. A row's columns only index what its body says; `bot.domain.request` decides what changes in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import tracing
from bot.database.json_readers import JsonReader
from bot.domain.attestation.governed import GovernedRequest
from bot.domain.break_glass.reviewing import review_by
from bot.domain.ledger.chain import as_plain
from bot.domain.model import OPEN, Kind, State, Target, TargetKind, TransitionRequest, VersionId
from bot.errors import NotFound, Refused
from bot.ids import new_id
from bot.language import _
from bot.store import tables
from bot.store.contents import content_columns

REQUEST = JsonReader(TransitionRequest)
LIVE = (State.COLLECTING, State.PENDING, State.APPROVED)
SHORTEST_ID = 8  # characters; as cards, tickets and lists print it
BODY = sa.select(tables.requests.c.body).where(tables.requests.c.id == sa.bindparam("request_id"))
LOCKED = sa.select(tables.requests).where(tables.requests.c.id == sa.bindparam("request_id")).with_for_update()


@dataclass(frozen=True)
class Wanted:
    """Which requests are looked for; `states` of () and None elsewhere mean all. `requesters` are people's ids; `until` is not included."""

    states: Sequence[State] = ()
    workspace: str | None = None
    model: str | None = None
    target: Target | None = None
    requesters: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


def new_request_id() -> str:
    """Opaque and unguessable; in no order."""
    return new_id()


class RequestRows:
    """Reads and writes requests on one connection, inside its transaction.

    A row that this transaction has locked or written is read once: until the transaction ends, only it can change the row.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._held: dict[str, str] = {}  # the bodies of those rows, by id
        self._locked: dict[str, sa.Row[Any]] = {}  # as they were when they were locked

    def governed(self) -> list[GovernedRequest]:
        """Those that wait for an approval or have one. From the columns alone: a house has thousands, and the bodies are large."""
        rows = tables.requests.c
        origin = sa.func.coalesce(rows.content_origin, "")
        query = sa.select(rows.workspace, rows.model, rows.version, rows.version_created, rows.opened_at, origin)
        found = self.connection.execute(query.where(rows.state.in_((*OPEN, State.APPROVED, State.APPLIED))))
        return [GovernedRequest(VersionId(*row[:4]), row[4], row[5]) for row in found]

    def lock_model(self, workspace: str, model: str) -> None:
        """Keeps other transactions from opening a request for this model until this one ends."""
        key = sa.func.hashtextextended(f"{workspace}/{model}", 0)
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def new_id(self) -> str:
        """With traces on, the id of the trace in which the first request is opened: that trace is then its own."""
        offered = tracing.offered_id()
        taken = sa.select(tables.requests.c.id).where(tables.requests.c.id == offered)
        return offered if offered and self.connection.execute(taken).first() is None else new_request_id()

    def get(self, request_id: str, *, for_update: bool = False) -> TransitionRequest:
        """Raises NotFound when there is none: ids come from buttons and command lines."""
        if not (request_id.isascii() and request_id.isprintable()):  # PostgreSQL would refuse it as a parameter
            raise NotFound(_("there is no such request: its id holds letters that no id of ours has"))
        if request_id in self._held:
            return request_of(self._held[request_id])
        row = self.connection.execute(LOCKED if for_update else BODY, {"request_id": request_id}).first()
        if row is None:
            raise NotFound(_('there is no request "{id}". It may belong to another installation', id=request_id[:64]))
        if for_update:
            self._held[request_id], self._locked[request_id] = row.body, row
        return request_of(row.body)

    def some(self, request_ids: Collection[str]) -> dict[str, TransitionRequest]:
        """Those of the ids that there are, in one statement."""
        rows = tables.requests.c
        query = sa.select(rows.id, rows.body).where(rows.id.in_(sorted(request_ids)))
        return {row.id: request_of(row.body) for row in self.connection.execute(query)} if request_ids else {}

    def row_of(self, request_id: str) -> sa.Row[Any] | None:
        """With the columns by which it is found; for one that this transaction has locked, as they were then."""
        if request_id in self._locked:
            return self._locked[request_id]
        return self.connection.execute(sa.select(tables.requests).where(tables.requests.c.id == request_id)).first()

    def rollbacks_of(self, models: Collection[tuple[str, str]]) -> list[TransitionRequest]:
        """The rollbacks that were applied in these models, each a workspace and a name."""
        rows = tables.requests.c
        here = sa.tuple_(rows.workspace, rows.model).in_(sorted(models))
        query = sa.select(rows.body).where(here, rows.state == State.APPLIED, rows.kind == Kind.ROLLBACK)
        return [request_of(body) for body in self.connection.execute(query).scalars()] if models else []

    def full_id(self, beginning: str) -> str:
        """The full id for the first characters of one; returns anything else unchanged. Raises Refused when several ids match."""
        if len(beginning) < SHORTEST_ID or not (beginning.isascii() and beginning.isalnum()):
            return beginning
        query = sa.select(tables.requests.c.id).where(tables.requests.c.id.startswith(beginning)).limit(2)
        found = self.connection.execute(query).scalars().all()
        if len(found) > 1:
            raise Refused(_('several requests begin with "{id}". Write more letters of the one you mean', id=beginning))
        return found[0] if found else beginning

    def find(
        self,
        *,
        states: Sequence[State] = (),
        workspace: str | None = None,
        model: str | None = None,
        version: VersionId | None = None,
        number: int | None = None,
        target: Target | None = None,
        for_update: bool = False,
    ) -> list[TransitionRequest]:
        """Oldest first; with `for_update`, locked in the order of their ids. `number` is of any version that had it."""
        rows = tables.requests.c
        query = sa.select(rows.id, rows.body).order_by(rows.id if for_update else rows.opened_at, rows.id)
        if states:
            query = query.where(rows.state.in_(states))
        if version is not None:
            query = query.where(rows.version == version.version, rows.version_created == version.created)
            workspace, model = version.workspace, version.model
        if workspace is not None:
            query = query.where(rows.workspace == workspace)
        if model is not None:
            query = query.where(rows.model == model)
        if number is not None:
            query = query.where(rows.version == number)
        if target is not None:
            query = query.where(rows.target == str(target))
        if for_update:
            query = query.with_for_update()
        read = ((row.id, request_of(row.body)) for row in self.connection.execute(query))
        return [request for kept_as, request in read if request.id == kept_as]  # another's body says nothing here

    def collecting_before(self, request: TransitionRequest, limit: int) -> int:
        """How many requests of the same person, or of the same model where nobody is known to ask, were opened before this one and lack
        evidence; at most `limit`. A rollback waits for none.
        """
        if request.kind is Kind.ROLLBACK:
            return 0
        rows, version = tables.requests.c, request.version
        of_model = sa.and_(rows.workspace == version.workspace, rows.model == version.model)
        alike = rows.people.contains([request.requester]) if request.requester else of_model
        earlier = sa.tuple_(rows.opened_at, rows.id) < sa.tuple_(sa.literal(request.opened_at), sa.literal(request.id))
        query = sa.select(rows.id).where(rows.state == State.COLLECTING, alike, earlier).limit(limit)
        return len(self.connection.execute(query).all())

    def targets_of(self, workspace: str, model: str) -> frozenset[Target]:
        """All that were ever asked for, for any version of the model."""
        rows = tables.requests.c
        query = sa.select(rows.target).distinct().where(rows.workspace == workspace, rows.model == model)
        return frozenset(Target.parse(target) for target in self.connection.execute(query).scalars())

    def models_with(self, workspace: str, states: Sequence[State]) -> set[str]:
        """The models with a request in one of these states."""
        rows = tables.requests.c
        query = sa.select(rows.model).distinct().where(rows.workspace == workspace, rows.state.in_(states))
        return set(self.connection.execute(query).scalars())

    def before(self, version: VersionId, limit: int) -> list[TransitionRequest]:
        """Of the model's older versions, highest first; at most so many requests."""
        rows = tables.requests.c
        older = sa.and_(
            rows.workspace == version.workspace, rows.model == version.model, rows.version < version.version
        )
        query = sa.select(rows.body).where(older).order_by(rows.version.desc(), rows.opened_at.desc()).limit(limit)
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def that_moved(self, version: VersionId, models: Collection[str]) -> list[TransitionRequest]:
        """Those for the version, and those by which another may have taken its place: applied, of moves by hand, and rollbacks."""
        rows = tables.requests.c
        targets = [str(Target(TargetKind.MODEL, model)) for model in models]
        mine = sa.and_(rows.workspace == version.workspace, sa.or_(rows.model.in_(models), rows.target.in_(targets)))
        moved = sa.or_(
            rows.version == version.version, rows.state == State.APPLIED, rows.kind.in_((Kind.OBSERVED, Kind.ROLLBACK))
        )
        query = sa.select(rows.body).where(mine, moved).order_by(rows.opened_at, rows.id)
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def page(self, which: Wanted, limit: int, after: str = "") -> list[TransitionRequest]:
        """At most `limit`, the newest first; `after` is the id of the last one of the page before. Raises NotFound when it is unknown.

        Nothing is counted or skipped, so a page far back costs as much as the first.
        """
        rows = tables.requests.c
        query = (
            sa.select(rows.body).where(*_conditions(which)).order_by(rows.opened_at.desc(), rows.id.desc()).limit(limit)
        )
        if after:
            last = self.get(after)
            query = query.where(
                sa.tuple_(rows.opened_at, rows.id) < sa.tuple_(sa.literal(last.opened_at), sa.literal(last.id))
            )
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def opened_since(
        self, since: datetime, limit: int, after: TransitionRequest | None = None
    ) -> list[TransitionRequest]:
        """At most `limit`, oldest first, from the one after `after` on."""
        rows = tables.requests.c
        query = sa.select(rows.body).where(rows.opened_at >= since).order_by(rows.opened_at, rows.id).limit(limit)
        if after is not None:
            there = sa.tuple_(sa.literal(after.opened_at), sa.literal(after.id))
            query = query.where(sa.tuple_(rows.opened_at, rows.id) > there)
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def applied(self, requests: Collection[TransitionRequest]) -> list[TransitionRequest]:
        """Those by which one of these requests' versions has reached a target; by number and creation time, so others may be among them."""
        rows = tables.requests.c
        versions = {(one.version.created, one.version.version) for one in requests}
        mine = sa.tuple_(rows.version_created, rows.version).in_(versions)
        query = sa.select(rows.body).where(mine, rows.state == State.APPLIED)
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def due(self, now: datetime, spared: Collection[str] = ()) -> list[str]:
        """The ids of the open requests whose time is up, but for those in the `spared` workspaces."""
        rows = tables.requests.c
        overdue = sa.and_(rows.state.in_(OPEN), rows.expires_at <= now, rows.workspace.not_in(spared))
        return list(self.connection.execute(sa.select(rows.id).where(overdue).order_by(rows.id)).scalars())

    def to_review(self) -> list[TransitionRequest]:
        """Those by which somebody broke the glass and that nobody else has reviewed, the earliest due first."""
        rows = tables.requests.c
        query = sa.select(rows.body).where(rows.review_by.is_not(None)).order_by(rows.review_by, rows.id)
        return [request_of(body) for body in self.connection.execute(query).scalars()]

    def with_ticket(self, ticket_id: str) -> str | None:
        query = sa.select(tables.requests.c.id).where(tables.requests.c.ticket_id == ticket_id)
        return self.connection.execute(query).scalar()

    def failed(self, request: TransitionRequest) -> TransitionRequest | None:
        """The request by which the failed version had reached the target, found behind stale requests for this rollback."""
        if request.kind is not Kind.ROLLBACK or request.follows is None:
            return None
        found = self.get(request.follows)
        return self.failed(found) if found.away_from == request.away_from else found

    def count(self) -> Mapping[str, int]:
        """How many requests are in each state."""
        rows = self.connection.execute(
            sa.select(tables.requests.c.state, sa.func.count()).group_by(tables.requests.c.state)
        )
        return {row.state: row[1] for row in rows}

    def insert(self, request: TransitionRequest) -> None:
        columns = _columns(request)
        self.connection.execute(sa.insert(tables.requests).values(id=request.id, **columns))
        self._held[request.id] = str(columns["body"])
        self._locked.pop(request.id, None)

    def update(self, request: TransitionRequest) -> None:
        columns = _columns(request)
        self.connection.execute(sa.update(tables.requests).where(tables.requests.c.id == request.id).values(**columns))
        self._held[request.id] = str(columns["body"])
        self._locked.pop(request.id, None)


def _conditions(which: Wanted) -> list[sa.ColumnElement[bool]]:
    rows, found = tables.requests.c, list[sa.ColumnElement[bool]]()
    if which.states:
        found.append(rows.state.in_(which.states))
    if which.workspace is not None:
        found.append(rows.workspace == which.workspace)
    if which.model is not None:
        found.append(rows.model == which.model)
    if which.target is not None:
        found.append(rows.target == str(which.target))
    if which.requesters is not None:  # a text cannot hold this: in it, a quotation mark has a backslash in front
        named = (sa.func.strpos(rows.body, f'"requester": "{person}"') > 0 for person in which.requesters)
        found.append(sa.or_(sa.false(), *named))
    if which.since is not None:
        found.append(rows.opened_at >= which.since)
    if which.until is not None:
        found.append(rows.opened_at < which.until)
    return found


def people_in(request: TransitionRequest) -> frozenset[str]:
    """The ids of all whom a search for a person finds it by: who asked, joined, trained, voted, said something, or called it off."""
    voted = (person for vote in request.votes for person in (vote.person, *vote.standing_in_for))
    glass = request.glass
    broke = (glass.person, glass.review.person if glass.review else "") if glass else ()
    named = (
        request.requester,
        request.author,
        request.commit_author,
        *request.joined,
        *voted,
        request.ended_by,
        *broke,
        *request.conversation.people,
    )
    return frozenset(filter(None, named))


def request_of(body: str) -> TransitionRequest:
    """From the body of a row."""
    return REQUEST.validate_python(json.loads(body))


def search_columns(request: TransitionRequest) -> dict[str, object]:
    """What the pages search by, beside the version."""
    return {
        "ticket_key": request.ticket.key if request.ticket else None,
        "decided_at": request.decided_at,
        "people": sorted(people_in(request)),
    }


def _columns(request: TransitionRequest) -> dict[str, object]:
    return {
        "state": request.state,
        "kind": request.kind,
        "workspace": request.version.workspace,
        "model": request.version.model,
        "version": request.version.version,
        "version_created": request.version.created,
        "target": str(request.target),
        "opened_at": request.opened_at,
        "expires_at": request.expires_at,
        "ticket_id": request.ticket.id if request.ticket else None,
        "review_by": review_by(request),
        **search_columns(request),
        "body": json.dumps(as_plain(request)),  # a NaN metric survives as text
        **content_columns(request.evidence),
    }
