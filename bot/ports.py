"""What the product needs of the outside world, as Protocols, and the few ways in which the outside can fail.

OutsideError
├── Temporary        try again later; after `retry_after` seconds, when the vendor said so, but 15 minutes at the most
├── Permanent        trying again cannot help until a person mends something: the job is parked with this message
└── OutcomeUnknown   the call may or may not have taken effect: look it up before doing anything else
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bot.domain.card.card import Card
from bot.domain.evidence.dvc_lock import Entry
from bot.domain.evidence.lineage import Mirrored
from bot.domain.ledger.checkpoint import Checkpoint, Note
from bot.domain.model import Evidence, Metric, VersionId
from bot.domain.policy.rules import LineageDemand
from bot.domain.references import Image, PostedCard, TicketPlan, TicketRef
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot


@dataclass(frozen=True)
class RegistryHint:
    """A webhook's content, believed only as far as: look at this model again. `model` is None for events without news."""

    delivery_id: str
    workspace: str
    model: str | None


@dataclass(frozen=True)
class TicketHint:
    """A ticket system's webhook, believed only as far as: look at this ticket again."""

    delivery_id: str
    ticket_id: str | None


@dataclass(frozen=True)
class ModelSummary:
    """One registered model as the paged sweep shows it: without its versions but the latest of each stage.

    `newest` is the highest version number, 0 when there is none.
    """

    workspace: str
    name: str
    created: datetime
    aliases: Mapping[str, int]
    latest: tuple[VersionSnapshot, ...]
    newest: int


class ProgressListener(Protocol):
    """Follows how a version's files are read, which takes long for a large model."""

    def on_progress(self, done: int, size: int) -> None:
        """So many bytes of all are read; told before each file."""

    def on_manifest(self, manifest: str) -> None:
        """Every file was read: their list in `sha256sum` format, whose sha256 is `Artifacts.digest`."""


class ModelRegistry(Protocol):
    """MLflow. Reads raise Temporary or Permanent; writes may also raise OutcomeUnknown and are all safe to repeat after a look."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> RegistryHint:
        """Verifies the signature over the raw body, then parses. Raises Rejected."""

    def identity(self) -> str | None:
        """What tells this registry from every other, however alike their models are; None when it does not say. Raises Temporary."""

    def list_models(self) -> Iterator[ModelSummary]:
        """All registered models (not prompts), a page of 1,000 a call."""

    def versions_newest_first(self) -> Iterator[VersionSnapshot]:
        """Versions by last update, newest first, a page of 100 a call; the caller stops at its watermark."""

    def every_version(self) -> Iterator[VersionSnapshot]:
        """All versions of all registered models, a page of 5,000 a call: for the baseline."""

    def versions_tagged(self, tag: str) -> Iterator[VersionSnapshot]:
        """All versions that carry the tag, whatever its value."""

    def find_model(self, workspace: str, name: str) -> ModelSnapshot | None:
        """The model with its aliases and all its versions; None when it does not exist."""

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        """This one alone, which is one call however many there are; None when it does not exist."""

    def read_evidence(
        self,
        version: VersionId,
        champion: VersionId | None,
        stores: Sequence[str],
        lineage: LineageDemand | None = None,
        follower: ProgressListener | None = None,
    ) -> Evidence:
        """Metrics, params, tags, author, data sets, signature, the digest of the artifacts.

        Artifacts are read only from locations that begin with one of `stores`. The lineage is checked only when a demand is given,
        be it one that demands nothing. Raises Permanent when the version is gone or is another one of the same number.
        """

    def read_lock(self, version: VersionId, stores: Sequence[str]) -> str | None:
        """The text of the `dvc.lock` that the version's run keeps; None when it keeps none that may be read."""

    def read_metrics(self, version: VersionId) -> tuple[Metric, ...]:
        """The version's figures alone: for plots and checks. Raises as `read_evidence` does."""

    def set_alias(self, model: str, alias: str, version: int) -> None: ...

    def delete_alias(self, model: str, alias: str) -> None: ...

    def set_stage(self, model: str, version: int, stage: str) -> None:
        """Moves the version alone; what else is in the stage stays there."""

    def copy_version(self, model: str, version: int, to_model: str, tags: Mapping[str, str]) -> VersionId:
        """Copies into `to_model` (made when missing), sets `tags` on the copy, and returns the copy's identity."""

    def delete_version(self, model: str, version: int) -> None: ...

    def tag_version(self, model: str, version: int, tags: Mapping[str, str]) -> None: ...


@dataclass(frozen=True)
class Attachment:
    """A file on disk to hand over, however large. `name` is plain, such as countersign-2026-W47.pdf; `alt` says what a picture shows."""

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
    """A person's account with the notifier; `email` is empty when the vendor does not tell it."""

    id: str
    email: str
    name: str
    kind: AccountKind


@dataclass(frozen=True)
class Click:
    """A pressed button or a sent form, as the vendor signed it. `value` is whatever the button carried: not yet trusted."""

    team: str
    app: str
    channel: str
    message: str
    account: str
    action: str
    value: str
    trigger: str
    reason: str = ""


class Notifier(Protocol):
    """Slack. `key` is our idempotency key: it travels with the message so that a lost answer can be looked up."""

    post_settles: float
    """Seconds after which a post whose answer was lost is either there to be found or will never be."""

    def post(self, channel: str, card: Card, key: str, thread: str | None = None) -> PostedCard:
        """Posts to a channel (`#name` or id) or, given an account id, as a direct message. Raises OutcomeUnknown."""

    def find_post(self, channel: str, key: str, since: datetime, thread: str | None = None) -> PostedCard | None:
        """Looks the message up by its key in what was posted since then. Raises Temporary when that cannot be told."""

    def update(self, posted: PostedCard, card: Card) -> None:
        """Replaces the message in place; safe to repeat. Raises Permanent when the message is gone."""

    def account(self, account_id: str) -> Account:
        """Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def find_account(self, email: str) -> Account | None: ...

    def members_of(self, group: str) -> frozenset[str]:
        """Account ids in the user group named by its handle. Answers within 1.5 s or raises Temporary; cached for at most 60 s."""

    def ask_reason(self, click: Click, title: str, prompt: str) -> None:
        """Opens a form that asks for a reason; its answer comes back as a Click with the same action, value, channel and message."""

    def read_mention(self, text: str) -> str | None:
        """The account that a mention in a command names; None when it is none."""

    def check_request(self, headers: Mapping[str, str]) -> None:
        """Refuses headers that cannot be the vendor's, before the signature over the body is verified. Raises Rejected."""

    def upload_image(self, content: bytes, name: str, alt: str) -> Image:
        """Keeps a PNG where cards of this notifier can show it (`Card.image`); nobody sees it before a card does. Safe to repeat.

        A card whose image the vendor does not take is posted or updated without it: the card is never lost for its picture.
        """

    def share(self, posted: PostedCard, files: Sequence[Attachment], key: str) -> None:
        """Puts files into the message's thread, each once: what is there under its name is left alone. Raises OutcomeUnknown."""

    def reply_privately(self, reply_to: str, text: str) -> None:
        """What only the one who pressed sees. One try within a second; raises Temporary."""

    def as_reply(self, card: Card) -> Mapping[str, object]:
        """The card as the answer to a command, which only the asker sees."""

    def read_click(self, body: Mapping[str, object]) -> Click:
        """Parses a verified button press or sent form; says nothing about whether it is allowed. Raises Rejected."""


@dataclass(frozen=True)
class Ticket:
    ref: TicketRef
    status: str


class TicketSystem(Protocol):
    """Jira. `key` is our idempotency key: the ticket's label, the comment's marker, the link's global id."""

    search_settles: float
    """Seconds after which a ticket that was created is sure to be found by `find_ticket`."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        """Verifies the signature over the raw body, then parses. Raises Rejected."""

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None: ...

    def open_ticket(self, plan: TicketPlan, card: Card, key: str) -> Ticket:
        """Creates; raises OutcomeUnknown when the answer was lost."""

    def get_ticket(self, ref: TicketRef) -> Ticket:
        """Raises Permanent when it was deleted."""

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None: ...

    def comment(self, ref: TicketRef, key: str, text: str) -> None:
        """Adds the comment unless one with this key is there."""

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        """Each once: what our account has attached already under its name is left alone. Raises OutcomeUnknown."""

    def move(self, ref: TicketRef, to: str) -> None:
        """Takes the transition with that id, name or target status; already there is fine. Permanent lists the roads."""


@dataclass(frozen=True)
class PublicKey:
    """`id` is the sha256 of the key's DER (SubjectPublicKeyInfo) in hex; `algorithm` is ecdsa-p256 or ed25519."""

    id: str
    algorithm: str
    pem: str


class Signer(Protocol):
    """Signs approvals. Only the worker has one that can; elsewhere `key` is all that is asked for."""

    @property
    def key(self) -> PublicKey: ...

    def sign(self, payload: bytes, payload_type: str) -> str:
        """A DSSE envelope as JSON text. Raises Temporary when a key service does not answer, Permanent when it refuses."""


class CheckpointSigner(Protocol):
    """Signs checkpoints of the ledger, with a key of its own."""

    @property
    def key(self) -> PublicKey:
        """Raises Permanent when there is none to sign with."""

    def sign(self, checkpoint: Checkpoint) -> Note:
        """Raises Permanent as `key` does."""


@dataclass(frozen=True)
class Mail:
    """`key` becomes the Message-ID, so that a mail server or reader can tell a repeat."""

    key: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    files: tuple[Attachment, ...]


class Mailer(Protocol):
    """An SMTP server, where SMTP_URL names one."""

    def send(self, mail: Mail) -> None:
        """Raises Permanent when there is no server or it refuses, Temporary, or OutcomeUnknown once the mail was handed over."""


class GitMirror(Protocol):
    """A read-only copy of a git remote, which does not take the trainer's word for it."""

    def look(self, remote: str, commit: str, main: str, lock_path: str, code: str) -> Mirrored:
        """What the remote has of the commit now, and of the file `lock_path` in it. `code` is the commit that the training ran from,
        empty when none is named. Raises Temporary or Permanent."""

    def read_files(self, remote: str, commit: str, paths: Collection[str]) -> Mapping[str, bytes]:
        """The bytes of these files as the commit has them; without those that it does not have. Raises Temporary or Permanent."""


@dataclass(frozen=True)
class Fetched:
    """A file that was brought back: its md5 is the one in the lock, byte for byte. `size` is in bytes."""

    path: str
    md5: str
    sha256: str
    size: int


class DataRemote(Protocol):
    """One opened place that data lies in."""

    def fetch(self, entry: Entry, into: Path) -> list[Fetched]:
        """Writes below `into` only, and overwrites nothing. Raises NotFetched, or NotOnRemote when it has nothing of that hash."""


class DataStore(Protocol):
    """Where the data that a `dvc.lock` names can be brought back from."""

    def default_remote(self, config: str) -> str:
        """The address that a repository's `.dvc/config` names. Raises NotFetched when it names none that can be used here."""

    def open(self, url: str) -> DataRemote:
        """Raises NotFetched for an address that cannot be read."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
