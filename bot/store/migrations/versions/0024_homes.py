"""People's own pages at the notifier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "homes",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default=""),
        sa.Column("shown", sa.Text, nullable=False, server_default=""),
        sa.Column("mark", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("ix_homes_opened_at", "homes", ["opened_at"])
