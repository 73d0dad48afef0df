"""The weekly digests: each week's frozen figures, and where they were delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "digests",
        sa.Column("week", sa.Text, primary_key=True),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("starts", MOMENT, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=False),
        sa.Column("figures", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("pdf", sa.LargeBinary, nullable=False),
        sa.Column("chart", sa.LargeBinary, nullable=False),
        sa.Column("holdings", sa.Text, nullable=False),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("sizes", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("posted", sa.Text),
        sa.Column("ticket", sa.Text),
        sa.Column("mailed_at", MOMENT),
    )
    op.create_index("ledger_by_time", "ledger", ["at"])
