"""Rows for the weekly digests: each week's frozen figures, the files that are not made again, and the deliveries.

`handlers.digest.schedule` decides when a week is due, `bot.domain.digest.figures` defines the figures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bot.database.json_readers import JsonReader
from bot.domain.digest.periods import Period
from bot.domain.digest.sign_off import SignOff
from bot.domain.events import DigestSignedOff
from bot.domain.grounds import SignedRequest
from bot.domain.policy.rules import DigestPlan
from bot.domain.references import PostedCard, TicketRef
from bot.engine.rows import dropped
from bot.store import tables

SLACK, JIRA, EMAIL = "slack", "jira", "email"
RECEIVERS = {"post_digest": SLACK, "file_digest": JIRA, "mail_digest": EMAIL}  # the effect that delivers to each

PLAN = JsonReader(DigestPlan)
POSTED = JsonReader(PostedCard)
TICKET = JsonReader(TicketRef)
SIGNED_OFF = JsonReader(DigestSignedOff)


@dataclass(frozen=True)
class Closed:
    """A frozen week. `figures` is canonical JSON and `digest` its sha256; `plan` was in force when the week was closed.

    `holdings` and `waiting` are the complete lists at the end of the week as CSV; `sizes` are the files' sizes in bytes by name.
    """

    period: Period
    closed_at: datetime
    figures: str
    digest: str
    pdf: bytes
    chart: bytes
    plan: DigestPlan
    holdings: str
    waiting: str
    sizes: Mapping[str, int]

    @property
    def figures_digest(self) -> str:
        """The sha256 of the figures as they are stored now."""
        return hashlib.sha256(self.figures.encode()).hexdigest()


@dataclass(frozen=True)
class DigestRow(Closed):
    """With its deliveries: each is None until delivered, and stays None when the plan has no such receiver.

    `card` is there from when the message is, `posted` once all that belongs into its thread is.
    """

    card: PostedCard | None = None
    posted: PostedCard | None = None
    ticket: TicketRef | None = None
    mailed_at: datetime | None = None


@dataclass(frozen=True)
class Undelivered:
    """A closed week, and the receivers still waiting for its digest: slack, jira, email."""

    week: str
    receivers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.week} to {' and '.join(self.receivers)}"


class DigestRows:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def newest(self) -> Period | None:
        """The last closed week."""
        rows = tables.digests.c
        query = sa.select(rows.week, rows.timezone, rows.starts, rows.ends).order_by(rows.starts.desc()).limit(1)
        row = self.connection.execute(query).first()
        return Period(*row) if row else None

    def find(self, week: str, *, for_update: bool = False) -> DigestRow | None:
        query = sa.select(tables.digests).where(tables.digests.c.week == week)
        row = self.connection.execute(query.with_for_update() if for_update else query).first()
        return _row_of(row) if row else None

    def before(self, week: str, limit: int) -> list[tuple[str, datetime, str, DigestPlan]]:
        """The newest closed weeks before this one, oldest first: week, closing, sha256 of the figures, and the plan at the closing."""
        rows = tables.digests.c
        query = sa.select(rows.week, rows.closed_at, rows.digest, rows.plan).where(rows.week < week)
        newest = self.connection.execute(query.order_by(rows.week.desc()).limit(limit)).all()
        return [(row.week, row.closed_at, row.digest, PLAN.validate_json(row.plan)) for row in reversed(newest)]

    def sign_offs(self, week: str | None = None) -> Iterator[SignOff]:
        """What the ledger says about sign-offs, oldest first: of one week, or of all."""
        rows = tables.ledger.c
        query = sa.select(rows.body).where(rows.kind == DigestSignedOff.__name__).order_by(rows.seq)
        for body in self.connection.execute(query).scalars():
            event = SIGNED_OFF.validate_json(body)
            if week in (None, event.week):
                yield SignOff(event.week, event.digest, event.entries, event.person, event.at, event.remark)

    def sign_off_of(self, week: str, digest: str) -> SignOff | None:
        """The first one of exactly these figures, which is the only one that is recorded."""
        return next((one for one in self.sign_offs(week) if one.digest == digest), None)

    def keep_request(self, signed: SignedRequest) -> bool:
        """The request in which a digest was signed off. False when it is kept already: the notifier has sent it twice."""
        values = {"digest": signed.digest, **asdict(signed)}
        keep = insert(tables.sign_off_requests).values(values).on_conflict_do_nothing()
        return self.connection.execute(keep.returning(tables.sign_off_requests.c.digest)).first() is not None

    def weeks(self, before: str, limit: int) -> list[tuple[Period, datetime]]:
        """Of the closed weeks the newest, with the times of their closing; with `before`, those before that week."""
        rows = tables.digests.c
        query = sa.select(rows.week, rows.timezone, rows.starts, rows.ends, rows.closed_at)
        query = query.order_by(rows.week.desc()).limit(limit)
        if before:
            query = query.where(rows.week < before)
        return [(Period(*row[:4]), row.closed_at) for row in self.connection.execute(query)]

    def add(self, closed: Closed) -> bool:
        """False when another worker closed the week already; then its figures stay."""
        values = {
            **asdict(closed.period),
            "closed_at": closed.closed_at,
            "figures": closed.figures,
            "digest": closed.digest,
            "pdf": closed.pdf,
            "chart": closed.chart,
            "holdings": closed.holdings,
            "waiting": closed.waiting,
            "sizes": json.dumps(dict(closed.sizes)),
            "plan": PLAN.dump_json(closed.plan).decode(),
        }
        row = insert(tables.digests).values(values).on_conflict_do_nothing().returning(tables.digests.c.week)
        return self.connection.execute(row).first() is not None

    def note_card(self, week: str, card: PostedCard) -> None:
        self._note(week, card=POSTED.dump_json(card).decode())

    def note_posted(self, week: str, posted: PostedCard) -> None:
        self._note(week, posted=POSTED.dump_json(posted).decode())

    def note_ticket(self, week: str, ticket: TicketRef) -> None:
        self._note(week, ticket=TICKET.dump_json(ticket).decode())

    def note_mailed(self, week: str, at: datetime) -> None:
        self._note(week, mailed_at=at)

    def undelivered(self) -> tuple[Undelivered, ...]:
        """Oldest first. A delivery that a person dropped is no longer included; the reason is kept with its job."""
        rows, given_up = tables.digests.c, dropped(self.connection, list(RECEIVERS))
        somebody_waits = sa.or_(rows.posted.is_(None), rows.ticket.is_(None), rows.mailed_at.is_(None))
        query = sa.select(rows.week, rows.plan, rows.posted, rows.ticket, rows.mailed_at).where(somebody_waits)
        found = []
        for row in self.connection.execute(query.order_by(rows.starts)):
            wanted = _receivers(PLAN.validate_json(row.plan))
            have = {SLACK: row.posted, JIRA: row.ticket, EMAIL: row.mailed_at}
            settled = {name for name, at in have.items() if at} | {
                RECEIVERS[job] for job, week in given_up if week == row.week
            }
            found.append(Undelivered(row.week, tuple(name for name in wanted if name not in settled)))
        return tuple(one for one in found if one.receivers)

    def policies(self, after: datetime | None) -> Iterator[tuple[datetime, str]]:
        """When each policy came into force, and its text, newest first; only those after `after`."""
        rows = tables.policies.c
        query = sa.select(rows.activated_at, rows.text).order_by(rows.id.desc())
        if after is not None:
            query = query.where(rows.activated_at > after)
        for row in self.connection.execute(query):
            yield row.activated_at, row.text

    def _note(self, week: str, **values: object) -> None:
        self.connection.execute(sa.update(tables.digests).where(tables.digests.c.week == week).values(values))


def _receivers(plan: DigestPlan) -> tuple[str, ...]:
    planned = {SLACK: plan.channel, JIRA: plan.ticket, EMAIL: plan.email}
    return tuple(name for name, where in planned.items() if where)


def _row_of(row: sa.Row[Any]) -> DigestRow:
    return DigestRow(
        period=Period(row.week, row.timezone, row.starts, row.ends),
        closed_at=row.closed_at,
        figures=row.figures,
        digest=row.digest,
        pdf=bytes(row.pdf),
        chart=bytes(row.chart),
        holdings=row.holdings,
        waiting=row.waiting,
        sizes=json.loads(row.sizes),
        plan=PLAN.validate_json(row.plan),
        card=POSTED.validate_json(row.card or row.posted) if row.card or row.posted else None,
        posted=POSTED.validate_json(row.posted) if row.posted else None,
        ticket=TICKET.validate_json(row.ticket) if row.ticket else None,
        mailed_at=row.mailed_at,
    )
