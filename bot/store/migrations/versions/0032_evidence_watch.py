"""What is looked after of approvals: when each target was looked at, what was lost, and what is to be said of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0030"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "evidence_places",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
    )
    op.create_table(
        "evidence_parts",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("lost", sa.Text, nullable=False, server_default="[]"),
        sa.Column("lost_since", MOMENT),
        sa.Column("unread", sa.Text, nullable=False, server_default=""),
        sa.Column("unread_since", MOMENT),
        sa.Column("unread_looks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("acknowledged_at", MOMENT),
        sa.Column("acknowledged_by", sa.Text, nullable=False, server_default=""),
        sa.Column("acknowledged_because", sa.Text, nullable=False, server_default=""),
        sa.Column("known", sa.Text, nullable=False, server_default="[]"),
    )
    op.create_index("evidence_parts_by_place", "evidence_parts", ["workspace", "model", "target"])
    op.create_table(
        "evidence_notes",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("channel", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("batch", sa.Text),
        sa.Column("below", sa.Text, index=True),
    )
