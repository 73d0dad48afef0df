"""The services that every handler receives, as one frozen object. Only `bot.assembly` builds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bot.domain.workspaces import DEFAULT
from bot.links import NO_LINKS, Links
from bot.ports.evidence_watch import NOTHING_KEPT, CommitKeeper, DataKeeper
from bot.ports.registry import NO_OTHERS, ModelRegistries
from bot.ports.sealed_store import NO_SEALS, SealedStore
from bot.ports.sign_in import NO_SIGN_IN, SignIn
from bot.ports.ticket_decisions import NO_DECISIONS, TicketDecisions

if TYPE_CHECKING:
    from pathlib import Path

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
    from bot.ports.home import PersonalHome
    from bot.ports.mail import Mailer
    from bot.store.transaction import Store


class Records(Protocol):
    """What reading the records alone takes: no registry, no chat and no ticket system."""

    @property
    def store(self) -> Store: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Services:
    """`templates` is the directory of an organisation's own report templates; None when it has none.

    `earlier_keys` are other public keys whose approvals this worker believes. `registry` is the default workspace of the default registry,
    and `registries` knows all others. `commits` and `data` are asked whether what approvals rest on is still there.
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
    registries: ModelRegistries = NO_OTHERS
    sign_in: SignIn = NO_SIGN_IN
    decisions: TicketDecisions = NO_DECISIONS
    seals: SealedStore = NO_SEALS
    commits: CommitKeeper = NOTHING_KEPT
    data: DataKeeper = NOTHING_KEPT
    home: PersonalHome = field(kw_only=True)

    def registry_at(self, workspace: str) -> ModelRegistry:
        """The registry of a place. Raises Permanent for one that is not watched."""
        return self.registry if workspace == DEFAULT else self.registries.at(workspace)
