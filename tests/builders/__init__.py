"""Plain domain values for tests: each builder makes a usual one, and takes as keywords what the test is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain import events as e
from bot.domain.conversation_state import Comment
from bot.domain.model import (
    DECISION,
    VOTE,
    Artifacts,
    Ask,
    AskKind,
    Champion,
    Check,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    Metric,
    Origin,
    Placed,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
    VersionId,
    Vote,
)
from bot.domain.policy.rules import (
    Approve,
    Group,
    Observed,
    PersonEntry,
    Policy,
    Poll,
    ReasonDemand,
    Requirement,
    Rule,
    UnknownRequester,
    Unruled,
)
from bot.domain.references import Image, NamedTicket, PostedCard, Relation, TicketPlan, TicketRef
from bot.domain.registry.snapshot import ModelSnapshot, VersionSnapshot
from bot.domain.registry.watch_events import HolderLeft, WatchBegun
from bot.domain.registry_events import Held
from bot.domain.request.evolution import evolve
from bot.domain.seals.places import SealedAt, SealedObject
from bot.domain.vote_events import OldBinding, OldVote

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
REQUEST_ID = "3f1c9a7000000000000000000000beef"
SEALED_AT = SealedAt("prod-models", "bike-demand/v7/", "bike-demand/v7/seal-1.json", "v9", "ef" * 32)
RULE_HASH = "sha256:1"
CHAMPION = Target(TargetKind.ALIAS, "champion")
PRODUCTION = Target(TargetKind.STAGE, "Production")
BY_ALIAS = Ask(AskKind.ALIAS, "candidate")
CARD = PostedCard("T1", "A1", "C1", "1700000000.000100", "https://slack.example.com/archives/C1/p1700000000000100")
TICKET = TicketRef("10001", "GOV-7", "https://jira.example.com/browse/GOV-7")


def a_version(number: int = 7, model: str = "bike-demand", created: datetime = NOON) -> VersionId:
    return VersionId("default", model, number, created)


def a_metric(name: str = "mae", value: float = 31.5, source: str = "run") -> Metric:
    return Metric(name, value, source)


def an_evidence(**changes: Any) -> Evidence:
    usual = Evidence(
        source="models:/m-1",
        run_id="5d3c9f21aa",
        author="bea",
        description="Trained on the spring rides.",
        metrics=(a_metric(),),
        params={"depth": "6"},
        tags={},
        version_url="https://mlflow.example.com/#/models/bike-demand/versions/7",
        run_url="https://mlflow.example.com/#/runs/5d3c9f21aa",
        champion=None,
        artifacts=Artifacts("sha256:5f1c" + "0" * 60, 5, 914_500),
    )
    return replace(usual, **changes)


def a_champion(*metrics: Metric, number: int = 5) -> Champion:
    return Champion(a_version(number), metrics)


def a_vote(person: str = "cy", *groups: str, **changes: Any) -> Vote:
    usual = Vote(person, Verdict.APPROVE, "", LATER, groups or ("leads",), "card", RULE_HASH)
    return replace(usual, **changes)


def a_rejection(person: str = "cy", reason: str = "worse on rainy days", **changes: Any) -> Vote:
    return a_vote(person, verdict=Verdict.REJECT, reason=reason, **changes)


def a_rule(quorums: dict[str, int] | None = None, **changes: Any) -> Rule:
    """`quorums` names groups; `reason` and `unknown_requester` go to the rule's `approve`."""
    requirements = tuple(Requirement(group, quorum) for group, quorum in (quorums or {"leads": 1}).items())
    approve = Approve(
        requirements,
        changes.pop("reason", ReasonDemand.ON_REJECT),
        changes.pop("unknown_requester", UnknownRequester.AUTHOR_ONLY),
    )
    usual = Rule(
        models="bike-*",
        workspace="default",
        target=CHAMPION,
        ask_on=(BY_ALIAS, Ask(AskKind.TAG, "countersign.ask")),
        observed=Observed.ASK,
        channel="#models",
        ticket=TicketPlan("GOV", "Task", "Done", "Won't Do"),
        approve=approve,
        expire_after=timedelta(days=3),
    )
    return replace(usual, **changes)


def a_policy(*rules: Rule, **changes: Any) -> Policy:
    usual = Policy(
        poll=Poll(timedelta(seconds=30), timedelta(seconds=60)),
        people=(PersonEntry("Ana Ruiz", "ana@example.com", "ana"), PersonEntry("Bea Baker", "bea@example.com", "bea")),
        groups=(Group("leads", "ml-leads", ()), Group("risk", None, ("cy@example.com",))),
        rules=rules or (a_rule(),),
        default=Unruled.REPORT,
    )
    return replace(usual, **changes)


def a_request(state: State = State.PENDING, **changes: Any) -> TransitionRequest:
    """Asked for by ana, trained by bea; PENDING unless another state is given, and then with all that such a state has."""
    usual = TransitionRequest(
        id=REQUEST_ID,
        kind=Kind.PROMOTION,
        state=state,
        version=a_version(),
        target=CHAMPION,
        ask=Ask(AskKind.COMMAND),
        requester="ana",
        author=None if state is State.COLLECTING else "bea",
        comment="",
        opened_at=NOON,
        expires_at=NOON + timedelta(days=3),
        rule_hash=RULE_HASH,
        evidence=None if state is State.COLLECTING else an_evidence(),
        decided_at=None if state.is_open else LATER,
        settled_at=LATER if state is State.APPLIED else None,
    )
    return replace(usual, **changes)


def an_observed(state: State = State.PENDING, **changes: Any) -> TransitionRequest:
    """Moved without asking, from v5 to v7."""
    asked = {"kind": Kind.OBSERVED, "ask": Ask(AskKind.OBSERVED), "requester": None, "previous": a_version(5)}
    return a_request(state, **(asked | changes))


def a_seen_version(
    number: int = 7, *, model: str = "bike-demand", stage: str = "None", **changes: Any
) -> VersionSnapshot:
    usual = VersionSnapshot(a_version(number, model), stage, {}, "models:/m-1", "5d3c9f21aa", NOON)
    return replace(usual, **changes)


def a_seen_model(
    *versions: VersionSnapshot, aliases: dict[str, int] | None = None, name: str = "bike-demand"
) -> ModelSnapshot:
    newest_first = tuple(sorted(versions, key=lambda seen: -seen.id.version))
    return ModelSnapshot("default", name, NOON, aliases or {}, newest_first)


def after(request: TransitionRequest, events: Iterable[e.Event]) -> TransitionRequest:
    """The request when all of this has happened to it."""
    for event in events:
        assert isinstance(event, e.RequestEvent)
        request = evolve(request, event)
    return request


def opened(request_id: str = REQUEST_ID, **changes: Any) -> e.RequestOpened:
    usual = e.RequestOpened(
        at=NOON,
        request_id=request_id,
        kind=Kind.PROMOTION,
        version=a_version(),
        target=CHAMPION,
        ask=Ask(AskKind.COMMAND),
        requester="ana",
        comment="",
        rule_hash=RULE_HASH,
        previous=None,
        expires_at=NOON + timedelta(days=3),
        follows=None,
        away_from=None,
        failed_before="",
        asked_since=None,
    )
    return replace(usual, **changes)


def a_judgement(*failed: str, mode: FastTrackMode = FastTrackMode.SHADOW, held_back: str = "") -> Judgement:
    """One check that passed, and one failed check for each sentence."""
    checks = [Check(True, "mae 31.5 is at most 40", "mae"), *(Check(False, sentence) for sentence in failed)]
    return Judgement(mode, tuple(checks), held_back)


def a_comment(text: str = "checked on the winter rides", **changes: Any) -> Comment:
    usual = Comment("1700000000.000200", "dan", "cy", text, NOON, CARD.url, LATER)
    return replace(usual, **changes)


def every_request_event(request_id: str = REQUEST_ID) -> list[e.RequestEvent]:
    """One of each that can happen to a request after it was opened."""
    return [
        e.AskJoined(LATER, request_id, "dan", Ask(AskKind.API), "for spring"),
        e.EvidenceFrozen(LATER, request_id, an_evidence(description="anew"), "eve", "sha256:2"),
        e.EvidenceUnreadable(LATER, request_id, "the store answers 403"),
        e.FastTrackJudged(LATER, request_id, a_judgement(), "bike-* → alias:champion", "sha256:2"),
        e.FastTrackCompared(LATER, request_id, "bike-* → alias:champion", True, True, "agreed"),
        e.VersionSealed(
            LATER, request_id, SEALED_AT, f"sha256:{'ab' * 32}", (SealedObject("MLmodel", "cd" * 32, 7, "v1"),)
        ),
        e.SealHindered(LATER, request_id, "the bucket prod-models answers 403"),
        e.EvidenceLost(LATER, request_id, "run", ("deleted",), 1, NOON),
        e.EvidenceFound(LATER, request_id, "run", NOON),
        e.EvidenceOutOfSight(LATER, request_id, "files", "the artifact store failed: 503", NOON),
        e.LossAcknowledged(LATER, request_id, ("run",), "ana", "the run was cleaned up on purpose"),
        e.ReminderDue(LATER, request_id, 1),
        e.RequestEscalated(LATER, request_id, "heads"),
        e.ApprovalHeld(LATER, request_id, "year-end", LATER + timedelta(days=9)),
        e.FreezeEnded(LATER, request_id, "year-end"),
        e.PlotUploaded(LATER, request_id, Image("F1", "mae over versions 1 to 7")),
        e.VoteCast(LATER, request_id, a_vote()),
        e.VoteRefused(LATER, request_id, "dan", LATER, "no signed request is on record with it"),
        e.DecisionReopened(LATER, request_id, "it was marked rejected, but no vote on record rejects it"),
        e.SelfApprovalRefused(LATER, request_id, "ana"),
        e.OwnAskApproved(LATER, request_id, "ana", "MLflow's basic auth"),
        e.RequestApproved(LATER, request_id, ("cy",), "sha256:2"),
        e.RequestRejected(LATER, request_id, "cy", "worse on rainy days", "sha256:2"),
        e.RequestExpired(LATER, request_id, "nobody decided in time"),
        e.RequestWithdrawn(LATER, request_id, "bike-demand v7 no longer asks by alias candidate"),
        e.RequestSuperseded(LATER, request_id, "another", "bike-demand v8 asks for alias:champion too and is newer"),
        e.ApprovalStale(LATER, request_id, "alias:champion is held by nobody now"),
        e.ApprovalCalledOff(LATER, request_id, "ana", "the test data leaked"),
        e.OriginRead(LATER, request_id, Origin("dan", "dan", "run")),
        e.VotesRebound(LATER, request_id, RULE_HASH, "sha256:6"),
        e.StandInsVoided(LATER, request_id, "heads"),
        e.TargetMoved(LATER + timedelta(hours=1), request_id, a_version(), CHAMPION, a_version(5), moved=True),
        e.TargetPutBack(LATER + timedelta(hours=1), request_id, CHAMPION, a_version(), a_version(5), moved=True),
        e.VoteSigned(LATER, request_id, VOTE, "cy", "a1b2c3", "sha256:4"),
        e.DecisionSigned(LATER, request_id, DECISION, "", "a1b2c3", "sha256:5"),
        e.ModelSigned(LATER, request_id, "a1b2c3", "sha256:6"),
        e.GlassBroken(
            LATER,
            request_id,
            a_vote("cy", "on-call", reason="it is down", via="break glass"),
            "on-call",
            "leads",
            LATER + timedelta(days=2),
        ),
        e.GlassHeld(LATER, request_id, "the rule has changed since the glass was broken"),
        e.GlassPassed(LATER, request_id, ("the freeze year-end",)),
        e.GlassReviewDue(LATER, request_id, 1, False),
        e.GlassReviewed(LATER, request_id, a_vote("dan", via="review of break glass")),
        e.QuestionAsked(LATER, request_id, 1, "cy", "why is winter missing?", LATER + timedelta(days=3)),
        e.QuestionPosted(LATER, request_id, 1, CARD),
        e.QuestionAnswered(LATER + timedelta(hours=1), request_id, 1, "ana", "it was too short"),
        e.RequestReassigned(LATER, request_id, "cy", "eve", "you know the rides"),
        e.CommentRecorded(LATER, request_id, a_comment()),
        e.CardPosted(LATER, request_id, CARD),
        e.TicketOpened(LATER, request_id, TICKET, NamedTicket("ML-4521", Relation.LINK, in_request=True)),
        e.TicketClosed(LATER, request_id, TICKET, "Done"),
    ]


def every_event() -> list[e.Event]:
    return [
        opened(),
        *every_request_event(),
        e.BaselineTaken(NOON, "default", 3, 2),
        e.BaselineRecorded(NOON, "default", (Held(CHAMPION, a_version(5)),)),
        e.OldBaselinesListed(NOON, (Placed(CHAMPION, a_version(5), NOON, None),)),
        e.MoveObserved(NOON, "default", CHAMPION, "bike-demand", a_version(), a_version(5), "ask"),
        e.MoveReverted(NOON, "default", CHAMPION, "bike-demand", a_version(5)),
        HolderLeft(NOON, "default", PRODUCTION, "bike-demand", a_version(), a_version(5)),
        WatchBegun(NOON, "default", CHAMPION, "bike-demand", "revert", (a_version(5),)),
        e.ModelRenamed(NOON, "default", "bike", "bike-demand"),
        e.ModelGone(NOON, "default", "bike-demand", "it was deleted or renamed"),
        e.ModelUnreadable(NOON, "default", "bike-demand", "MLflow refused reading it (403)", NOON),
        e.ModelReadable(NOON, "default", "bike-demand", NOON),
        e.LookalikeSeen(NOON, "default", "bike-demand", "alias", "Candidate", "candidate", 7),
        e.RegistryDoubted(NOON, "default", "3 of 3 registered models are missing: a, b, c.", 3, 3),
        e.RegistryTrusted(NOON, "default", NOON, "ana", "the old server was retired"),
        e.PolicyActivated(NOON, 1, "sha256:3", "config/policy.yaml", ("poll: versions every 1 min, was 30 s",)),
        e.PolicyRefused(NOON, "sha256:4", "config/policy.yaml", ("line 3: unknown key",)),
        e.FastTrackSwitched(NOON, False, "ana", "figures drifted"),
        e.AccountBound(NOON, "ana", "U0ANA000001", "policy"),
        e.AccountUnbound(NOON, "ana", "U0ANA000001", "ben"),
        e.TicketAccountBound(NOON, "ana", "5b10a2844c20165700ede21g", "first_press"),
        e.TicketAccountUnbound(NOON, "ana", "5b10a2844c20165700ede21g", "ben"),
        e.PasskeyEnrolled(NOON, "ana", "Y3JlZA", "a2V5", "countersign.example.com", "U0ANA000001", "T0", "my phone"),
        e.PasskeyConfirmed(NOON, "ana", "Y3JlZA", "ben", "U0BEN000001", "T0"),
        e.PasskeyRevoked(NOON, "ana", "Y3JlZA", "", "the phone was lost"),
        e.VerdictSigned(NOON, "default", "models:/bike-demand/7", CHAMPION, True, LATER, "a1b2c3", "sha256:5"),
        e.OldRecordsListed(NOON, (OldVote(REQUEST_ID, "cy", NOON),), (OldBinding("U0ANA000001", "ana"),)),
        e.AwayDeclared(NOON, "ana", "ben", LATER),
        e.AwayEnded(NOON, "ana", "ben"),
        e.DigestSignedOff(NOON, "2026-W47", "5c0d", 4208, "ana", "one late ticket"),
        e.KeyAdded(NOON, "a1b2c3", "ecdsa-p256", "approvals"),
        e.KeyRetired(NOON, "a1b2c3", "the worker's disk was lost"),
    ]
