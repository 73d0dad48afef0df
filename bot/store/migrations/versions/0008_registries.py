"""Which registry we know and whether it is believed, and the registered models that cannot be read at present.

Looks, moves, tags and verdicts of one model shared a lane and have lanes of their own now; jobs that wait or are parked move there, so that
a new job does not overtake them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)

LANES = """
update procrastinate_jobs
set lock = case args ->> 'name'
    when 'look_at' then 'looks:' || substr(lock, length('registry:') + 1)
    when 'renew_verdict' then 'verdicts:' || substr(lock, length('registry:') + 1)
    when 'sync_tags' then 'tags:' || substr(lock, length('registry:') + 1)
    when 'mark_failed' then 'tags:' || substr(lock, length('registry:') + 1)
    else 'moves:' || (args ->> 'request_id')
end
where lock like 'registry:%' and status in ('todo', 'failed')
"""


def upgrade() -> None:
    op.create_table(
        "registries",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text),
        sa.Column("doubted_since", MOMENT),
        sa.Column("doubt", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "unreadable_models",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT),
    )
    op.execute(LANES)
