"""When the backup was made from which the database came, once an admin has accepted what the registry held after that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("registries", sa.Column("accepted_backup", sa.DateTime(timezone=True)))
