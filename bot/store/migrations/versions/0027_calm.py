"""Shared cards of many requests, outcomes told together, and who wants a note of the day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "card_groups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.Column("posted", sa.Text),
    )
    op.create_index("card_groups_by_place", "card_groups", ["channel", "rule", "joined_at"])
    op.create_table(
        "card_places",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("group_id", sa.Text, index=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("card_places_by_place", "card_places", ["channel", "rule", "at"])
    op.create_table(
        "daily_notes",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("minute", sa.Integer, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("sent_for", sa.Date),
    )
    op.create_table(
        "outcome_notes",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False, index=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("batch", sa.Text),
    )
