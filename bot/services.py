"""The services that every handler receives, as one frozen object. Only `bot.app` builds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.links import NO_LINKS, Links
from bot.mail_ports import Mailer
from bot.ports import (
    CheckpointSigner,
    Clock,
    ModelRegistry,
    Notifier,
    OutsideWitness,
    PublicKey,
    Signer,
    TicketSystem,
)
from bot.store.transaction import Store


@dataclass(frozen=True)
class Services:
    """`templates` is the directory of an organisation's own report templates; None when it has none.

    `earlier_keys` are other public keys whose approvals this worker believes.
    """

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
    earlier_keys: tuple[PublicKey, ...] = ()


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
