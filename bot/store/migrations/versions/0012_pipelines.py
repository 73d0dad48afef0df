"""Pipelines as a worker read them from dvc.lock, so that the web process parses no YAML."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "pipelines",
        sa.Column("lock_sha256", sa.Text, primary_key=True),
        sa.Column("pipeline", sa.Text, nullable=False),
    )
