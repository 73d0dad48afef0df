"""The frozen bundle that every story receives. `bot.app` builds it; nothing else knows how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.links import NO_LINKS, Links
from bot.ports import Clock, ModelRegistry, Notary, Notifier, Signer, TicketSystem
from bot.store import Store


@dataclass(frozen=True)
class Services:
    store: Store
    registry: ModelRegistry
    notifier: Notifier
    tickets: TicketSystem
    clock: Clock
    signer: Signer
    notary: Notary
    links: Links = NO_LINKS


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
