"""Whether a database finds a registered model by its own spelling alone, or also by others, such as in another case.

SQLite and PostgreSQL compare letter by letter unless somebody has given the column another collation, so their catalog is asked once.
MySQL and SQL Server ignore case and more as they are installed, and for any other store nothing is known.
"""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakKeyDictionary

log = logging.getLogger("countersign_guard")
SQLITE = """
select count(*) = 1 and min(instr(upper(sql), 'COLLATE')) = 0
from sqlite_master where type = 'table' and lower(name) = 'registered_models'
"""
POSTGRESQL = """
select count(*) = 1 and bool_and(kind.typname in ('varchar', 'text') and coalesce(how.collisdeterministic, false))
from pg_attribute as one
join pg_type as kind on kind.oid = one.atttypid
left join pg_collation as how on how.oid = one.attcollation
where one.attrelid = to_regclass('registered_models') and one.attname = 'name'
"""
QUESTIONS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


class NameSpelling:
    """Remembers the answer of each database, which is asked in the first write that needs it."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    def is_exact(self, store: Any) -> bool:
        """False for a store of which it is not known, such as one of files, and while the database does not say."""
        engine = getattr(store, "engine", None)
        if engine is None:
            return False
        known = self._known.get(engine)
        if known is None:
            known = _asked(engine)
            if known is None:
                return False
            self._known[engine] = known
        return known


def _asked(engine: Any) -> bool | None:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    question = QUESTIONS.get(engine.dialect.name)
    if question is None:
        return False
    try:
        with engine.connect() as connection:
            return bool(connection.execute(text(question)).scalar())
    except SQLAlchemyError as error:
        log.info("countersign-guard: how names are compared is not known: %s", error)
        return None
