"""Who wrote what in a registry, as its guard reports it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0027"


def upgrade() -> None:
    op.create_table(
        "registry_writes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("registry_writes_of_version", "registry_writes", ["workspace", "model", "version"])
    op.create_index("registry_writes_received", "registry_writes", ["received_at"])
