"""Tables of votes that wait for a passkey, of pages where one is made, and of the signed requests behind passkeys and sign-offs."""

from __future__ import annotations

import sqlalchemy as sa

from bot.store.tables.registry import Moment, metadata

# A vote that waits for its person's passkey: the click and the vote (JSON), and the exact text of the statement that is signed.
pending_votes = sa.Table(
    "pending_votes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("vote", sa.Text, nullable=False),
    sa.Column("click", sa.Text, nullable=False),
    sa.Column("statement", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Index("pending_votes_by_request", "request_id"),
    sa.Index("pending_votes_waiting", "person", postgresql_where=sa.text("used_at is null")),
)

# A page where a person makes a passkey, until it is used or expires; `credential` is what was made there.
pending_enrolments = sa.Table(
    "pending_enrolments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("credential", sa.Text, nullable=False, server_default=""),
)

# The message in each channel that asks others to confirm a passkey. Presses are accepted only from these.
passkey_cards = sa.Table(
    "passkey_cards",
    metadata,
    sa.Column("credential", sa.Text, primary_key=True),
    sa.Column("asked_in", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("app", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
)

# The requests that confirmed a passkey, as the notifier signed them.
passkey_requests = sa.Table(
    "passkey_requests",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, server_default=""),
)

# The requests in which digests were signed off, as the notifier signed them.
sign_off_requests = sa.Table(
    "sign_off_requests",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, server_default=""),
)
