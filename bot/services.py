"""The frozen bundle that every story receives. `bot.app` builds it; nothing else knows how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.links import NO_LINKS, Links
from bot.ports import CheckpointSigner, Clock, Mailer, ModelRegistry, Notifier, Signer, TicketSystem
from bot.store.transaction import Store


@dataclass(frozen=True)
class Services:
    """`templates` is where an organisation keeps its own for the digest's report, None where it has none."""

    store: Store
    registry: ModelRegistry
    notifier: Notifier
    tickets: TicketSystem
    clock: Clock
    signer: Signer
    checkpoint_signer: CheckpointSigner
    mailer: Mailer
    links: Links = NO_LINKS
    templates: Path | None = None


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
