"""The signed lists of what is governed, for the guards of MLflow servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "governed_lists",
        sa.Column("registry", sa.Text, primary_key=True),
        sa.Column("covers", sa.BigInteger, nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
    )
