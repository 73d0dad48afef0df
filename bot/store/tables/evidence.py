"""The tables of looking after what approvals rest on. `bot.store.evidence_watch` reads and writes them."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store.tables.registry import Moment, metadata

# When each target's approvals were looked at, and when they are due again.
evidence_places = sa.Table(
    "evidence_places",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("looked_at", Moment, nullable=False),
    sa.Column("due_at", Moment, nullable=False),
)

# What is known of each part of an approval's evidence; a list is JSON. `left_at`: since when the approval is not looked after any more.
evidence_parts = sa.Table(
    "evidence_parts",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("lost", sa.Text, nullable=False, server_default="[]"),
    sa.Column("lost_since", Moment),
    sa.Column("unread", sa.Text, nullable=False, server_default=""),
    sa.Column("unread_since", Moment),
    sa.Column("unread_looks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("acknowledged_at", Moment),
    sa.Column("acknowledged_by", sa.Text, nullable=False, server_default=""),
    sa.Column("acknowledged_because", sa.Text, nullable=False, server_default=""),
    sa.Column("known", sa.Text, nullable=False, server_default="[]"),
    sa.Column("left_at", Moment),
    sa.Index("evidence_parts_by_place", "workspace", "model", "target"),
)

# What is to be said in a channel; several that come together are one message. `event` is the ledger's, as JSON. `batch` is set once it is
# fixed which are in one message. `below` is the request in whose thread it is still to be said; the row goes when all is sent.
evidence_notes = sa.Table(
    "evidence_notes",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("channel", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("batch", sa.Text),
    sa.Column("below", sa.Text, index=True),
)
