"""Requests, ledger, registry, people, policies. A trigger refuses every change of the ledger except an append."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
# Protects against accidents only: the table's owner can drop the trigger. Checkpoints reveal that.
APPEND_ONLY = """
create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger ledger_no_change before update or delete on ledger for each row execute function ledger_is_append_only();
create trigger ledger_no_truncate before truncate on ledger for each statement execute function ledger_is_append_only();
"""


def upgrade() -> None:
    _requests()
    _ledger()
    _registry()
    _house()


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("version_created", MOMENT, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("ticket_id", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index(
        "one_live_request",
        "requests",
        ["workspace", "model", "version", "version_created", "target"],
        unique=True,
        postgresql_where=sa.text("state in ('collecting', 'pending', 'approved')"),
    )
    op.create_index("requests_by_model", "requests", ["workspace", "model", "state"])
    op.create_index("requests_by_opening", "requests", ["opened_at"])
    op.create_index("requests_by_ticket", "requests", ["ticket_id"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
    )
    op.execute(APPEND_ONLY)


def _registry() -> None:
    op.create_table(
        "models",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("baseline", sa.Integer, nullable=False),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.Column("newest_created", MOMENT),
        sa.Column("fingerprint", sa.Text, nullable=False),
    )
    op.create_table(
        "placements",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("version_created", MOMENT, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("request_id", sa.Text),
    )
    op.create_table(
        "asks",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("version_created", MOMENT, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text),
    )
    op.create_table(
        "intents",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("from_version", sa.Integer),
        sa.Column("to_version", sa.Integer),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT),
    )
    op.create_index("open_intents", "intents", ["workspace", "model"], postgresql_where=sa.text("done_at is null"))
    op.create_table(
        "sweeps",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("watermark", MOMENT),
        sa.Column("seen", sa.Text, nullable=False, server_default="[]"),
        sa.Column("baseline_until", MOMENT),
        sa.Column("done_at", MOMENT, nullable=False),
    )


def _house() -> None:
    op.create_table(
        "deliveries",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "sendings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("activated_at", MOMENT, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account", sa.Text, unique=True),
    )
    op.create_table(
        "clock_ticks",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
    )
