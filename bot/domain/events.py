"""What happened, in the past tense. Each event becomes one ledger entry; the table in `handlers` says which effects follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.conversation_events import CONVERSATION_EVENTS as CONVERSATION_EVENTS
from bot.domain.conversation_events import CommentRecorded as CommentRecorded
from bot.domain.conversation_events import QuestionAnswered as QuestionAnswered
from bot.domain.conversation_events import QuestionAsked as QuestionAsked
from bot.domain.conversation_events import QuestionPosted as QuestionPosted
from bot.domain.conversation_events import RequestReassigned as RequestReassigned
from bot.domain.deadlines import Deadlines
from bot.domain.digest_events import DigestClosed as DigestClosed
from bot.domain.digest_events import DigestDelivered as DigestDelivered
from bot.domain.digest_events import DigestSignedOff as DigestSignedOff
from bot.domain.digest_events import DigestsLeftOut as DigestsLeftOut
from bot.domain.event import Event as Event
from bot.domain.event import RequestEvent as RequestEvent
from bot.domain.evidence_events import EvidenceFound as EvidenceFound
from bot.domain.evidence_events import EvidenceLost as EvidenceLost
from bot.domain.evidence_events import EvidenceOutOfSight as EvidenceOutOfSight
from bot.domain.evidence_events import LossAcknowledged as LossAcknowledged
from bot.domain.glass_events import GLASS_EVENTS as GLASS_EVENTS
from bot.domain.glass_events import GlassBroken as GlassBroken
from bot.domain.glass_events import GlassHeld as GlassHeld
from bot.domain.glass_events import GlassPassed as GlassPassed
from bot.domain.glass_events import GlassReviewDue as GlassReviewDue
from bot.domain.glass_events import GlassReviewed as GlassReviewed
from bot.domain.model import Ask, DecidedBy, Evidence, Judgement, Kind, Objection, Origin, StaleCause, Target, VersionId
from bot.domain.passkey_events import PASSKEY_EVENTS as PASSKEY_EVENTS
from bot.domain.passkey_events import PasskeyConfirmed as PasskeyConfirmed
from bot.domain.passkey_events import PasskeyEnrolled as PasskeyEnrolled
from bot.domain.passkey_events import PasskeyRevoked as PasskeyRevoked
from bot.domain.references import Image, NamedTicket, PostedCard, TicketRef
from bot.domain.registry_events import BaselineRecorded as BaselineRecorded
from bot.domain.registry_events import BaselineTaken as BaselineTaken
from bot.domain.registry_events import DatabaseRestored as DatabaseRestored
from bot.domain.registry_events import LookalikeSeen as LookalikeSeen
from bot.domain.registry_events import ModelGone as ModelGone
from bot.domain.registry_events import ModelReadable as ModelReadable
from bot.domain.registry_events import ModelRenamed as ModelRenamed
from bot.domain.registry_events import ModelUnreadable as ModelUnreadable
from bot.domain.registry_events import MoveObserved as MoveObserved
from bot.domain.registry_events import MoveReverted as MoveReverted
from bot.domain.registry_events import OldBaselinesListed as OldBaselinesListed
from bot.domain.registry_events import RegistryDoubted as RegistryDoubted
from bot.domain.registry_events import RegistryEvent as RegistryEvent
from bot.domain.registry_events import RegistryTrusted as RegistryTrusted
from bot.domain.seals.events import SEAL_EVENTS as SEAL_EVENTS
from bot.domain.seals.events import SealHindered as SealHindered
from bot.domain.seals.events import VersionSealed as VersionSealed
from bot.domain.ticket_events import TicketAccountBound as TicketAccountBound
from bot.domain.ticket_events import TicketAccountUnbound as TicketAccountUnbound
from bot.domain.vote_events import SIGNATURES as SIGNATURES
from bot.domain.vote_events import AccountBound as AccountBound
from bot.domain.vote_events import AccountUnbound as AccountUnbound
from bot.domain.vote_events import ApprovalCalledOff as ApprovalCalledOff
from bot.domain.vote_events import AttestationSigned as AttestationSigned
from bot.domain.vote_events import DecisionReopened as DecisionReopened
from bot.domain.vote_events import DecisionSigned as DecisionSigned
from bot.domain.vote_events import ModelSigned as ModelSigned
from bot.domain.vote_events import OldRecordsListed as OldRecordsListed
from bot.domain.vote_events import OwnAskApproved as OwnAskApproved
from bot.domain.vote_events import SelfApprovalRefused as SelfApprovalRefused
from bot.domain.vote_events import StandInsVoided as StandInsVoided
from bot.domain.vote_events import VerdictSigned as VerdictSigned
from bot.domain.vote_events import VoteCast as VoteCast
from bot.domain.vote_events import VoteRefused as VoteRefused
from bot.domain.vote_events import VoteSigned as VoteSigned
from bot.domain.vote_events import VotesRebound as VotesRebound


@dataclass(frozen=True)
class RequestOpened(RequestEvent):
    kind: Kind
    version: VersionId
    target: Target
    ask: Ask
    requester: str | None
    comment: str
    rule_hash: str
    previous: VersionId | None
    expires_at: datetime | None
    follows: str | None
    away_from: VersionId | None = None  # entries from before there were rollbacks lack it, and the next
    failed_before: str = ""
    asked_since: datetime | None = None
    joined: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    adopted: bool = False
    deadlines: Deadlines | None = None  # of the request whose place it takes
    vouched_by: str = ""  # what says that the requester is who asked; empty when they named themselves


@dataclass(frozen=True)
class AskJoined(RequestEvent):
    """Somebody asked on the command line or API for what was asked already; the request is also theirs from now on.

    Also when it becomes known who asked in the registry, or moved the target by hand: `vouched_by` is what says so.
    """

    person: str
    ask: Ask
    comment: str
    also: tuple[str, ...] = ()
    vouched_by: str = ""


@dataclass(frozen=True)
class EvidenceFrozen(RequestEvent):
    evidence: Evidence
    author: str | None
    rule_hash: str
    commit_author: str | None = None
    people_decide: str = ""
    found: tuple[VersionId, ...] | None = None
    barred: tuple[str, ...] = ()
    objections: tuple[Objection, ...] = ()


@dataclass(frozen=True)
class EvidenceUnreadable(RequestEvent):
    """The evidence for the vote, or for the move, cannot be read. Once for each distinct reason; it is retried."""

    reason: str


@dataclass(frozen=True)
class OriginRead(RequestEvent):
    """Who trained a version that the rule put back at once: read after the decision, which does not depend on it."""

    origin: Origin


@dataclass(frozen=True)
class FastTrackJudged(RequestEvent):
    """What the thresholds say about the frozen metrics, whether or not that decides."""

    judgement: Judgement
    rule: str
    rule_hash: str


@dataclass(frozen=True)
class FastTrackCompared(RequestEvent):
    """People have decided what the fast track had also judged, or rolled back what it approved.

    `outcome` is agreed, false_pass or false_hold.
    """

    rule: str
    would_pass: bool
    approved: bool
    outcome: str


@dataclass(frozen=True)
class ReminderDue(RequestEvent):
    """The request has waited for so many of its rule's `remind_after`, in working time."""

    number: int


@dataclass(frozen=True)
class RequestEscalated(RequestEvent):
    """From now on the members of `group` may vote in place of the missing approvers."""

    group: str


@dataclass(frozen=True)
class ApprovalHeld(RequestEvent):
    """Approved, but a freeze is on: the target is moved when it ends."""

    freeze: str
    until: datetime


@dataclass(frozen=True)
class FreezeEnded(RequestEvent):
    """What the freeze held back is applied now."""

    freeze: str


@dataclass(frozen=True)
class PlotUploaded(RequestEvent):
    plot: Image


@dataclass(frozen=True)
class RequestApproved(RequestEvent):
    """`approvers` is empty when the fast track or the rule itself decided."""

    approvers: tuple[str, ...]
    rule_hash: str
    by: DecidedBy = DecidedBy.PEOPLE


@dataclass(frozen=True)
class RequestRejected(RequestEvent):
    person: str
    reason: str
    rule_hash: str


@dataclass(frozen=True)
class RequestExpired(RequestEvent):
    reason: str


@dataclass(frozen=True)
class RequestWithdrawn(RequestEvent):
    reason: str


@dataclass(frozen=True)
class RequestSuperseded(RequestEvent):
    """`renewed`: `by` asks the same for the same version, because what it was compared with no longer holds the target."""

    by: str
    reason: str
    renewed: bool = False


@dataclass(frozen=True)
class ApprovalStale(RequestEvent):
    reason: str
    cause: StaleCause = StaleCause.UNKNOWN


@dataclass(frozen=True)
class TargetMoved(RequestEvent):
    """`moved` after an approval, or, if observed, left where it is. The versions in `besides` left a stage together with `previous`."""

    version: VersionId
    target: Target
    previous: VersionId | None
    moved: bool
    besides: tuple[VersionId, ...] = ()
    copies: tuple[VersionId, ...] = ()


@dataclass(frozen=True)
class TargetPutBack(RequestEvent):
    """A rejected observed transition: the target went back to `to`, None when it had no holder before."""

    target: Target
    away_from: VersionId
    to: VersionId | None
    moved: bool


@dataclass(frozen=True)
class CardPosted(RequestEvent):
    """A second one takes the place of a card that was deleted."""

    card: PostedCard


@dataclass(frozen=True)
class TicketOpened(RequestEvent):
    """`named` is the ticket that the request or the version names, if the rule relates ours to it."""

    ticket: TicketRef
    named: NamedTicket | None = None


@dataclass(frozen=True)
class TicketClosed(RequestEvent):
    ticket: TicketRef
    status: str


@dataclass(frozen=True)
class PolicyActivated(Event):
    """`changes` says in words what differs from the policy before; people in it are ids."""

    policy_id: int
    digest: str
    source: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyRefused(Event):
    """Somebody tried to put a broken policy in force; the one before stays."""

    digest: str
    source: str
    mistakes: tuple[str, ...]


@dataclass(frozen=True)
class FastTrackSwitched(Event):
    """The kill switch, for all rules and replicas at once."""

    on: bool
    person: str
    reason: str


@dataclass(frozen=True)
class KeyAdded(Event):
    """A public key whose signatures count from this place in the ledger on. `purpose` is approvals or ledger."""

    key: str
    algorithm: str
    purpose: str


@dataclass(frozen=True)
class KeyRetired(Event):
    """What this key signs from this place in the ledger on no longer counts, even if it claims an earlier time."""

    key: str
    reason: str


@dataclass(frozen=True)
class AwayDeclared(Event):
    """`delegate` votes for `person` until then."""

    person: str
    delegate: str
    until: datetime


@dataclass(frozen=True)
class AwayEnded(Event):
    person: str
    delegate: str
