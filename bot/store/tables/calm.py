"""The tables of shared cards and of who wants a note of the day."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store.tables.registry import Moment, metadata

# One message for several requests of a rule. `posted` is the message as JSON, null until it is there.
card_groups = sa.Table(
    "card_groups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("joined_at", Moment, nullable=False),
    sa.Column("posted", sa.Text),
    sa.Index("card_groups_by_place", "channel", "rule", "joined_at"),
)
# Where the card of a request is: on a group's list, or alone in its channel (no `group_id`). Decided once.
card_places = sa.Table(
    "card_places",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("group_id", sa.Text, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("card_places_by_place", "channel", "rule", "at"),
)
# `minute` is since midnight in `timezone`; `sent_for` is the last day of the person's own calendar that is done.
daily_notes = sa.Table(
    "daily_notes",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("minute", sa.Integer, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("sent_for", sa.Date),
)
# Outcomes that go to one person in one message. `batch` is set once it is fixed which are in it; the row goes when that is sent.
outcome_notes = sa.Table(
    "outcome_notes",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False, index=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("batch", sa.Text),
)
