"""The external systems that Countersign needs, as Protocols, and the three ways in which they fail.

OutsideError
├── Temporary        retry later, after at least `retry_after` seconds when the vendor said so, 15 minutes at most
├── Permanent        a retry cannot help until a person fixes something: the job is parked with this message
└── OutcomeUnknown   the call may or may not have taken effect: look it up before anything else
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bot.domain.card.card import Card
from bot.domain.evidence.lineage import KeptLock
from bot.domain.grounds import SignedRequest
from bot.domain.ledger.checkpoint import Checkpoint, Note
from bot.domain.model import Evidence, Metric, VersionId
from bot.domain.policy.rules import LineageDemand
from bot.domain.references import Image, PostedCard, SeenTicket, TicketMove, TicketPlan, TicketRef
from bot.domain.registry.snapshot import ModelSnapshot, VersionPage, VersionSnapshot


@dataclass(frozen=True)
class RegistryHint:
    """A registry webhook, a hint to read this model again in each workspace. `model` is None when there is nothing to read."""

    delivery_id: str
    model: str | None


@dataclass(frozen=True)
class TicketHint:
    """A ticket system's webhook, used only as a hint to read this ticket again."""

    delivery_id: str
    ticket_id: str | None


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
        """The model with its aliases and all its versions; None when it does not exist."""

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        """One version in one call, however many the model has; None when it does not exist."""

    def read_evidence(
        self,
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
    ) -> Evidence:
        """Metrics, params, tags, author, data sets, signature and the artifacts' digest.

        Artifacts are read only from locations below `stores`, lineage only for a demand. Raises Permanent when the version is gone.
        """

    def read_lock(self, version: VersionId, stores: Sequence[str]) -> KeptLock | None:
        """The `dvc.lock` logged with the version's run; None without one. Raises as `read_evidence` does, and FilesUnread."""

    def read_metrics(self, version: VersionId) -> tuple[Metric, ...]:
        """Only the version's metrics, for plots and checks. Raises as `read_evidence` does."""

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def delete_alias(self, model: str, alias: str) -> None: ...

    def set_stage(self, model: str, version: int, stage: str) -> None:
        """Moves only this version; other versions stay in the stage."""

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        """Copies into `to_model` (created when missing), sets `tags` on the copy, and returns the copy's identity."""

    def delete_version(self, model: str, version: int) -> None: ...

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None: ...


@dataclass(frozen=True)
class Attachment:
    """A file on disk of any size. `name` has no folder, such as countersign-2026-W47.pdf; `alt` describes a picture."""

    name: str
    media_type: str
    path: Path
    alt: str = ""


class AccountKind(StrEnum):
    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    DEACTIVATED = "deactivated"
    FOREIGN = "foreign"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True)
class Account:
    """A person's account with the notifier; `email` and `locale`, such as es-ES, are empty when the vendor does not give them."""

    id: str
    email: str
    name: str
    kind: AccountKind
    locale: str = ""


@dataclass(frozen=True)
class Click:
    """A pressed button or a sent form, as the vendor signed it. `value` is the request's id that the button carried; it is not trusted yet.

    `shown` is the digest of what the card showed, empty for buttons that are no votes. `signed` is the request that it came in; only a
    click with one becomes a vote that counts. `is_form`: a sent form, in which an empty `reason` is the person's answer.
    """

    team: str
    app: str
    channel: str
    message: str
    account: str
    action: str
    value: str
    trigger: str
    reason: str = ""
    signed: SignedRequest | None = None
    shown: str = ""
    is_form: bool = False


class Notifier(Protocol):
    """Slack. `key` is our idempotency key: it is stored with the message, so that a lost answer can be looked up."""

    post_settles: float
    """Seconds after which a post whose answer was lost can be found, or will never appear."""
    post_spacing: float
    """Seconds between two messages in one channel that are never refused as too many; 0 where it does not matter."""

    def post(self, channel: str, card: Card, key: str, thread: str | None = None) -> PostedCard:
        """Posts to a channel (`#name` or id) or, given an account id, as a direct message.

        Raises OutcomeUnknown, MessageGone, and ChartRefused for a card with a chart that the vendor refuses.
        """

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        """Finds the message by its key among those posted since then. Raises Temporary or, as `post`, MessageGone."""

    def own_post(self, channel: str, message: str, key: str) -> PostedCard | None:
        """This message of a channel, if it is ours and has this key. Answers within 1.5 s or raises Temporary."""

    def is_there(self, posted: PostedCard) -> bool:
        """Whether the message, which is no reply, is still in its channel."""

    def update(self, posted: PostedCard, card: Card) -> bool:
        """Replaces the message; safe to repeat. Raises MessageGone. False when it went without a part of the card: send that again."""

    def account(self, account_id: str) -> Account:
        """Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def find_account(self, email: str) -> Account | None: ...

    def members_of(self, group: str) -> frozenset[str]:
        """Account ids in the user group named by its handle. Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def ask_reason(self, click: Click, title: str, prompt: str, *, optional: bool = False) -> None:
        """Opens a form that asks for a reason. It is submitted as a Click with the same action, value, channel and message.

        `optional`: the person may leave it empty.
        """

    def read_mention(self, text: str) -> str | None:
        """The account that a mention in a command names; None for any other text."""

    def check_request(self, headers: Mapping[str, str], body: bytes) -> None:
        """Verifies the signature over these bytes, then their shape, before anything else reads them. Raises Rejected."""

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        """Uploads a PNG that cards can show (`Card.image`); it is not visible before a card shows it. Safe to repeat.

        A card whose image the vendor refuses is posted or updated without it, so a picture never blocks a card.
        """

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        """Adds the files that the message's thread lacks, and sees them there. Raises OutcomeUnknown, MessageGone."""

    def as_notice(self, title: str, text: str) -> Mapping[str, object]:
        """What takes the place of a form that was sent, when there is more to say than that it was taken."""

    def reply_privately(self, reply_to: str, text: str) -> None:
        """A text that only the person who clicked sees. One attempt within a second; raises Temporary."""

    def as_reply(self, card: Card) -> Mapping[str, object]:
        """The card as the answer to a command, visible only to the person who sent it."""

    def read_click(self, body: Mapping[str, object]) -> Click:
        """Parses a verified button press or form. Does not decide whether it is allowed. Raises Rejected."""

    def as_received(self, raw: str, headers: Mapping[str, str], body: Mapping[str, object]) -> SignedRequest:
        """The verified request as it is kept with a vote. `raw` is empty over a socket, where the vendor signs nothing: we seal `body`."""

    def read_signed(self, kept: SignedRequest) -> Click:
        """Verifies the signature of a kept request again, and parses it. Raises Rejected, with the reason, when it does not hold."""


@dataclass(frozen=True)
class Ticket:
    ref: TicketRef
    status: str


class TicketSystem(Protocol):
    """Jira. `key` is our idempotency key: the ticket's label, the comment's marker, the link's global id."""

    search_settles: float
    """Seconds after which `find_ticket` is certain to find a created ticket."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        """Verifies the signature over the raw body, then parses. Raises Rejected."""

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None: ...

    def open_ticket(self, plan: TicketPlan, card: Card, key: str, parent: str = "") -> Ticket:
        """Creates, below the ticket `parent` as a sub-task; raises OutcomeUnknown when the answer was lost."""

    def look_up(self, name: str) -> SeenTicket:
        """The ticket that people call so, such as ML-4521, and whether there are such a project and such a ticket for our account."""

    def relate(self, ref: TicketRef, to: str, link_type: str) -> None:
        """Links the ticket to the one that is called `to`. Repeatable. Permanent when Jira has no such type of link."""

    def get_ticket(self, ref: TicketRef) -> Ticket:
        """Raises Permanent when it was deleted."""

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None: ...

    def comment(self, ref: TicketRef, key: str, text: str) -> None:
        """Adds the comment unless one with this key exists."""

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        """Skips files that our account already attached under the same name. Raises OutcomeUnknown."""

    def move(self, ref: TicketRef, to: TicketMove | str) -> None:
        """Takes the transitions that lead there, unless the ticket is there. Permanent lists those that there are."""


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
