"""A request as people name it: by the first letters of its id, as cards, tickets and lists print them."""

from __future__ import annotations

import sqlalchemy as sa

from bot.domain.model import Refused
from bot.store import tables

SHORTEST = 8  # letters; what is printed


def full_id(beginning: str, connection: sa.Connection) -> str:
    """The id that begins so; what is none of ours comes back as it is. Raises Refused when there are several."""
    if len(beginning) < SHORTEST or not (beginning.isascii() and beginning.isalnum()):
        return beginning
    query = sa.select(tables.requests.c.id).where(tables.requests.c.id.startswith(beginning)).limit(2)
    found = connection.execute(query).scalars().all()
    if len(found) > 1:
        raise Refused(f'several requests begin with "{beginning}". Write more letters of the one you mean')
    return found[0] if found else beginning
