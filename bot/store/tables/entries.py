"""By what the entries of the ledger are found in its indexes: exactly the text of these."""

from __future__ import annotations

import sqlalchemy as sa

# Bodies are canonical JSON with sorted keys, so a value is written in one way only. Parsing them would fail on a NUL in a text.
# Objections in an event name other requests, but before the event's own: so the last one counts.
OF_REQUEST = """split_part(reverse(split_part(reverse(body), reverse('"request_id":"'), 1)), '"', 1)"""
entry_request: sa.ColumnElement[str] = sa.literal_column(f"({OF_REQUEST})", sa.Text)

# What was seen at a target is about one model, and names it before the versions.
OF_MODEL = """split_part(split_part(body, '"model":"', 2), '"', 1)"""
entry_model: sa.ColumnElement[str] = sa.literal_column(f"({OF_MODEL})", sa.Text)
was_seen = sa.text("kind in ('HolderLeft', 'MoveObserved', 'MoveReverted')")

# The registered model whose target it is: the target model, else that of the version, which is named last.
OF_PLACE = (
    """coalesce(nullif(split_part(split_part(body, '"target":{"kind":"model","name":"', 2), '"', 1), ''), """
    """split_part(reverse(split_part(reverse(body), reverse('"model":"'), 1)), '"', 1))"""
)
entry_place: sa.ColumnElement[str] = sa.literal_column(f"({OF_PLACE})", sa.Text)
of_places = sa.text("kind in ('RequestOpened', 'TargetMoved')")
