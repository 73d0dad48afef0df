"""Which secret signed each kept request, and indexes of the ledger for what is compared before a signature."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

OF_REQUEST = """(split_part(split_part(body, '"request_id":"', 2), '"', 1))"""


def upgrade() -> None:
    op.add_column("signed_requests", sa.Column("key", sa.Text, nullable=False, server_default=""))
    op.create_index("policy_entries", "ledger", ["seq"], postgresql_where=sa.text("kind = 'PolicyActivated'"))
    op.create_index("refused_vote_entries", "ledger", ["seq"], postgresql_where=sa.text("kind = 'VoteRefused'"))
    op.create_index("entries_by_request", "ledger", [sa.text(OF_REQUEST)])
