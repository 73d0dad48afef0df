"""Sessions of people who read the pages, and what requests are searched by: when they were decided, their ticket, their people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

MOMENT = sa.DateTime(timezone=True)
A_FETCH = 500  # rows
FILL = sa.text(
    "update requests set decided_at = cast(:decided_at as timestamptz), ticket_key = :ticket_key, people = :people where id = :id"
)


def upgrade() -> None:
    op.create_table(
        "web_sessions",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("sign_in", sa.Text, nullable=False, unique=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False, index=True),
    )
    op.add_column("requests", sa.Column("decided_at", MOMENT))
    op.add_column("requests", sa.Column("ticket_key", sa.Text))
    op.add_column("requests", sa.Column("people", sa.ARRAY(sa.Text), nullable=False, server_default="{}"))
    _fill(op.get_bind())
    op.create_index("requests_by_number", "requests", ["workspace", "model", "version"])
    op.create_index("requests_by_ticket_key", "requests", ["ticket_key"])
    op.create_index("requests_by_people", "requests", ["people"], postgresql_using="gin")


def _fill(connection: sa.Connection) -> None:
    """From the bodies, a few hundred rows at a time: there may be many, and each is large."""
    after = ""
    while True:
        query = sa.text("select id, body from requests where id > :after order by id limit :some")
        rows = connection.execute(query, {"after": after, "some": A_FETCH}).all()
        if not rows:
            return
        connection.execute(FILL, [{"id": row.id, **_columns(json.loads(row.body))} for row in rows])
        after = rows[-1].id


def _columns(body: Mapping[str, Any]) -> dict[str, object]:
    return {
        "decided_at": body.get("decided_at"),
        "ticket_key": (body.get("ticket") or {}).get("key"),
        "people": sorted(set(filter(None, _people(body)))),
    }


def _people(body: Mapping[str, Any]) -> Iterator[str | None]:
    yield from (body.get(name) for name in ("requester", "author", "commit_author", "ended_by"))
    yield from body.get("joined") or ()
    for vote in body.get("votes") or ():
        yield vote.get("person")
        yield from vote.get("standing_in_for") or ()
