"""The ledger's entries about the fast track by time, the rollbacks among all requests, and requests by when they were decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    told = sa.text("kind in ('FastTrackJudged', 'FastTrackCompared', 'RequestApproved', 'RequestRejected')")
    op.create_index("fast_track_entries", "ledger", ["kind", "at"], postgresql_where=told)
    op.create_index("rollbacks_by_opening", "requests", ["opened_at"], postgresql_where=sa.text("kind = 'rollback'"))
    op.create_index("requests_by_decision", "requests", ["decided_at"])
