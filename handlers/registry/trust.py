"""Is the registry the one that we know? A doubted registry is left alone until it is back, or an admin accepts it.

The rule is in `bot.domain.registry.identity`. The sweep of all models weighs it; looks and moves ask before they act on a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.events import RegistryDoubted, RegistryTrusted
from bot.domain.model import Kind, State
from bot.domain.registry.identity import Holdings, ModelMark, doubt, lost_models
from bot.domain.registry.snapshot import ModelSnapshot
from bot.engine.lanes import FollowUp, Lane
from bot.ports import ModelSummary
from bot.services import Services
from bot.store.registry import ModelRow
from bot.store.transaction import Transaction
from bot.store.trust import RegistryRow
from handlers.custody.belief import doubt_begins


def is_believed(workspace: str, summaries: Sequence[ModelSummary], s: Services) -> bool:
    """Weighs what a sweep has found against what we know, and records when the answer changes."""
    identity, now = s.registry_at(workspace).identity(), s.clock.now()
    with s.store.transaction() as tx:
        row = tx.trust.find(workspace, for_update=True)
        before, there = known_holdings(row, tx), Holdings(identity, tuple(map(mark_of, summaries)))
        why = doubt(before, there)
        if row.backup_of is not None:
            return False  # however alike it looks: what was decided since the backup is not on record here
        if why:
            _begin_doubt(row, why, before, there, tx, now)
            return False
        if row.doubted_since is not None:
            tx.record([RegistryTrusted(now, workspace, row.doubted_since)])
            go_on(workspace, tx)
        tx.trust.put(replace(row, identity=identity or row.identity, doubted_since=None, doubt=""))
    return True


def remember_identity(workspace: str, identity: str | None, tx: Transaction) -> None:
    """Called with the baseline: from now on this is the registry that we know."""
    tx.trust.put(replace(tx.trust.find(workspace), identity=identity))


def is_loss(model: ModelRow | None, seen: ModelSnapshot | None) -> bool:
    """A model that we know is missing, was created again, or holds fewer versions."""
    if model is None:
        return False
    newest = max((version.id.version for version in seen.versions), default=0) if seen else 0
    return seen is None or seen.created != model.created or newest < model.newest


def known_holdings(row: RegistryRow, tx: Transaction) -> Holdings:
    """Without the models that cannot be looked at: MLflow does not list what the bot's account may not read."""
    unreadable = {trouble.name for trouble in tx.trust.unreadable(row.workspace)}
    known = (model for model in tx.registry.models(row.workspace) if model.name not in unreadable)
    return Holdings(row.identity, tuple(ModelMark(model.name, model.created, model.newest) for model in known))


def mark_of(summary: ModelSummary) -> ModelMark:
    return ModelMark(summary.name, summary.created, summary.newest)


def _begin_doubt(row: RegistryRow, why: str, before: Holdings, there: Holdings, tx: Transaction, now: datetime) -> None:
    if row.doubted_since is not None:
        return
    lost = len(lost_models(before, there))
    tx.record([RegistryDoubted(now, row.workspace, why, len(before.models), lost)])
    tx.trust.put(replace(row, doubted_since=now, doubt=why))


def go_on(workspace: str, tx: Transaction) -> None:
    """Waiting jobs go on; whatever was parked because of the doubt alone is replayed, and so is each move that no job would make."""
    tx.replay_parked_by(doubt_begins(workspace))
    waits = tx.unfinished("sync_target")
    for request in tx.requests.find(workspace=workspace, states=(State.APPROVED, State.REJECTED)):
        puts_back = request.kind is Kind.OBSERVED and request.settled_at is None
        if request.id not in waits and (request.state is State.APPROVED or puts_back):
            tx.defer_for(FollowUp("sync_target", Lane.MOVES), request)
