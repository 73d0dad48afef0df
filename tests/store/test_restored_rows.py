"""What the ledger says about backups that were restored and accepted, and the rows of `registries` that say something else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain.events import BaselineTaken, DatabaseRestored, Event, RegistryTrusted
from bot.store.transaction import Store
from bot.store.trust import RegistryRow
from bot.store.vouched.restored import differences, is_as_said, restored_by_ledger
from config.policy import read_policy
from handlers import ON
from tests.builders import NOON
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

HOUR = timedelta(hours=1)
FIRST, SECOND = NOON - 9 * HOUR, NOON - 10 * HOUR  # a backup, and an older one that is restored after it


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


def swept(workspace: str = "default") -> Event:
    return BaselineTaken(NOON, workspace, 1, 1)


def restored(made_at: datetime = FIRST) -> Event:
    return DatabaseRestored(NOON, made_at, 1, 0)


def accepted(workspace: str = "default", person: str = "ana") -> Event:
    return RegistryTrusted(NOON, workspace, NOON, person, "as decided")


def row(
    accepted_backup: datetime | None = None,
    backup_of: datetime | None = None,
    *,
    workspace: str = "default",
    doubted: bool = True,
) -> RegistryRow:
    since = NOON if backup_of and doubted else None
    return RegistryRow(workspace, doubted_since=since, backup_of=backup_of, accepted_backup=accepted_backup)


def is_right(store: Store, *events: Event, about: RegistryRow) -> bool:
    with store.transaction() as tx:
        tx.record(events)
    with store.transaction() as tx:
        tx.trust.put(about)
        found = is_as_said(about, restored_by_ledger(about.workspace, tx.ledger))
        named = [said for said in differences(tx.connection) if "was edited" in said]
    assert found == (named == []), "the audit and the check before a move say the same"
    return found


@pytest.mark.parametrize(
    ("events", "about"),
    [
        ((), row()),
        ((swept(),), row()),
        ((swept(), accepted()), row()),
        ((swept(), restored()), row(None, FIRST)),
        ((swept(), restored(), accepted()), row(FIRST)),
        ((swept(), restored(), accepted(), swept(), accepted(person="")), row(FIRST)),
        ((swept(), restored(), accepted(), swept(), accepted()), row(FIRST)),
        ((swept(), restored(), restored(SECOND)), row(None, SECOND)),
        ((swept(), restored(), accepted(), restored(SECOND)), row(FIRST, SECOND)),
        ((swept(), restored(), accepted(), restored(SECOND), accepted()), row(SECOND)),
        ((swept(), swept("eu/b"), restored(), accepted("eu/b")), row(None, FIRST)),
        ((swept(), swept("eu/b"), restored(), accepted("eu/b")), row(FIRST, workspace="eu/b")),
        ((restored(), accepted()), row(FIRST)),  # in the middle of its first sweep
        ((restored(), swept()), row()),  # watched only since then
        ((restored(), swept(), accepted()), row()),
        ((restored(), swept(), accepted(), restored(SECOND), accepted()), row(SECOND)),
    ],
)
def test_what_a_restore_and_an_acceptance_leave_is_as_the_ledger_says(
    events: tuple[Event, ...], about: RegistryRow, store: Store
) -> None:
    others = {"default", "eu/b"} - {about.workspace}
    with store.transaction() as tx:
        for one in others if "eu/b" in {getattr(event, "workspace", "") for event in events} else ():
            tx.trust.put(row(None, FIRST) if one == "default" else row(FIRST, workspace=one))

    assert is_right(store, *events, about=about)


@pytest.mark.parametrize(
    ("events", "about"),
    [
        ((swept(),), row(FIRST)),
        ((swept(),), row(None, FIRST)),
        ((swept(), accepted()), row(FIRST)),
        ((swept(), restored()), row(FIRST)),
        ((swept(), restored()), row()),
        ((swept(), restored()), row(None, FIRST, doubted=False)),
        ((swept(), restored(), accepted(person="")), row(FIRST)),
        ((swept(), restored(), accepted("eu/b")), row(FIRST)),
        ((swept(), accepted(), restored()), row(FIRST)),
        ((swept(), restored(), accepted()), row()),
        ((swept(), restored(), accepted()), row(FIRST + timedelta(microseconds=1))),
        ((swept(), restored(), accepted(), restored(SECOND), accepted()), row(FIRST)),
    ],
)
def test_a_row_that_no_restore_and_acceptance_left_is_found(
    events: tuple[Event, ...], about: RegistryRow, store: Store
) -> None:
    assert not is_right(store, *events, about=about)


def test_a_row_that_was_deleted_is_found(store: Store) -> None:
    with store.transaction() as tx:
        tx.record([swept(), restored(), accepted()])
    with store.transaction() as tx:
        assert list(differences(tx.connection)) == [
            "the row of the registry was edited: by the ledger, the backup that waits to be accepted is none, and the one that was "
            f"accepted last is that of {FIRST:%Y-%m-%d %H:%M:%S} UTC"
        ]
