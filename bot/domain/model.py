"""The nouns: version identity, target, transition request, vote, evidence. Plain values; their rules are in `request.lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.domain.broken_glass import BrokenGlass
from bot.domain.conversation_state import Conversation
from bot.domain.figures import OMIT_EMPTY as OMIT_EMPTY
from bot.domain.figures import Artifacts as Artifacts
from bot.domain.figures import DataSet as DataSet
from bot.domain.figures import Metric as Metric
from bot.domain.figures import Origin as Origin
from bot.domain.figures import Table as Table
from bot.domain.grounds import Assertion as Assertion
from bot.domain.grounds import AuthorSource as AuthorSource
from bot.domain.grounds import Check as Check
from bot.domain.grounds import Cut as Cut
from bot.domain.grounds import DecidedBy as DecidedBy
from bot.domain.grounds import FastTrackMode as FastTrackMode
from bot.domain.grounds import Judgement as Judgement
from bot.domain.grounds import LineageCheck as LineageCheck
from bot.domain.grounds import Objection as Objection
from bot.domain.grounds import RefusedVote as RefusedVote
from bot.domain.grounds import SignedBy as SignedBy
from bot.domain.grounds import StaleCause as StaleCause
from bot.domain.names import shown
from bot.domain.references import Image, NamedTicket, PostedCard, TicketRef
from bot.domain.seals.places import NOT_SEALED, Sealing
from bot.domain.workspaces import DEFAULT_WORKSPACE as DEFAULT_WORKSPACE
from bot.domain.workspaces import in_workspace
from bot.errors import Refused


class TargetKind(StrEnum):
    ALIAS = "alias"
    STAGE = "stage"
    MODEL = "model"


@dataclass(frozen=True, order=True)
class Target:
    """Where a version wants to go, written `alias:champion`, `stage:Production` or `model:prod.x`."""

    kind: TargetKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        kind, _, name = text.partition(":")
        if kind not in set(TargetKind) or not name.strip():
            raise Refused(f'"{text}" is not a target. Write alias:NAME, stage:NAME or model:NAME (alias:champion).')
        return cls(TargetKind(kind), name.strip())


@dataclass(frozen=True, order=True)
class VersionId:
    """Name and number alone are reused after delete and re-create, so the creation time belongs to the identity."""

    workspace: str
    model: str
    version: int
    created: datetime

    def __str__(self) -> str:
        return f"{shown(self.model)} v{self.version}{in_workspace(self.workspace)}"


@dataclass(frozen=True)
class Placed:
    """That a version held a target, since when, and by which request; None when it was not approved."""

    target: Target
    version: VersionId
    since: datetime
    request_id: str | None


class State(StrEnum):
    COLLECTING = "collecting"
    PENDING = "pending"
    APPROVED = "approved"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    STALE = "stale"
    CALLED_OFF = "called_off"

    @property
    def is_open(self) -> bool:
        return self in OPEN


PERSON = "person:"  # prefix of a person's id, used where a claimed name would be an e-mail address
VOTE, DECISION = "vote", "decision"  # what an attestation is about
OPEN = (State.COLLECTING, State.PENDING)
ENDED_UNDECIDED = (State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED)
EVER_APPROVED = (State.APPROVED, State.APPLIED, State.STALE, State.CALLED_OFF)  # also if it was never applied


class Kind(StrEnum):
    PROMOTION = "promotion"
    OBSERVED = "observed"
    ROLLBACK = "rollback"


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class AskKind(StrEnum):
    """How somebody asked. The registry names no actor for the first four."""

    ALIAS = "alias"
    TAG = "tag"
    STAGE = "stage"
    NEW_VERSION = "new_version"
    COMMAND = "command"
    API = "api"
    FORM = "form"
    OBSERVED = "observed"
    ADOPTED = "adopted"
    REOPENED = "reopened"
    ROLLBACK = "rollback"
    UNDO = "undo"
    BREAK_GLASS = "break_glass"


@dataclass(frozen=True, order=True)
class Ask:
    """`name` is the alias, tag or stage that asks; empty for the other kinds."""

    kind: AskKind
    name: str = ""

    @property
    def is_automatic(self) -> bool:
        return self.kind in (AskKind.ALIAS, AskKind.TAG, AskKind.STAGE, AskKind.NEW_VERSION)

    def __str__(self) -> str:
        return {
            AskKind.ALIAS: f"by alias {self.name}",
            AskKind.TAG: f"by tag {self.name}",
            AskKind.STAGE: f"by stage {self.name}",
            AskKind.NEW_VERSION: "by creating the version",
            AskKind.COMMAND: "on the command line",
            AskKind.API: "through the API",
            AskKind.FORM: "with a form",
            AskKind.OBSERVED: "moved without asking",
            AskKind.ADOPTED: "by adopt",
            AskKind.REOPENED: "automatically, because what was compared or checked had changed",
            AskKind.ROLLBACK: "to go back",
            AskKind.UNDO: "to undo what the fast track decided",
            AskKind.BREAK_GLASS: "by breaking the glass",
        }[self.kind]


@dataclass(frozen=True)
class Vote:
    """One person's verdict under the rule with that hash. `groups` are the rule's groups that the person was in at that moment.

    `standing_in_for` are the people away who had named this person, and whose groups are among `groups` for it. `also` are this
    person's other ids. `account` in `team` pressed. `signed_request` is the digest of the kept request and `signed_by` says who signed it
    (a `SignedBy`); empty in votes of older releases. `passkey` is the person's own signature, where the rule asks for one.
    """

    person: str
    verdict: Verdict
    reason: str
    at: datetime
    groups: tuple[str, ...]
    via: str
    rule_hash: str = ""
    standing_in_for: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    team: str = ""
    account: str = ""
    signed_request: str = ""
    signed_by: str = ""
    passkey: Assertion | None = field(default=None, metadata={OMIT_EMPTY: True})

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.person, *self.also))


@dataclass(frozen=True)
class Champion:
    """The lawful holder of the target when the evidence was frozen, which the version is compared with."""

    version: VersionId
    metrics: tuple[Metric, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    signature: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What the vote is based on, as the registry showed it when it was frozen; authors are as the clients claim.

    `signature` is the model's own (inputs, outputs, params) as canonical JSON. `artifacts_unread` says why `artifacts` is None.
    `lineage` is what the checks found; `vouched_by` is their source: the trainer's own tags and files, or the git mirror.
    `outside` are paths in the model's files that leave its folder; `uncovered` is what runs with it and is not in `artifacts`.
    `author_from`, `commit_author_from` are AuthorSources; `not_believed` those that the policy does not believe. `cut`: what was too large.
    `original_source`: of what a copy was made from. `lock_sha256`: of the `dvc.lock`; `data_md5`: the source data as the run names it,
    in `md5sum` form. `object_versions`: sha256 of the files' version ids in a bucket that keeps all of them. Empty where there is none.
    """

    source: str
    run_id: str | None
    author: str | None
    description: str
    metrics: tuple[Metric, ...]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    version_url: str
    run_url: str | None
    champion: Champion | None
    datasets: tuple[DataSet, ...] = ()
    commit: str | None = None
    commit_author: str | None = None
    signature: str | None = None
    artifacts: Artifacts | None = None
    artifacts_unread: str = ""
    lineage: tuple[LineageCheck, ...] = ()
    vouched_by: str = ""
    lock_sha256: str = ""
    data_md5: str = ""
    outside: tuple[str, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    uncovered: tuple[str, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    author_from: str = field(default="", metadata={OMIT_EMPTY: True})
    commit_author_from: str = field(default="", metadata={OMIT_EMPTY: True})
    not_believed: tuple[str, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    cut: tuple[Cut, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    original_source: str = field(default="", metadata={OMIT_EMPTY: True})
    object_versions: str = field(default="", metadata={OMIT_EMPTY: True})


@dataclass(frozen=True)
class TransitionRequest:
    """Our record that somebody asks for a transition. `requester`, `author` and those who `joined` the ask are ids of people.

    Once settled, `settled_holder` holds the target, `settled_by_us` if we moved it; `copies` are those made in a target model. A rollback
    leads `away_from` what failed; `people_decide`: why it needs votes; `failed_before`: when and why this version was rolled back itself.
    `asked_since`: when the first of its kind was opened. `attested_at`: when the decision was signed, before which nothing moves.
    `frozen_until`: when the freeze ends that an approval waits for. `found`: who held the target at the vote; None in older requests.
    `barred` asked for the same version or content before, or are other ids of the parties; `latecomers` asked in words once it was
    approved. `objections`: earlier rejections of the content. `ended_by` (an id, or empty) called the approval off at `ended_at`.
    `unreadable`: each reason why its evidence cannot be read. `refused_votes` do not count: nothing proves them. `earlier_cards` were
    deleted at the notifier; votes may have been cast on them. `stale_cause` is unknown unless it is stale. `named`: the ticket that
    somebody named, and what ours is to it. `renewed`: `superseded_by` asks the same, with a new comparison. `origin`: who trained it, if
    decided without evidence. `waiting_since`: when the vote it renews opened. `vouched_by` names them. `conversation`: what was said.
    """

    id: str
    kind: Kind
    state: State
    version: VersionId
    target: Target
    ask: Ask
    requester: str | None
    author: str | None
    comment: str
    opened_at: datetime
    expires_at: datetime | None
    rule_hash: str
    previous: VersionId | None = None
    evidence: Evidence | None = None
    votes: tuple[Vote, ...] = ()
    decided_at: datetime | None = None
    outcome: str = ""
    settled_at: datetime | None = None
    settled_by_us: bool = False
    settled_holder: VersionId | None = None
    card: PostedCard | None = None
    ticket: TicketRef | None = None
    ticket_status: str = ""
    joined: tuple[str, ...] = ()
    follows: str | None = None
    commit_author: str | None = None
    pending_since: datetime | None = None
    judgement: Judgement | None = None
    decided_by: DecidedBy | None = None
    frozen_until: datetime | None = None
    frozen_by: str = ""
    reminders: int = 0
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
    plot: Image | None = None
    away_from: VersionId | None = None
    failed_before: str = ""
    asked_since: datetime | None = None
    people_decide: str = ""
    attested_at: datetime | None = None
    found: tuple[VersionId, ...] | None = None
    copies: tuple[VersionId, ...] = ()
    adopted: bool = False
    barred: tuple[str, ...] = ()
    latecomers: tuple[str, ...] = ()
    superseded_by: str = ""
    ended_by: str = ""
    ended_at: datetime | None = None
    objections: tuple[Objection, ...] = ()
    unreadable: tuple[str, ...] = ()
    refused_votes: tuple[RefusedVote, ...] = ()
    earlier_cards: tuple[PostedCard, ...] = field(default=(), metadata={OMIT_EMPTY: True})
    stale_cause: StaleCause = field(default=StaleCause.UNKNOWN, metadata={OMIT_EMPTY: True})
    named: NamedTicket | None = field(default=None, metadata={OMIT_EMPTY: True})
    renewed: bool = field(default=False, metadata={OMIT_EMPTY: True})
    origin: Origin | None = field(default=None, metadata={OMIT_EMPTY: True})
    waiting_since: datetime | None = field(default=None, metadata={OMIT_EMPTY: True})
    vouched_by: str = field(default="", metadata={OMIT_EMPTY: True})
    glass: BrokenGlass | None = field(default=None, metadata={OMIT_EMPTY: True})
    conversation: Conversation = field(default=Conversation(), metadata={OMIT_EMPTY: True})
    sealing: Sealing = field(default=NOT_SEALED, metadata={OMIT_EMPTY: True})

    @property
    def parties(self) -> frozenset[str]:
        """Who asked, now or before, joined the ask, trained the version or made its commit, as far as known: none of them decides."""
        return frozenset(filter(None, (self.requester, self.author, self.commit_author, *self.joined, *self.barred)))

    def card_at(self, team: str, app: str, channel: str, message: str) -> PostedCard | None:
        """The card that was posted as this message, also when it was deleted since."""
        posted = (*self.earlier_cards, *((self.card,) if self.card else ()))
        there = (team, app, channel, message)
        return next((one for one in posted if (one.team, one.app, one.channel, one.message) == there), None)

    @property
    def is_adopted(self) -> bool:
        """Held since before the baseline; a rejection moves nothing, because no lawful holder is known."""
        return self.adopted or self.ask.kind is AskKind.ADOPTED

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def target_model(self) -> str:
        """The registered model that the target is of: for a target model, it is that model."""
        return self.target.name if self.target.kind is TargetKind.MODEL else self.version.model
