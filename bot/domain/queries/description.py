"""Everything known about one model version, as plain values: its origin, its decisions, its signatures.

`handlers.queries.describe` gathers it, `description_text` writes it for a terminal, and `pipeline_graph` draws its pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.card.break_glass.sentences import glass_paragraphs
from bot.domain.card.context import CardContext
from bot.domain.card.details import ASKED
from bot.domain.card.metric_history import MetricHistory
from bot.domain.card.outcomes import sealed_text
from bot.domain.card.sentences import WAS_APPROVED, title_of
from bot.domain.evidence.dvc_lock import Lock, edges, stage_tree
from bot.domain.model import (
    DECISION,
    DecidedBy,
    Evidence,
    Kind,
    State,
    Target,
    TransitionRequest,
    Verdict,
    VersionId,
)
from bot.domain.policy.rules import Rule
from bot.domain.queries.conversation import Said, conversation_of
from bot.domain.request.approvals import Approval
from bot.domain.request.counting import counted_votes, worth_of, worth_text
from bot.domain.request.evolution import BY_RULE
from bot.domain.text import person_name
from bot.language import N_, _, listed

Names = Mapping[str, str]
Edge = tuple[str, str]
DECIDED = (*WAS_APPROVED, State.REJECTED, State.CALLED_OFF)
WITHOUT_VOTES = {DecidedBy.FAST_TRACK: N_("the fast track"), DecidedBy.RULE: N_("the rule")}


@dataclass(frozen=True)
class Held:
    """A target's holder. `version` is None when the target is empty; `since` is None when that was before the first record.

    `approval` says who approved it.
    """

    target: Target
    version: VersionId | None
    since: datetime | None
    approval: str
    ticket: str = ""
    request_id: str = ""
    ticket_url: str = ""


@dataclass(frozen=True)
class LockedFile:
    """A file or directory in dvc.lock. `made_by` is the stage that writes it, empty for the pipeline's sources."""

    path: str
    md5: str
    size: int | None
    made_by: str = ""


@dataclass(frozen=True)
class Pipeline:
    """`tree` has the stages as indented lines; `edges` lead from a stage or source to the stage that reads it.

    `unread` says why there is no pipeline; `warning` that this lock is not the one in the frozen evidence.
    """

    tree: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    files: tuple[LockedFile, ...] = ()
    lock_sha256: str = ""
    warning: str = ""
    unread: str = ""


@dataclass(frozen=True)
class Ballot:
    """A vote with printed names; `groups` are those that the person voted for. `signed_by` is a SignedBy, empty in old votes.

    `worth` says for which group it counts, or that it is beyond the votes that are needed.
    """

    person: str
    verdict: Verdict
    reason: str
    at: datetime
    groups: tuple[str, ...]
    standing_in_for: tuple[str, ...] = ()
    signed_by: str = ""
    worth: str = ""


@dataclass(frozen=True)
class Signed:
    """An attestation: `entry` is the ledger entry that records it, `fault` says why it proves nothing; empty when it is valid."""

    about: str
    person: str
    key: str
    entry: int
    at: datetime
    digest: str
    fault: str = ""

    @property
    def is_verified(self) -> bool:
        return not self.fault

    @property
    def subject(self) -> str:
        return _("the decision") if self.about == DECISION else _("the vote of {person}", person=self.person)


@dataclass(frozen=True)
class Checkpoint:
    """A signed head of the ledger that outsiders have: it reveals any change of an entry up to `size`."""

    size: int
    made_at: datetime


@dataclass(frozen=True)
class Told:
    """A request with its outcome. `decided_by` are printed names; `now` says what has happened to it since.

    `ended_at`: when its approval was called off. `glass`: who broke the glass, why, in spite of what, and the review; empty otherwise.
    `said`: questions, answers, hand-overs and comments on record. `sealed`: where its files are sealed; empty when they are not.
    """

    id: str
    kind: Kind
    state: State
    title: str
    target: Target
    asked: str
    requester: str
    comment: str
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str
    outcome: str
    votes: tuple[Ballot, ...]
    thresholds: tuple[tuple[bool, str], ...]
    rule_hash: str
    ticket: str
    ticket_url: str
    card_url: str
    signed: tuple[Signed, ...]
    entry: int | None
    checkpoint: Checkpoint | None
    now: str
    ended_at: datetime | None = None
    glass: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()
    sealed: str = ""


@dataclass(frozen=True)
class Loss:
    """A part of the evidence that is gone, or could not be looked at for long. `acknowledged_by` is a printed name, or empty."""

    part: str
    said: str
    since: datetime
    last_seen: datetime
    is_gone: bool
    acknowledged_by: str = ""
    acknowledged_because: str = ""


@dataclass(frozen=True)
class Description:
    """`holds` are this version's targets, `holders` the holders of all the model's targets; `evidence` is its newest frozen evidence.

    Without frozen evidence, `evidence` is what MLflow says now, `is_frozen` is False, and `unread` says why MLflow said nothing.
    `requests` are for all targets, newest first. `losses` are of what holds a target or is a way back. `history` has the values to plot,
    None when there are too few.
    """

    version: VersionId
    is_registered: bool
    holds: tuple[Held, ...]
    holders: tuple[Held, ...]
    evidence: Evidence | None
    pipeline: Pipeline
    requests: tuple[Told, ...]
    history: MetricHistory | None = None
    is_frozen: bool = True
    unread: str = ""
    losses: tuple[Loss, ...] = ()

    @property
    def decision(self) -> Told | None:
        """The newest decision on the version, for any target: a rejection takes the place of an earlier approval. None before any."""
        return newest_decision(self.requests)


def newest_decision(requests: Sequence[Told]) -> Told | None:
    """Of several decisions the last one counts, in whatever order they were asked for."""
    decided = [one for one in requests if one.state in DECIDED and one.decided_at is not None]
    return max(decided, key=lambda one: one.ended_at or one.decided_at or one.opened_at, default=None)


def pipeline_of(lock: Lock, lock_sha256: str, evidence: Evidence | None) -> Pipeline:
    """`lock_sha256` is the sha256 of the lock's text."""
    made_by = {out.path: stage.name for stage in lock.stages for out in stage.outs}
    files = {entry.path: entry for entry in (*lock.sources, *lock.outs)}
    frozen = evidence.lock_sha256 if evidence else ""
    differs = _("this is not the dvc.lock of the frozen evidence, whose sha256 was {sha256}", sha256=frozen)
    return Pipeline(
        tree=stage_tree(lock),
        edges=(*_from_sources(lock), *edges(lock)),
        files=tuple(LockedFile(e.path, e.md5, e.size, made_by.get(e.path, "")) for e in files.values()),
        lock_sha256=lock_sha256,
        warning=differs if frozen and frozen != lock_sha256 else "",
    )


def _from_sources(lock: Lock) -> tuple[Edge, ...]:
    sources = {source.path for source in lock.sources}
    return tuple((dep.path, stage.name) for stage in lock.stages for dep in stage.deps if dep.path in sources)


def ballots_of(request: TransitionRequest, names: Names, under: tuple[Rule | None, str]) -> tuple[Ballot, ...]:
    """`under`: the rule in force, with its hash."""
    return tuple(
        Ballot(
            person_name(vote.person, names),
            vote.verdict,
            vote.reason,
            vote.at,
            vote.groups,
            tuple(person_name(person, names) for person in vote.standing_in_for),
            vote.signed_by,
            worth_text(vote, worth_of(vote, request, *under)),
        )
        for vote in request.votes
    )


def told(
    request: TransitionRequest,
    names: Names,
    *,
    signed: tuple[Signed, ...],
    entry: int | None,
    checkpoint: Checkpoint | None,
    now: str,
    is_rolled_back: bool = False,
    under: tuple[Rule | None, str] = (None, ""),
) -> Told:
    """The request with printed names. `names` maps person ids to names; `now` says what has happened to it since.

    `under` is the rule in force, with its hash.
    """
    judgement = request.judgement
    return Told(
        id=request.id,
        kind=request.kind,
        state=request.state,
        title=title_of(request, is_rolled_back=is_rolled_back),
        target=request.target,
        asked=_(ASKED[request.ask.kind], name=request.ask.name),
        requester=person_name(request.requester, names) if request.requester else "",
        comment=request.comment,
        opened_at=request.opened_at,
        decided_at=request.decided_at,
        decided_by=decided_by(request, names, under),
        outcome=request.outcome,
        votes=ballots_of(request, names, under),
        thresholds=tuple((check.passed, check.sentence) for check in judgement.checks) if judgement else (),
        rule_hash=request.rule_hash,
        ticket=request.ticket.key if request.ticket else "",
        ticket_url=request.ticket.url if request.ticket else "",
        card_url=request.card.url if request.card else "",
        signed=signed,
        entry=entry,
        checkpoint=checkpoint,
        now=now,
        ended_at=request.ended_at,
        glass=tuple(glass_paragraphs(request, CardContext(names, None))),
        said=conversation_of(request, names),
        sealed=sealed_text(request),
    )


def decided_by(request: TransitionRequest, names: Names, under: tuple[Rule | None, str] = (None, "")) -> str:
    """Whose votes decided, or what decided without votes; empty while undecided."""
    if request.state not in (*WAS_APPROVED, State.REJECTED):
        return ""
    if request.decided_by is DecidedBy.BREAK_GLASS and request.glass is not None:
        return _("{person}, who broke the glass", person=person_name(request.glass.person, names))
    if request.decided_by in WITHOUT_VOTES and request.decided_by is not None:
        return _(WITHOUT_VOTES[request.decided_by])
    wanted = Verdict.APPROVE if request.state in WAS_APPROVED else Verdict.REJECT
    people = [person_name(vote.person, names) for vote in counted_votes(request, wanted, *under)]
    return listed(dict.fromkeys(people)) or names.get(BY_RULE, "") or _(WITHOUT_VOTES[DecidedBy.RULE])


def approval_text(approval: Approval | None, names: Names, under: tuple[Rule | None, str] = (None, "")) -> str:
    """Who approved a target's holder and, after a rollback, when, and who brought it back on that approval."""
    by = decided_by(approval.request, names, under) if approval else ""
    if approval is None or not by:
        return _("without an approval")
    rollback = approval.restored_by
    if rollback is None:
        return _("approved by {people}", people=by)
    approved = _("approved by {people}", people=by)
    if approval.at:
        approved = _("approved by {people} on {when}", people=by, when=approval.at)
    if rollback.requester:
        who = person_name(rollback.requester, names)
        return _("{approved}, restored by a rollback of {who}", approved=approved, who=who)
    return _("{approved}, restored by a rollback", approved=approved)
