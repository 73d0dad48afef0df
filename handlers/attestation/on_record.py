"""Whether the row of a request, or of a baseline, is what ledger entries make of it. The bot's database role may change rows, and no entry.

`countersign audit verify` makes the same comparisons for all rows.
"""

from __future__ import annotations

from bot.domain.events import EvidenceFrozen
from bot.domain.model import TransitionRequest, VersionId
from bot.domain.registry.facts import Facts
from bot.errors import ChainBroken, Permanent
from bot.store.audit import differing_field, replayed
from bot.store.baselines import Row, is_vouched_for
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


def check_baseline_on_record(version: VersionId, facts: Facts, tx: Transaction) -> None:
    """`version` is lawful because it was there when the watch began. Raises Permanent when no ledger entry says so."""
    since = facts.baseline.get(version)
    place = (facts.workspace, facts.model, str(facts.target))
    if since is None or not is_vouched_for(Row(*place, version.version, version.created, since), tx.ledger):
        raise Permanent(
            f"{facts.target} cannot go back to {version}: the database says that it was there before the bot watched, and the ledger "
            "does not. Nothing is moved. Run `countersign audit verify`, and find out who can write to the database"
        )


def _refuse(request: TransitionRequest, why: str) -> None:
    raise Permanent(
        f"request {request.short_id} was changed beside the ledger: {why}. Nothing is signed and nothing is moved. Run "
        "`countersign audit verify`, and find out who can write to the database"
    )
