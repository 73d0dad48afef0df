"""What was asked and moved at a model's targets, for the question whether a later decision is hidden."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

OF_PLACE = (
    """(coalesce(nullif(split_part(split_part(body, '"target":{"kind":"model","name":"', 2), '"', 1), ''), """
    """split_part(reverse(split_part(reverse(body), reverse('"model":"'), 1)), '"', 1)))"""
)


def upgrade() -> None:
    at_places = sa.text("kind in ('RequestOpened', 'TargetMoved')")
    op.create_index("entries_by_place", "ledger", [sa.text(OF_PLACE), "seq"], postgresql_where=at_places)
