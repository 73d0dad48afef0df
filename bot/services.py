"""The frozen bundle that every story receives. `bot.app` builds it; nothing else knows how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.ports import Clock, ModelRegistry, Notifier, TicketSystem
from bot.store import Store


@dataclass(frozen=True)
class Services:
    store: Store
    registry: ModelRegistry
    notifier: Notifier
    tickets: TicketSystem
    clock: Clock


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
