"""Whether the ledger says of a version, as a row of the table `baselines` does, that it was in its place when the watch began.

The bot's database role may change these rows, and no entry.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import TransitionRequest, VersionId
from bot.domain.registry.facts import Facts
from bot.errors import Permanent
from bot.store.transaction import Transaction
from bot.store.vouched.baselines import Row, is_vouched_for
from handlers.custody.facts import facts_of_champion
from handlers.custody.hidden import is_any_hidden


def check_baseline_on_record(version: VersionId, facts: Facts, tx: Transaction) -> None:
    """`version` may hold the place because it was there before. Raises Permanent when no ledger entry says so."""
    if not _is_on_record(version, facts, tx):
        raise Permanent(
            f"{facts.target} cannot go back to {version}: the database says that it was there before the bot watched, and the ledger "
            "does not. Nothing is moved. Run `countersign audit verify`, and find out who can write to the database"
        )


def is_champion_off_record(request: TransitionRequest, tx: Transaction, now: datetime) -> bool:
    """Whether the version that its evidence compares with has its place by rows that the ledger does not bear out, or by hiding others."""
    there = facts_of_champion(request, tx, now)
    if there is None:
        return False
    champion, facts = there
    if champion in facts.baseline and not _is_on_record(champion, facts, tx):
        return True
    return is_any_hidden(champion, facts, tx)


def _is_on_record(version: VersionId, facts: Facts, tx: Transaction) -> bool:
    since = facts.baseline.get(version)
    if since is None:
        return False
    row = Row(facts.workspace, facts.model, str(facts.target), version.version, version.created, since)
    return is_vouched_for(row, tx.ledger)
