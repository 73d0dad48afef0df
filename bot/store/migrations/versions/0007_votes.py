"""Which account was whose, and what the version of each request is made of, so that parties and rejections are remembered.

Rows of requests also take the fields that their events make of them since then, which `audit verify` compares.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MOMENT = sa.DateTime(timezone=True)
A_BATCH = 500  # rows; a body may hold thousands of params
BOUND_BEFORE = """
insert into accounts (account, person, how, bound_at) select account, id, 'before', now() from people where account is not null
"""
EVENTS = """
select kind, body from ledger where kind in ('RequestSuperseded', 'ApprovalHeld', 'AskJoined') order by seq
"""
OPENED = """
select body from ledger where kind = 'RequestOpened' order by seq
"""
ENDED = ("applied", "expired", "withdrawn", "superseded", "stale")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("bound_at", MOMENT, nullable=False),
        sa.Column("unbound_at", MOMENT),
    )
    is_open = sa.text("unbound_at is null")
    op.create_index("accounts_by_person", "accounts", ["person"])
    op.create_index("accounts_by_account", "accounts", ["account"])
    op.create_index("one_person_an_account", "accounts", ["account"], unique=True, postgresql_where=is_open)
    op.create_index("one_account_a_person", "accounts", ["person"], unique=True, postgresql_where=is_open)
    op.execute(BOUND_BEFORE)

    op.add_column("requests", sa.Column("content_digest", sa.Text))
    op.add_column("requests", sa.Column("content_origin", sa.Text))
    _fill_in_contents()
    _replay_what_changed()
    op.create_index("requests_by_digest", "requests", ["content_digest"])
    op.create_index("requests_by_origin", "requests", ["content_origin"])
    op.create_index("requests_by_version", "requests", ["version_created", "version"])


def _fill_in_contents() -> None:
    """As `bot.domain.request.content` does; copied here, because a migration must never change."""
    connection, last = op.get_bind(), ""
    while True:
        after = sa.text("select id, body from requests where id > :last order by id limit :batch")
        rows = connection.execute(after, {"last": last, "batch": A_BATCH}).all()
        for row in rows:
            digest, origin = _content_of(json.loads(row.body).get("evidence") or {})
            put = sa.text("update requests set content_digest = :digest, content_origin = :origin where id = :id")
            connection.execute(put, {"id": row.id, "digest": digest, "origin": origin})
        if not rows:
            return
        last = rows[-1].id


def _content_of(evidence: dict[str, Any]) -> tuple[str | None, str | None]:
    artifacts = evidence.get("artifacts") or {}
    digest = artifacts.get("digest") if artifacts.get("files") else None
    source = evidence.get("source") or ""
    origin = f"{source} {evidence.get('run_id') or ''}".strip().replace("\0", "") if source else ""
    return digest or None, origin or None


def _replay_what_changed() -> None:
    """A row that says something else than the old release made of its events stays as it is, so that the audit still finds it."""
    connection = op.get_bind()
    replayed: dict[str, dict[str, Any]] = {}
    for event in connection.execute(sa.text(EVENTS)).all():
        about = json.loads(event.body)
        replayed.setdefault(about["request_id"], {})[event.kind] = about
    first_asks = _first_asks({one for one, events in replayed.items() if "AskJoined" in events})
    for request_id, events in replayed.items():
        found = connection.execute(sa.text("select body from requests where id = :id"), {"id": request_id}).scalar()
        if found is None:
            continue
        changed = _changed(json.loads(found), events, first_asks.get(request_id))
        if not changed:
            continue
        body = {**json.loads(found), **changed}
        put = sa.text("update requests set body = :body where id = :id")
        connection.execute(put, {"id": request_id, "body": json.dumps(body)})


def _first_asks(wanted: set[str]) -> dict[str, object]:
    """In one pass: the ledger has no index by request."""
    if not wanted:
        return {}
    with op.get_bind().execute(sa.text(OPENED), execution_options={"yield_per": A_BATCH}) as rows:
        opened = (json.loads(body) for body in rows.scalars())
        return {one["request_id"]: one["ask"] for one in opened if one["request_id"] in wanted}


def _changed(row: dict[str, Any], events: dict[str, dict[str, Any]], first_ask: object) -> dict[str, Any]:
    """`events` is the last event of each kind about this request."""
    found: dict[str, Any] = {}
    superseded, held, joined = (events.get(kind) for kind in ("RequestSuperseded", "ApprovalHeld", "AskJoined"))
    if superseded and "superseded_by" not in row:
        found["superseded_by"] = superseded.get("by") or ""
    if held and row["state"] in ENDED and (row["frozen_by"], row["frozen_until"]) == (held["freeze"], held["until"]):
        found |= {"frozen_by": "", "frozen_until": None}
    if joined and row["kind"] == "observed" and row["ask"] == joined["ask"]:
        found["ask"] = first_ask
    return found
