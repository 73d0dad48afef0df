"""What witnesses outside have signed over the ledger's checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "witnessed",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("witness", sa.Text, primary_key=True),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("got_at", sa.DateTime(timezone=True), nullable=False),
    )
