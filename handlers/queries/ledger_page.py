"""A page of the ledger, newest first, with its hashes checked, and how far it was signed and witnessed. It changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.ledger.chain import GENESIS, Entry, head_of, leaf_of
from bot.domain.ledger.subjects import Subject
from bot.language import _
from bot.services import Services
from bot.store.ledger import CheckpointRows, LedgerRows, Recorded, WitnessedRows

ENTRIES_A_PAGE = 50


@dataclass(frozen=True)
class Shown:
    entry: Entry
    subject: Subject


@dataclass(frozen=True)
class LedgerPage:
    """`fault` says which hash is wrong, and is empty when all are right. `before` continues it; None at the end."""

    size: int
    entries: tuple[Shown, ...]
    fault: str
    checkpoint: Recorded | None
    witnesses: tuple[tuple[str, int], ...]
    before: int | None


def ledger_page(before: int | None, s: Services) -> LedgerPage:
    """The entries with a number below `before`, else the newest."""
    with s.store.transaction() as tx:
        rows: LedgerRows = tx.ledger
        size = rows.count()
        end = min(size if before is None else before - 1, size)
        first = max(end - ENTRIES_A_PAGE + 1, 1)
        entries = rows.between(max(first - 1, 1), end) if end > 0 else []
        shown = [entry for entry in entries if entry.seq >= first]
        fault = fault_in(entries, first, end)
        about = list(rows.with_subjects(reversed(shown)))
        newest = CheckpointRows(tx.connection).newest()
        witnesses = tuple(sorted(WitnessedRows(tx.connection).sizes().items()))
    return LedgerPage(size, tuple(Shown(*one) for one in about), fault, newest, witnesses, first if first > 1 else None)


def fault_in(entries: Sequence[Entry], first: int, last: int) -> str:
    """Whether entries `first` to `last` follow from one another; `entries` begin one before, where there is one."""
    by_number = {entry.seq: entry for entry in entries}
    for seq in range(first, last + 1):
        entry, earlier = by_number.get(seq), by_number.get(seq - 1)
        if entry is None or (earlier is None and seq > 1):
            return _("Entry {number} is missing", number=str(seq if entry is None else seq - 1))
        if entry.leaf != leaf_of(entry.body):
            return _("Entry {number} was changed: its body does not have its hash", number=str(seq))
        if entry.head != head_of(earlier.head if earlier else GENESIS, entry.leaf):
            return _("Entry {number} does not follow from the one before", number=str(seq))
    return ""
