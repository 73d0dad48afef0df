"""Which names a model had is read from the ledger alone: whoever could write to the table could say that one model had another's name."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.drop_table("renames")
