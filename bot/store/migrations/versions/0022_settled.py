"""Until when a sweep of versions has seen all that can come, so that the next one need not read it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("watermark_at", MOMENT))
    op.add_column("sweeps", sa.Column("settled", MOMENT))
