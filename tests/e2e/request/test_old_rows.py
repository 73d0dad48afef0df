"""What nothing needs any more is deleted and counted; what the ledger or an auditor needs stays."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.store import tables
from bot.store.web.sessions import SessionRows, WebSession
from tests.fixtures.installation import Installation

FOR_GOOD = (tables.ledger, tables.requests, tables.attestations, tables.manifests, tables.signed_requests)


def test_old_rows_are_deleted_and_counted_and_an_auditor_misses_none(installation: Installation) -> None:
    promoted, now = installation.promoted(), installation.clock.now()
    with installation.s.store.transaction() as tx:
        assert tx.outbox.is_new_delivery("mlflow", "d1", now)
        SessionRows(tx.connection).add(session("one", installation))
        tx.readings.put(promoted.id, 1, 2)  # as a worker leaves it that died after another had read the files
    before = counts(installation)

    with capture_logs() as young:
        installation.sweep("forget_old")
    installation.clock.ahead += timedelta(days=91)
    with capture_logs() as old:
        installation.sweep("forget_old")

    assert [line for line in young if line["event"] == "old_rows_deleted"] == [deleted(readings=1)]
    (line,) = (line for line in old if line["event"] == "old_rows_deleted")
    assert (line["deliveries"], line["web_sessions"], line["intents"], line["readings"]) == (1, 1, 1, 0)
    assert line["sendings"] > 0
    assert counts(installation) == before
    assert installation.ledger_fault() is None


def session(token: str, installation: Installation) -> WebSession:
    now = installation.clock.now()
    ends = now + timedelta(hours=12)
    return WebSession(token, f"sign-in of {token}", "U0ANA000001", "Ana Ruiz", "ana@example.com", now, now, now, ends)


def counts(installation: Installation) -> dict[str, int]:
    with installation.s.store.transaction() as tx:
        query = {table.name: sa.select(sa.func.count()).select_from(table) for table in FOR_GOOD}
        return {name: tx.connection.execute(one).scalar_one() for name, one in query.items()}


def deleted(**rows: int) -> dict[str, object]:
    tables = ("deliveries", "clock_ticks", "sendings", "intents", "pending_enrolments", "web_sessions", "readings")
    none = dict.fromkeys((*tables, "homes", "registry_writes"), 0)
    return {"event": "old_rows_deleted", "log_level": "info", **none, **rows}
