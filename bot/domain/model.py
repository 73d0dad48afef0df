"""The nouns: version identity, target, transition request, vote, evidence. Plain values; the rules about them live in `lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

DEFAULT_WORKSPACE = "default"


class Refused(Exception):
    """A law of ours says no. The text is the very sentence that the person sees."""


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
            raise Refused(
                f'"{text}" is not a target. Write alias:NAME, stage:NAME or model:NAME, for example alias:champion.'
            )
        return cls(TargetKind(kind), name.strip())


@dataclass(frozen=True, order=True)
class VersionId:
    """Name and number alone are reused after delete and re-create, so the creation time belongs to the identity."""

    workspace: str
    model: str
    version: int
    created: datetime

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"


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

    @property
    def is_open(self) -> bool:
        return self in OPEN


OPEN = (State.COLLECTING, State.PENDING)
ENDED_UNDECIDED = (State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED)


class Kind(StrEnum):
    PROMOTION = "promotion"
    OBSERVED = "observed"


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
    OBSERVED = "observed"
    ADOPTED = "adopted"
    REOPENED = "reopened"


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
            AskKind.OBSERVED: "moved without asking",
            AskKind.ADOPTED: "by adopt",
            AskKind.REOPENED: "again, because the world had changed",
        }[self.kind]


@dataclass(frozen=True)
class Vote:
    """One person's verdict under the rule with that hash. `groups` are the rule's groups that the person was in at that moment."""

    person: str
    verdict: Verdict
    reason: str
    at: datetime
    groups: tuple[str, ...]
    via: str
    rule_hash: str = ""


@dataclass(frozen=True)
class Metric:
    """`source` says where the figure was read: the logged model or the run."""

    name: str
    value: float
    source: str


@dataclass(frozen=True)
class Champion:
    """Who held the target when the evidence was frozen."""

    version: VersionId
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the vote is based on, as the registry told it when it was frozen."""

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


@dataclass(frozen=True)
class PostedCard:
    """The message that stands for a request; a click must come from just there."""

    team: str
    app: str
    channel: str
    message: str
    url: str


@dataclass(frozen=True)
class TicketPlan:
    """What a rule says of tickets. `approved` and `rejected` name a transition (id or name) or the status it leads to."""

    project: str
    type: str
    approved: str
    rejected: str


@dataclass(frozen=True)
class TicketRef:
    id: str
    key: str
    url: str


@dataclass(frozen=True)
class TransitionRequest:
    """Our record that somebody asks for a transition. `requester`, `author` and those who `joined` the ask are ids of people.

    Once the target is settled, `settled_holder` is who holds it, and `settled_by_us` whether we have moved it.
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

    @property
    def parties(self) -> frozenset[str]:
        """Who asked, joined the ask or trained the version, as far as known: none of them decides."""
        return frozenset(person for person in (self.requester, self.author, *self.joined) if person is not None)

    @property
    def is_adopted(self) -> bool:
        """Held since before the baseline; a rejection is recorded and moves nothing, for nobody knows a lawful holder."""
        return self.ask.kind is AskKind.ADOPTED

    @property
    def short_id(self) -> str:
        return self.id[:8]


@dataclass(frozen=True)
class VersionSeen:
    """A model version as the registry shows it now."""

    id: VersionId
    stage: str
    tags: Mapping[str, str]
    source: str
    run_id: str | None
    updated: datetime

    @property
    def is_copy(self) -> bool:
        """Copied from another registered model: MLflow's source is then `models:/name/version`, not `models:/m-…`."""
        return self.source.startswith("models:/") and "/" in self.source.removeprefix("models:/")


@dataclass(frozen=True)
class ModelSeen:
    """A registered model as the registry shows it now, with all its versions, newest first."""

    workspace: str
    name: str
    created: datetime
    aliases: Mapping[str, int]
    versions: tuple[VersionSeen, ...]

    def version(self, number: int) -> VersionSeen | None:
        return next((seen for seen in self.versions if seen.id.version == number), None)

    def holders(self, target: Target) -> tuple[VersionId, ...]:
        """Who holds an alias (at most one), a stage, or, when this is the target model, any of its versions; newest first."""
        if target.kind is TargetKind.ALIAS:
            seen = self.version(self.aliases[target.name]) if target.name in self.aliases else None
            return (seen.id,) if seen else ()
        if target.kind is TargetKind.STAGE:
            return tuple(seen.id for seen in self.versions if seen.stage == target.name)
        return tuple(seen.id for seen in self.versions) if target.name == self.name else ()
