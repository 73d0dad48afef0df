"""Until when a sweep of versions has seen all that can come, turns in a channel for each who asked, and the ledger by kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("watermark_at", MOMENT))
    op.add_column("sweeps", sa.Column("watermark_met", MOMENT))
    op.add_column("sweeps", sa.Column("settled", MOMENT))
    op.add_column("paces", sa.Column("round", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("waiting_posts", sa.Column("asker", sa.Text, nullable=False, server_default=""))
    op.add_column("waiting_posts", sa.Column("round", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_index("waiting_posts_by_place", "waiting_posts")
    op.create_index("waiting_posts_by_place", "waiting_posts", ["place", sa.text("urgency desc"), "round", "id"])
    op.create_index("waiting_posts_by_asker", "waiting_posts", ["place", "asker", "urgency", "round"])
    op.create_index("entries_by_kind", "ledger", ["kind", "seq"])
    op.create_index("requests_by_state", "requests", ["state", "opened_at"])
