"""The digest of what was sent last, so that an equal card is not sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("sendings", sa.Column("digest", sa.Text))
