"""Who wrote in the registry, as the guard of its server reports it: requests get to know who asked, and the model is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.registry.writes import RegistryWrite
from bot.services import Services
from handlers.registry.reconcile import defer_look
from handlers.request.asking import name_asker


def take_writes(writes: Sequence[RegistryWrite], s: Services) -> int:
    """How many are new. Each is recorded whole before the next, so a guard that reports again goes on where this ended."""
    return sum(_take(write, s) for write in writes)


def _take(write: RegistryWrite, s: Services) -> bool:
    now = s.clock.now()
    with s.store.transaction() as tx:
        if write.workspace not in tx.policy().places or not tx.writes.put(write, now):
            return False
        name_asker(write, tx, now)
        defer_look(tx, write.workspace, write.model)
    return True
