"""The table of what people did in tickets, and how the bot answered."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store.tables.registry import Moment, metadata

# A row is written in the transaction that records the vote, so that no entry of a ticket's history is taken twice.
ticket_acts = sa.Table(
    "ticket_acts",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("act", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("read_at", Moment, nullable=False),
    sa.Column("answered_at", Moment),
)
