"""Absences and delegates, the fast track's kill switch, and an index on what the fast track and people said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("requests", sa.Column("kind", sa.Text, nullable=False, server_default="promotion"))
    op.create_table(
        "absences",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("delegate", sa.Text, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
    )
    op.create_index("absences_by_delegate", "absences", ["delegate"])
    switches = op.create_table(
        "switches",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("is_on", sa.Boolean, nullable=False),
        sa.Column("at", MOMENT),
        sa.Column("person", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )
    # A decision by the fast track locks this row, so the row must exist.
    op.bulk_insert(switches, [{"name": "fast_track", "is_on": True}])
    op.create_index("fast_track_compared", "ledger", ["seq"], postgresql_where=sa.text("kind = 'FastTrackCompared'"))
