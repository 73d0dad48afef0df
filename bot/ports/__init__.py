"""The external systems that Countersign needs, as Protocols, and the three ways in which they fail.

OutsideError
├── Temporary        retry later, after at least `retry_after` seconds when the vendor said so, 15 minutes at most
├── Permanent        a retry cannot help until a person fixes something: the job is parked with this message
└── OutcomeUnknown   the call may or may not have taken effect: look it up before anything else
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.ports.files import Attachment as Attachment
from bot.ports.notifier import Account as Account
from bot.ports.notifier import AccountKind as AccountKind
from bot.ports.notifier import Click as Click
from bot.ports.notifier import Marked as Marked
from bot.ports.notifier import Notifier as Notifier
from bot.ports.notifier import OwnPost as OwnPost
from bot.ports.notifier import WrittenReply as WrittenReply
from bot.ports.sealed_store import VersionFiles
from bot.ports.tickets import Ticket as Ticket
from bot.ports.tickets import TicketHint as TicketHint
from bot.ports.tickets import TicketSystem as TicketSystem

if TYPE_CHECKING:
    from bot.domain.evidence.lineage import KeptLock
    from bot.domain.ledger.checkpoint import Checkpoint, Note
    from bot.domain.model import Evidence, Metric, VersionId
    from bot.domain.policy.rules import LineageDemand
    from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot
    from bot.ports.evidence_watch import RunState


@dataclass(frozen=True)
class RegistryHint:
    """A registry webhook, a hint to read this model again in each workspace. `model` is None when there is nothing to read."""

    delivery_id: str
    model: str | None


@dataclass(frozen=True)
class ModelSummary:
    """One registered model as the paged sweep lists it: only the latest version of each stage.

    `newest` is the highest version number, 0 when there is none.
    """

    workspace: str
    name: str
    created: datetime
    aliases: Mapping[str, int]
    latest: tuple[VersionSnapshot, ...]
    newest: int


class ProgressListener(Protocol):
    """Receives the progress of reading a version's files, which takes long for a large model."""

    def on_progress(self, done: int, size: int) -> None:
        """Called before each file: `done` of `size` bytes are read."""

    def on_lock(self, lock: KeptLock) -> None:
        """The run's dvc.lock, if it has logged one that may be read."""

    def on_manifest(self, manifest: str) -> None:
        """Called at the end with the list of files in `sha256sum` format, whose sha256 is `Artifacts.digest`."""


class ModelRegistry(Protocol):
    """A workspace of MLflow. Reads raise Temporary or Permanent; writes also OutcomeUnknown, and are safe to repeat after a lookup."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        """Verifies the signature over the raw body, then parses. Raises Rejected."""

    def identity(self) -> str | None:
        """What tells this registry from every other, however alike their models are; None when it does not say. Raises Temporary."""

    def list_models(self) -> Iterator[ModelSummary]:
        """All registered models (not prompts), 1,000 per call."""

    def versions_newest_first(self) -> Iterator[VersionSnapshot]:
        """Versions by last update, newest first, 100 per call; the caller stops at its watermark."""

    def version_pages(self, mark: str = "") -> Iterator[VersionPage]:
        """All versions, those of a model together, 5,000 per call, from page `mark` on. Raises Permanent for an unknown one."""

    def versions_tagged(self, tag: str) -> Iterator[VersionSnapshot]:
        """All versions that have the tag, with any value."""

    def find_model(self, workspace: str, name: str) -> ModelSnapshot | None:
        """The model with its aliases and all its versions; None when it does not exist. Raises TooManyHidden."""

    def find_model_in_part(self, workspace: str, name: str, numbers: Collection[int]) -> ModelSnapshot | None:
        """The same with only the versions that hold a target, and those with these numbers. Raises TooManyHidden for too many of them."""

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        """One version in one call, however many the model has; None when it does not exist."""

    def read_evidence(
        self,
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
        known: Evidence | None = None,
    ) -> Evidence:
        """Metrics, params, tags, author, data sets, signature and the artifacts' digest.

        Artifacts are read only from locations below `stores`, lineage only for a demand. What `known` says of the files is taken over
        when their store proves that nothing was written since. Raises Permanent when the version is gone.
        """

    def open_files(self, version: VersionId, stores: Sequence[str]) -> AbstractContextManager[VersionFiles]:
        """All files of the version. Raises as `read_evidence` does, and FilesUnread."""

    def read_lock(self, version: VersionId, stores: Sequence[str]) -> KeptLock | None:
        """The `dvc.lock` logged with the version's run; None without one. Raises as `read_evidence` does, and FilesUnread."""

    def read_metrics(self, version: VersionId) -> tuple[Metric, ...]:
        """Only the version's metrics, for plots and checks. Raises as `read_evidence` does."""

    def run_states(self, runs: Mapping[str, str]) -> Mapping[str, RunState]:
        """Of those of the runs that a search finds, 50 in a call; `runs` has the id of each run's experiment, where it is known."""

    def run_state(self, run_id: str) -> RunState:
        """Of one run, in a call of its own: the only answer by which a run counts as erased."""

    def has_logged_model(self, model_id: str) -> bool: ...

    def file_sizes(self, version: VersionId, stores: Sequence[str], wanted: Collection[str]) -> Mapping[str, int]:
        """The files that the version has now, in bytes, in the folders of those that are wanted; a call for each folder.

        Raises as `read_evidence` does, and FilesUnread.
        """

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def delete_alias(self, model: str, alias: str) -> None: ...

    def set_stage(self, model: str, version: int, stage: str) -> None:
        """Moves only this version; other versions stay in the stage."""

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        """Copies into `to_model` (created when missing), sets `tags` on the copy, and returns the copy's identity."""

    def delete_version(self, model: str, version: int) -> None: ...

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None: ...


@dataclass(frozen=True)
class PublicKey:
    """`id` is the sha256 of the key's DER (SubjectPublicKeyInfo) in hex; `algorithm` is ecdsa-p256 or ed25519."""

    id: str
    algorithm: str
    pem: str


class Signer(Protocol):
    """Signs approvals. Only the worker has one that can sign; other processes read only `key`."""

    @property
    def key(self) -> PublicKey: ...

    def sign(self, payload: bytes, payload_type: str) -> str:
        """A DSSE envelope as JSON text. Raises Temporary when a key service does not answer, Permanent when it refuses."""


class CheckpointSigner(Protocol):
    """Signs checkpoints of the ledger, with a separate key."""

    @property
    def key(self) -> PublicKey:
        """Raises Permanent when there is none to sign with."""

    def sign(self, checkpoint: Checkpoint) -> Note:
        """Raises Permanent as `key` does."""


class OutsideWitness(Protocol):
    """Signs our checkpoints where the bot cannot change it: a witness that compares them, or a timestamp authority."""

    @property
    def name(self) -> str:
        """Names its rows and jobs; never changes for one key."""

    def attest(self, note: Note, before: int, proof: Callable[[int], tuple[bytes, ...]]) -> str:
        """What it signed, as text. `before` is the size that it signed last, and `proof` proves that the ledger continues a size.

        Raises Temporary, or Permanent when it refuses, as it does when the ledger does not continue what it has seen.
        """

    def check(self, note: Note, evidence: str) -> datetime:
        """When it signed this checkpoint. Raises NotVerified."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
