"""Whether the row of a request, or of a registry, is what its ledger entries make of it. The bot's database role may change the row, and
no entry.

`countersign audit verify` makes the same comparisons for all rows.
"""

from __future__ import annotations

from bot.domain.events import EvidenceFrozen
from bot.domain.model import TransitionRequest
from bot.domain.workspaces import in_workspace
from bot.errors import ChainBroken, Permanent
from bot.store.audit import differing_field, replayed
from bot.store.baselines.restored import is_as_said, restored_by_ledger
from bot.store.transaction import Transaction


def check_on_record(request: TransitionRequest, tx: Transaction) -> None:
    """Raises Permanent when they differ. The caller has locked the row, so that no entry is written meanwhile."""
    entries = tx.ledger.about(request.id)
    try:
        made = replayed(request.id, entries)
    except ChainBroken as broken:
        _refuse(request, str(broken))
        return
    if made is None:
        _refuse(request, "the ledger has no entry that opened it")
        return
    field = differing_field(request, made)
    if field:
        _refuse(request, f"its {field} is not what its entries in the ledger made of it")
    if sum(entry.kind == EvidenceFrozen.__name__ for entry in entries) > 1:
        _refuse(request, "its evidence was frozen twice in the ledger")


def check_restore_on_record(workspace: str, tx: Transaction) -> None:
    """Before a target is given back: whose it is depends on what an admin accepted after a restore. Raises Permanent when they differ."""
    row = tx.trust.find(workspace, for_update=True)
    if not is_as_said(row, restored_by_ledger(workspace, tx.ledger)):
        raise Permanent(
            f"the row of the registry{in_workspace(workspace)} was changed beside the ledger: it does not say what the ledger says about "
            "a backup that was restored or accepted. Nothing is moved. Run `countersign audit verify`, and find out who can write to "
            "the database"
        )


def _refuse(request: TransitionRequest, why: str) -> None:
    raise Permanent(
        f"request {request.short_id} was changed beside the ledger: {why}. Nothing is signed and nothing is moved. Run "
        "`countersign audit verify`, and find out who can write to the database"
    )
