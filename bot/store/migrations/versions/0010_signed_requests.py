"""The signed request of each vote, and an index of the ledger's entries about accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ABOUT_ACCOUNTS = sa.text("kind in ('AccountBound', 'AccountUnbound', 'OldRecordsListed')")


def upgrade() -> None:
    op.create_table(
        "signed_requests",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("timestamp", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("vote", sa.Text, nullable=False),
    )
    op.create_index("signed_requests_by_request", "signed_requests", ["request_id"])
    op.create_index("account_entries", "ledger", ["seq"], postgresql_where=ABOUT_ACCOUNTS)
