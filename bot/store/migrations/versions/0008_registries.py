"""Which registry we know and whether it is believed, and the registered models that cannot be read at present."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "registries",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text),
        sa.Column("doubted_since", MOMENT),
        sa.Column("doubt", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "unreadable_models",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT),
    )
