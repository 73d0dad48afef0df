"""Whether the table `baselines` says of a place what the ledger says: which versions were in it when the watch began.

The bot's database role may change or delete these rows, and no entry: with a row that is missing an older holder would be the lawful one.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain.model import TransitionRequest, VersionId
from bot.domain.registry.custody import brought_by
from bot.domain.registry.facts import Facts
from bot.errors import Permanent, Temporary
from bot.store.transaction import Transaction
from handlers.custody.facts import Place, baseline_of, facts_of_champion
from handlers.custody.hidden import check_none_is_hidden, is_any_hidden
from handlers.custody.on_record import is_restore_on_record


def check_baseline_on_record(version: VersionId | None, facts: Facts, tx: Transaction) -> None:
    """Before the place goes to `version`, or to no one. Raises Permanent when the rows are not what the ledger says, or when the version
    has no other right than to have been there; Temporary when they have changed meanwhile.
    """
    place = Place(facts.workspace, facts.model, facts.target)
    said = baseline_of(place, tx, by_ledger=True)
    if facts.baseline != said and facts.baseline != baseline_of(place, tx):
        raise Temporary(f"what was in {facts.target} of {facts.model} before has changed since it was read")
    is_unknown = version is not None and version not in said and brought_by(version, facts) is None
    if facts.baseline != said or is_unknown:
        raise Permanent(
            f"{facts.target} of {facts.model} cannot go back to {version or 'no one'}: the database says one thing about what was there "
            "before the bot watched, and the ledger another. Nothing is moved. Run `countersign audit verify`, put back the rows that it "
            "names, replay the job, and find out who can write to the database"
        )


def is_champion_off_record(request: TransitionRequest, tx: Transaction, now: datetime) -> bool:
    """Whether the version that its evidence compares with has its place by rows that the ledger does not bear out, or by hiding others."""
    there = facts_of_champion(request, tx, now)
    if there is None:
        return False
    champion, facts = there
    if not is_restore_on_record(facts.workspace, tx):
        return True
    try:
        check_baseline_on_record(None, facts, tx)
    except Permanent:
        return True
    return is_any_hidden(champion, facts, tx)


def is_right_off_record(version: VersionId, facts: Facts, tx: Transaction) -> bool:
    """`version` was moved there by hand and may hold the place by the facts. Raises Temporary when they have changed meanwhile."""
    try:
        check_baseline_on_record(None, facts, tx)
        check_none_is_hidden(version, facts, tx)
    except Permanent:
        return True
    return False
