"""Witnesses outside: each gets the newest checkpoint, and the audit demands what it signed.

Each has separate jobs and a separate lane, so one that fails is retried and holds up neither another witness nor any promotion.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.domain.ledger.checkpoint import read_note
from bot.domain.ledger.merkle import consistency_proof
from bot.engine.lanes import Lane
from bot.errors import ChainBroken, InvalidCheckpoint, NotVerified
from bot.ports import OutsideWitness
from bot.services import Services
from bot.store.ledger import CheckpointRows, LedgerRows, Recorded, WitnessedRow, WitnessedRows, unhurried
from bot.store.transaction import Transaction

MAY_LACK = timedelta(days=1)  # a witness may be down for as long before the audit fails


@dataclass(frozen=True)
class Witnessed:
    """What one witness has signed, all of it verified. `size` is the newest checkpoint's, `at` the time in its signature.

    With no checkpoint it was added to the settings within the last day, and `at` is None.
    """

    name: str
    checkpoints: int
    size: int
    at: datetime | None


def ask_new_witnesses(s: Services) -> None:
    """When a worker starts: a witness that was added to the settings gets the newest checkpoint now, and not after the next decision."""
    with s.store.transaction() as tx:
        ask_witnesses(tx, s)


def ask_witnesses(tx: Transaction, s: Services) -> None:
    """Defers a job for each; one that waits already is not deferred again."""
    for one in s.outside:
        WitnessedRows(tx.connection).begin(one.name, s.clock.now())
        tx.defer("send_to_witness", one.name, f"{Lane.WITNESSES}:{one.name}", once=True)


def send_to_witness(name: str, s: Services) -> None:
    """Brings one witness up to the newest checkpoint. One that is no longer in the settings is left out."""
    witness = next((one for one in s.outside if one.name == name), None)
    if witness is None:
        return
    with s.store.transaction() as tx:
        newest, before = CheckpointRows(tx.connection).newest(), WitnessedRows(tx.connection).newest_size(name)
    if newest is None or newest.size <= before:
        return
    evidence = witness.attest(read_note(newest.note), before, lambda size: _proof(size, newest, s))
    with s.store.transaction() as tx:
        WitnessedRows(tx.connection).add(newest.size, name, evidence, s.clock.now())


def check_witnessed(
    connection: sa.Connection, witnesses: Sequence[OutsideWitness], now: datetime, demanded: Collection[str] = ()
) -> list[Witnessed]:
    """Raises ChainBroken when one has signed something else, or nothing new for a day, or nothing at all.

    A witness that is only in the settings may have signed nothing for a day after it was added, and while there is no checkpoint yet.
    One of the names in `demanded`, which an auditor has given, may not.
    """
    rows = WitnessedRows(connection)
    return [_checked(one, rows, now, is_demanded=one.name in demanded) for one in witnesses]


def _checked(witness: OutsideWitness, rows: WitnessedRows, now: datetime, *, is_demanded: bool) -> Witnessed:
    count, size, at = 0, 0, None
    for row in rows.of(witness.name):
        count, size, at = count + 1, row.size, _time_of(row, witness)
    missing = rows.waits_since(witness.name, size)
    is_late = missing is not None and now - missing > MAY_LACK
    if count == 0 and (is_demanded or is_late):
        raise ChainBroken(
            f"witness {witness.name} has signed no checkpoint of this ledger. A worker that has it in its settings asks it when it starts; "
            "`countersign jobs list` says why it did not sign"
        )
    if missing is not None and is_late:
        raise ChainBroken(
            f"witness {witness.name} has signed nothing newer than the checkpoint of {size} entries, and the next one was made on "
            f"{missing:%Y-%m-%d %H:%M} UTC. `countersign jobs list` says why"
        )
    return Witnessed(witness.name, count, size, at)


def _time_of(row: WitnessedRow, witness: OutsideWitness) -> datetime:
    whose = f"what witness {witness.name} signed over the checkpoint of {row.size} entries"
    try:
        return witness.check(read_note(row.note), row.evidence)
    except InvalidCheckpoint:
        raise ChainBroken(f"{whose} has no checkpoint on record: it was removed or changed") from None
    except NotVerified as trouble:
        raise ChainBroken(f"{whose} does not verify: {trouble}") from None


def _proof(before: int, newest: Recorded, s: Services) -> tuple[bytes, ...]:
    if before in (0, newest.size):
        return ()
    with unhurried(s.store.engine) as connection:
        return consistency_proof(before, newest.size, LedgerRows(connection).leaves())
