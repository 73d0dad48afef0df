"""What all tables share: one metadata, and how a time is kept."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
Moment = sa.DateTime(timezone=True)  # always UTC
