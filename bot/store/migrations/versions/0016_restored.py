"""Whether the database was restored from a backup, so that an admin has to accept what the registry holds now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("registries", sa.Column("backup_of", sa.DateTime(timezone=True)))
