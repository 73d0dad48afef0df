"""The services that every handler receives, as one frozen object. Only `bot.app` builds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.links import NO_LINKS, Links
from bot.ports import CheckpointSigner, Clock, Mailer, ModelRegistry, Notifier, OutsideWitness, Signer, TicketSystem
from bot.store.transaction import Store


@dataclass(frozen=True)
class Services:
    """`templates` is the directory of an organisation's own report templates; None when it has none."""

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
    outside: tuple[OutsideWitness, ...] = ()


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
