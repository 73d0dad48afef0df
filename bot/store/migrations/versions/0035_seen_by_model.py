"""What was seen at a model's targets without us, for its history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

OF_MODEL = """(split_part(split_part(body, '"model":"', 2), '"', 1))"""


def upgrade() -> None:
    seen = sa.text("kind in ('HolderLeft', 'MoveObserved', 'MoveReverted')")
    op.create_index("seen_by_model", "ledger", [sa.text(OF_MODEL)], postgresql_where=seen)
