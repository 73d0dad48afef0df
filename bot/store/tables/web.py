"""The tables of sessions of people who read the pages, and of their own pages at the notifier."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store.tables.registry import Moment, metadata

# `token` and `sign_in` are sha256 hashes: a copy of the database opens no page.
web_sessions = sa.Table(
    "web_sessions",
    metadata,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("sign_in", sa.Text, nullable=False, unique=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("checked_at", Moment, nullable=False),
    sa.Column("ends_at", Moment, nullable=False, index=True),
)

# A person's own page at the notifier: what they have chosen there, the digest of what it shows, and the vendor's mark of it.
homes = sa.Table(
    "homes",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("opened_at", Moment, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False, server_default=""),
    sa.Column("shown", sa.Text, nullable=False, server_default=""),
    sa.Column("mark", sa.Text, nullable=False, server_default=""),
)
