"""Since when an approval's evidence is not looked after any more, so that what is known of it outlasts a move that is put back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.add_column("evidence_parts", sa.Column("left_at", sa.DateTime(timezone=True)))
