"""Keys, signed approvals, short-lived verdicts, checkpoints of the ledger, lists of artifacts, and the progress of reading them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("pem", sa.Text, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("added_seq", sa.BigInteger, nullable=False),
        sa.Column("retired_seq", sa.BigInteger),
        sa.Column("retired_because", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "attestations",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("signed_at", MOMENT, nullable=False),
    )
    op.create_index("attestations_by_request", "attestations", ["request_id"])
    op.create_index("key_entries", "ledger", ["seq"], postgresql_where=sa.text("kind in ('KeyAdded', 'KeyRetired')"))
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("envelope", sa.Text, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_table(
        "manifests", sa.Column("digest", sa.Text, primary_key=True), sa.Column("text", sa.Text, nullable=False)
    )
    op.create_table(
        "readings",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "decisions_by_request",
        "ledger",
        [sa.text("""(split_part(split_part(body, '"request_id":"', 2), '"', 1))""")],
        postgresql_where=sa.text("kind in ('RequestApproved', 'RequestRejected')"),
    )
