"""Which account was whose, and what the version of each request is made of, so that parties and rejections are remembered."""

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
