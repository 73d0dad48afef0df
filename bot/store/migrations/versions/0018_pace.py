"""When a channel is free for the next message, and who waits for it; jobs that wait get the priority of what they do."""

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
        "update procrastinate_jobs set priority = :urgency where status = 'todo' and args ->> 'name' in :effects"
    )
    for urgency, effects in URGENCY.items():
        op.execute(jobs.bindparams(sa.bindparam("effects", effects, expanding=True), urgency=urgency))
