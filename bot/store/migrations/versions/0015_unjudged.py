"""Which placements the next look judges anew, because the approval that they waited for has ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("placements", sa.Column("is_judged", sa.Boolean, nullable=False, server_default=sa.true()))
