"""When a channel is free for the next message, and who waits for it; jobs that wait get the priority of what they do.

The cards to be renewed at the end of a freeze get a lane of their own: in that of their request they held up all that followed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

# As in handlers/__init__.py when this was written; other effects have 0.
URGENCY = {
    40: ("sign", "sync_target", "restore_target"),
    30: ("sync_card", "sweep_versions", "sweep_models"),
    20: ("look_at", "freeze_evidence", "ask_again", "renew_comparison", "renew_verdict"),
    10: (
        "sync_ticket",
        "tell",
        "announce",
        "answer_refused_votes",
        "remind",
        "sync_tags",
        "mark_failed",
        "show_passkey",
    ),
}


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("free_at", sa.Float, nullable=False),
        sa.Column("leads_to", sa.Text),
    )
    op.create_table(
        "waiting_posts",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("back_at", sa.Float, nullable=False),
    )
    op.create_index("waiting_posts_by_place", "waiting_posts", ["place", sa.text("urgency desc"), "id"])
    jobs = sa.text(
        "update procrastinate_jobs set priority = :urgency where status in ('todo', 'failed') and args ->> 'name' in :effects"
    )
    for urgency, effects in URGENCY.items():
        op.execute(jobs.bindparams(sa.bindparam("effects", effects, expanding=True), urgency=urgency))
    jobs_for_later = sa.text(
        "update procrastinate_jobs set lock = lock || :own where status = 'todo' and args ->> 'name' = 'sync_card' "
        "and scheduled_at > now() + interval '1 hour' and lock like :of_a_request and lock not like :of_its_own"
    )
    op.execute(jobs_for_later.bindparams(own=":thaw", of_a_request="slack:%", of_its_own="slack:%:%"))
