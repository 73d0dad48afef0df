"""When the last message of a channel left, so that the next one keeps its distance from that and not from its plan."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("paces", sa.Column("left_at", sa.Float, nullable=False, server_default="0"))
