"""Whether the row of a request, or of a registry, is what its ledger entries make of it. The bot's database role may change the row, and
no entry.

`countersign audit verify` makes the same comparisons for all rows.
"""

from __future__ import annotations

from bot.domain.events import EvidenceFrozen
from bot.domain.model import TransitionRequest
from bot.domain.workspaces import in_workspace
from bot.errors import ChainBroken, NotFound, Permanent
from bot.store.audit import differing_field, is_filed, replayed
from bot.store.transaction import Transaction
from bot.store.vouched.restored import is_as_said, restored_by_ledger


def check_on_record(request: TransitionRequest, tx: Transaction) -> None:
    """Raises Permanent when they differ. The caller has locked the row, so that no entry is written meanwhile."""
    fault = _fault(request, tx)
    if fault:
        raise _changed(request.id, fault)


def check_id_on_record(request_id: str, tx: Transaction) -> None:
    """As `check_on_record`; locks the row only when an entry may have been written while it was read."""
    read = tx.requests.some([request_id]).get(request_id)
    if read is not None and read.id == request_id and not _fault(read, tx):
        return
    locked = get_locked(request_id, tx)
    if locked.id != request_id:
        raise _changed(request_id, "its row has the body of another")
    check_on_record(locked, tx)


def is_on_record(request: TransitionRequest, tx: Transaction) -> bool:
    """As `check_on_record`, for an effect that goes on with other requests."""
    return not _fault(request, tx)


def get_locked(request_id: str, tx: Transaction) -> TransitionRequest:
    """One that other rows or entries name. Raises Permanent when its row is missing."""
    try:
        return tx.requests.get(request_id, for_update=True)
    except NotFound:
        raise _changed(request_id, "its row is missing, and the ledger tells of it") from None


def _fault(request: TransitionRequest, tx: Transaction) -> str:
    entries, row = tx.ledger.about(request.id), tx.requests.row_of(request.id)
    try:
        made = replayed(request.id, entries)
    except ChainBroken as broken:
        return str(broken)
    if made is None:
        return "the ledger has no entry that opened it"
    field = differing_field(request, made)
    if field:
        return f"its {field} is not what its entries in the ledger made of it"
    if row is None or not is_filed(row, made):
        return "its columns are not what its entries in the ledger made of it"
    if sum(entry.kind == EvidenceFrozen.__name__ for entry in entries) > 1:
        return "its evidence was frozen twice in the ledger"
    return ""


def is_restore_on_record(workspace: str, tx: Transaction, *, lock: bool = False) -> bool:
    """Whose a target is depends on what an admin accepted after a restore. With `lock`, no entry about it is written meanwhile."""
    return is_as_said(tx.trust.find(workspace, for_update=lock), restored_by_ledger(workspace, tx.ledger))


def check_restore_on_record(workspace: str, tx: Transaction) -> None:
    """Before a target is given back. Raises Permanent when the row of the registry is not what the ledger says."""
    if not is_restore_on_record(workspace, tx, lock=True):
        raise Permanent(
            f"the row of the registry{in_workspace(workspace)} was changed beside the ledger: it does not say what the ledger says about "
            "a backup that was restored or accepted. Nothing is moved. Run `countersign audit verify`, and find out who can write to "
            "the database"
        )


def _changed(request_id: str, why: str) -> Permanent:
    return Permanent(
        f"request {request_id[:8]} was changed beside the ledger: {why}. Nothing is signed and nothing is moved. Run "
        "`countersign audit verify`, and find out who can write to the database"
    )
