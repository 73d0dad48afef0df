"""Which secret signed each kept request, and indexes of the ledger for what is compared before a signature."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

OF_REQUEST = """(split_part(reverse(split_part(reverse(body), reverse('"request_id":"'), 1)), '"', 1))"""
DECIDES = "kind in ('RequestApproved', 'RequestRejected')"


def upgrade() -> None:
    op.add_column("signed_requests", sa.Column("key", sa.Text, nullable=False, server_default=""))
    op.create_index("policy_entries", "ledger", ["seq"], postgresql_where=sa.text("kind = 'PolicyActivated'"))
    op.create_index("refused_vote_entries", "ledger", ["seq"], postgresql_where=sa.text("kind = 'VoteRefused'"))
    op.create_index("entries_by_request", "ledger", [sa.text(OF_REQUEST)])
    # Before, an entry that names another request first, as an objection does, was taken for that one's.
    op.drop_index("decisions_by_request", "ledger")
    op.create_index("decisions_by_request", "ledger", [sa.text(OF_REQUEST)], postgresql_where=sa.text(DECIDES))
