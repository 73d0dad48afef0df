"""By when somebody else must have looked at a broken glass; null where nobody broke it, and once it is reviewed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column("requests", sa.Column("review_by", sa.DateTime(timezone=True)))
    op.create_index("requests_to_review", "requests", ["review_by"], postgresql_where=sa.text("review_by is not null"))
