"""Explains each statement that is run, and says which of them read a whole large table: the ledger, or the requests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bot.store import tables

LARGE = ("ledger", "requests")
PARTIAL = {
    index.name
    for table in (tables.ledger, tables.requests)
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
}
SCANS = ("Seq Scan", "Index Scan", "Index Only Scan")


@dataclass
class Plans:
    """`whole` has a line for each statement that goes through a whole large table."""

    explained: int = 0
    whole: list[str] = field(default_factory=list)
    _is_explaining: bool = False

    def on_statement(self, _connection: object, cursor: Any, statement: str, parameters: Any, *_more: object) -> None:
        if self._is_explaining or not statement.lstrip().lower().startswith(("select", "with")):
            return
        if not any(table in statement.lower() for table in LARGE):
            return
        self._is_explaining = True
        try:
            with cursor.connection.cursor() as beside:
                beside.execute("explain (format json) " + statement, parameters)
                [[found]] = beside.fetchall()
        finally:
            self._is_explaining = False
        self.explained += 1
        plan = found if isinstance(found, list) else json.loads(found)
        self.whole += [f"{scan}: {' '.join(statement.split())[:300]}" for scan in whole_scans(plan[0]["Plan"])]


def whole_scans(plan: Mapping[str, Any], *, is_limited: bool = False) -> Iterator[str]:
    """The scans of a large table without a condition on an index. One that a LIMIT ends early, in the order of its index, is none."""
    is_limited = is_limited or plan["Node Type"] == "Limit"
    if plan["Node Type"] in SCANS and plan.get("Relation Name") in LARGE and "Index Cond" not in plan:
        counts_in_index = plan["Node Type"] == "Index Only Scan" or plan.get("Index Name") in PARTIAL
        if not counts_in_index and not (is_limited and plan["Node Type"] == "Index Scan"):
            yield f"{plan['Node Type']} on {plan['Relation Name']} {plan.get('Index Name', '')}"
    sorts = plan["Node Type"] in ("Sort", "Aggregate", "Hash Join", "Hash", "HashAggregate", "Unique")
    for part in plan.get("Plans", ()):
        yield from whole_scans(part, is_limited=is_limited and not sorts)


@contextmanager
def explaining(engine: sa.Engine) -> Iterator[Plans]:
    plans = Plans()
    sa.event.listen(engine, "before_cursor_execute", plans.on_statement)
    try:
        yield plans
    finally:
        sa.event.remove(engine, "before_cursor_execute", plans.on_statement)
