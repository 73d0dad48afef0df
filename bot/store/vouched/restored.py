"""Which backup of our own database was restored, and whether an admin has accepted the registry since: by the ledger, and by its rows.

The bot's database role may change the rows of the table `registries`, and no entry. `DatabaseRestored` says when the backup was made, and a
later `RegistryTrusted` by a person accepts it for one registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from bot.domain.events import BaselineTaken, DatabaseRestored, Event, RegistryTrusted
from bot.domain.workspaces import in_workspace
from bot.store.audit import events_of
from bot.store.ledger import LedgerRows, read_event
from bot.store.trust import RegistryRow, TrustRows

KINDS = (BaselineTaken, DatabaseRestored, RegistryTrusted)


@dataclass(frozen=True)
class Backup:
    """`was_known`: its entries have the registry's first sweep. Of another the row may say nothing: it may have come after the restore."""

    made_at: datetime
    was_known: bool


@dataclass(frozen=True)
class Restored:
    """`waiting` was restored and is not accepted yet; `accepted` is the latest that is. `accepted_at`: when an admin accepted the registry
    after that one, each time.
    """

    waiting: Backup | None = None
    accepted: Backup | None = None
    accepted_at: tuple[datetime, ...] = ()


def restored_by_ledger(workspace: str, ledger: LedgerRows) -> Restored:
    """Few entries are of these kinds."""
    entries = ledger.entries(*(kind.__name__ for kind in KINDS))
    return _said_of(workspace, (read_event(one.kind, one.body) for one in entries))


def is_as_said(row: RegistryRow, said: Restored) -> bool:
    is_doubted = row.doubted_since is not None or row.backup_of is None  # a restored one is, until it is accepted
    return is_doubted and _fits(row.backup_of, said.waiting) and _fits(row.accepted_backup, said.accepted)


def differences(connection: sa.Connection) -> Iterator[str]:
    """A sentence for each row that was edited or deleted beside the ledger."""
    events = list(events_of(connection, *KINDS))
    rows = {row.workspace: row for row in TrustRows(connection).all()}
    known = {event.workspace for event in events if isinstance(event, BaselineTaken | RegistryTrusted)}
    for workspace in sorted(rows.keys() | known):
        said = _said_of(workspace, events)
        if not is_as_said(rows.get(workspace, RegistryRow(workspace)), said):
            yield (
                f"the row of the registry{in_workspace(workspace)} was edited: by the ledger, the backup that waits to be accepted is "
                f"{_told(said.waiting)}, and the one that was accepted last is {_told(said.accepted)}"
            )


def _said_of(workspace: str, events: Iterable[Event]) -> Restored:
    said, is_known = Restored(), False
    for event in events:
        match event:
            case DatabaseRestored():
                said = replace(said, waiting=Backup(event.made_at, is_known))
            case BaselineTaken() if event.workspace == workspace:
                is_known = True
            case RegistryTrusted() if event.workspace == workspace and event.person:
                before = () if said.waiting else said.accepted_at
                said = Restored(None, said.waiting or said.accepted, (*before, event.at))
    return said


def _fits(made_at: datetime | None, said: Backup | None) -> bool:
    if made_at is None:
        return said is None or not said.was_known
    return said is not None and made_at == said.made_at


def _told(backup: Backup | None) -> str:
    return f"that of {backup.made_at:%Y-%m-%d %H:%M:%S} UTC" if backup else "none"
