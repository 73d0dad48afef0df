"""Announces, once, an alias, stage or tag that only looks like the one that a rule waits for."""

from __future__ import annotations

from datetime import datetime

from bot.domain.events import LookalikeSeen
from bot.domain.policy.rules import Policy
from bot.domain.registry.lookalikes import lookalikes
from bot.domain.registry.snapshot import ModelSnapshot
from bot.store.transaction import Transaction


def note_lookalikes(seen: ModelSnapshot, policy: Policy, tx: Transaction, now: datetime) -> None:
    """It opens no request and moves nothing: MLflow keeps the two names apart, and so does the bot."""
    for one in lookalikes(seen.workspace, seen.name, seen.aliases, seen.versions, policy):
        subject = repr((seen.workspace, seen.name, seen.created.isoformat(), one.kind.value, one.name, one.meant))
        if tx.outbox.is_new_tick("lookalike", subject, now):
            tx.record([LookalikeSeen(now, seen.workspace, seen.name, one.kind.value, one.name, one.meant, one.version)])
