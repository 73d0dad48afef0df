"""Votes that wait for a passkey, pages where one is made, and an index of the ledger's entries about passkeys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

MOMENT = sa.DateTime(timezone=True)
ABOUT_PASSKEYS = sa.text("kind in ('PasskeyEnrolled', 'PasskeyConfirmed', 'PasskeyRevoked')")


def upgrade() -> None:
    op.create_table(
        "pending_votes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("vote", sa.Text, nullable=False),
        sa.Column("click", sa.Text, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_index("pending_votes_by_request", "pending_votes", ["request_id"])
    op.create_index("pending_votes_waiting", "pending_votes", ["person"], postgresql_where=sa.text("used_at is null"))
    op.create_table(
        "pending_enrolments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("credential", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "passkey_cards",
        sa.Column("credential", sa.Text, primary_key=True),
        sa.Column("asked_in", sa.Text, primary_key=True),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
    )
    op.create_table(
        "passkey_requests",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("timestamp", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("passkey_entries", "ledger", ["seq"], postgresql_where=ABOUT_PASSKEYS)
