"""Digests for tests: a full week with one of everything, a quiet one, a crowded one, and one with names as awkward as names can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.domain.digest.control import FORM, Control, Gap, RuleInForce, Watched
from bot.domain.digest.figures import (
    Digest,
    FastTrackFigures,
    Finding,
    FindingKind,
    Holding,
    Latency,
    LedgerFigures,
    Listed,
    Pipeline,
    PolicyChange,
    Transition,
    Waiting,
    WeekOfTrend,
)
from bot.domain.digest.periods import Period, period_of
from bot.domain.model import Kind, Target, TargetKind, VersionId

T = TypeVar("T")

PERIOD = period_of("2026-W47", "Europe/Madrid")
CHAMPION = Target(TargetKind.ALIAS, "champion")
PRODUCTION = Target(TargetKind.STAGE, "Production")
FRAUD_PROD = Target(TargetKind.MODEL, "prod.fraud")
NAMES = {"p-ana": "Ana Ruiz", "p-ben": "Ben Okafor", "p-cy": "Cy Lindqvist"}
BIKES, FRAUD = "bike-* → alias:champion", "fraud → model:prod.{name}"
COMMIT = "23c0bfb1d7e94c1c5be0a1f6f0c6a4f0d3b8e7a9"
DATA = "md5:9f0c1d2e"
EVIDENCE = "https://mlflow.example.com/#/models/{model}/versions/{number}"
NOTE = "countersign.example.com/ledger/1f2e\n4208\nq1x0Z2VzdGVybiBub3Rl\n\n— countersign.example.com AAECAwQ=\n"
ODD_NAMES = (
    '=HYPERLINK("https://evil.example";"x")',
    "<b>bike</b> & <script>alert(1)</script>",
    "דגם־אופניים \u202eenog",
    "🚲 demand 👩🏽‍🔬",
    '#let x = read("/etc/passwd") *bold* `code` _it_ @ref $x^2$ \\',
    "<!channel> <@U1|ana> *bold* {code}x{code}",
)


def at(days: float, period: Period = PERIOD) -> datetime:
    """So many days into the week; negative for before it."""
    return period.starts + timedelta(days=days)


def listed(*shown: T) -> Listed[T]:
    return Listed(shown, len(shown))


def a_version_of(model: str, number: int, days: float = -30) -> VersionId:
    return VersionId("default", model, number, at(days))


def a_digest(**changes: Any) -> Digest:
    """A week in which something of every kind happened. 2026-W47 in Madrid, closed on the Monday after it."""
    usual = Digest(
        period=PERIOD,
        closed_at=PERIOD.ends + timedelta(hours=9),
        attention=listed(*SOME_ATTENTION),
        concerns={one: sum(one is each.concern for each in SOME_ATTENTION) for one in FindingKind},
        inventory=listed(*SOME_HOLDINGS),
        transitions=listed(*SOME_TRANSITIONS),
        outcomes={"applied": 2, "expired": 1, "rejected": 1},
        waiting=listed(*SOME_WAITING),
        latency=(
            Latency("", 3, timedelta(hours=3, minutes=10), timedelta(hours=22)),
            Latency(BIKES, 2, timedelta(hours=2, minutes=5), timedelta(hours=4)),
            Latency(FRAUD, 1, timedelta(hours=23), timedelta(hours=23)),
        ),
        trend=a_trend(),
        fast_track=(FastTrackFigures(BIKES, passed=3, held=1, undone=1, agreed=2, false_passes=1, false_holds=0),),
        changes=listed(*SOME_CHANGES),
        pipelines=SOME_PIPELINES,
        ledger=LedgerFigures(first=4101, last=4208, count=4208, checkpoint=NOTE, fault="", news=106),
        names=NAMES,
        control=a_control(),
        emails={"p-ana": "ana@example.com", "p-ben": "ben@example.com"},
        form=FORM,
    )
    return replace(usual, **changes)


def a_control(**changes: Any) -> Control:
    """One registry, a rule that changed in the week, and a gap that has ended."""
    rule = RuleInForce(BIKES, "sha256:" + "5c" * 32, "Approval by 1 of ml-leads.", at(1))
    usual = Control(
        release="0.2.0",
        places=(Watched("default", 12, 2, 3, ("bike-demand", "fraud"), at(-90), at(7)),),
        gaps=(Gap(at(2), at(2.1), "fraud could not be read: MLflow answered 403"),),
        gaps_total=1,
        rules=(
            rule,
            replace(rule, hash="sha256:" + "4b" * 32, words="Approval by 2 of ml-leads.", since=at(-90), until=at(1)),
        ),
    )
    return replace(usual, **changes)


def a_quiet_digest(**changes: Any) -> Digest:
    """Nothing happened; one target is held as before, in good order."""
    usual = a_digest(
        attention=listed(),
        concerns=dict.fromkeys(FindingKind, 0),
        inventory=listed(SOME_HOLDINGS[0]),
        transitions=listed(),
        outcomes={},
        waiting=listed(),
        latency=(Latency("", 0, None, None),),
        trend=tuple(replace(week, decided=0, median=None, p95=None, transitions=0) for week in a_trend()),
        fast_track=(),
        changes=listed(),
        pipelines=(SOME_PIPELINES[0],),
        ledger=LedgerFigures(first=0, last=0, count=4100, checkpoint=NOTE, fault="", news=0),
        names={"p-ana": NAMES["p-ana"]},
    )
    return replace(usual, **changes)


def an_oddly_named_digest() -> Digest:
    """Formulas, markup, right-to-left text and emoji in every name and sentence that comes from outside."""
    holdings = [replace(a_holding(name, 1), ticket="GOV-1", commit=name, data=name) for name in ODD_NAMES]
    transitions = [replace(a_transition(name, 1), reason=name, ticket=name) for name in ODD_NAMES]
    attention = [
        Finding(FindingKind.HELD_WITHOUT_APPROVAL, f"{name} v1 holds champion.", model=name) for name in ODD_NAMES
    ]
    pipelines = [Pipeline(a_version_of(name, 1), CHAMPION, (name, "train"), ((name, "train"),)) for name in ODD_NAMES]
    return a_digest(
        attention=listed(*attention),
        concerns={**dict.fromkeys(FindingKind, 0), FindingKind.HELD_WITHOUT_APPROVAL: len(attention)},
        inventory=listed(*holdings),
        transitions=listed(*transitions),
        waiting=listed(*(a_waiting(name, 2) for name in ODD_NAMES)),
        latency=tuple(Latency(name, 1, timedelta(hours=1), timedelta(hours=1)) for name in ODD_NAMES),
        changes=listed(*(PolicyChange(at(1), "PolicyActivated", name, (name,)) for name in ODD_NAMES)),
        pipelines=tuple(pipelines),
        names={"p-ana": ODD_NAMES[0], "p-ben": ODD_NAMES[1], "p-cy": ODD_NAMES[2]},
    )


def a_crowded_digest(many: int = 200) -> Digest:
    """As long as its lists can get, with more behind them."""
    return a_digest(
        attention=Listed(tuple(SOME_ATTENTION[0] for _ in range(many)), 7 * many),
        inventory=Listed(tuple(a_holding(f"model-{n:04}", n + 1) for n in range(many)), 3 * many),
        transitions=Listed(tuple(a_transition(f"model-{n:04}", n + 1) for n in range(many)), 500 * many),
        waiting=Listed(tuple(a_waiting(f"model-{n:04}", n + 1) for n in range(many)), 2 * many),
        outcomes={"applied": 400 * many, "rejected": 100 * many},
    )


def a_trend(weeks: int = 12) -> tuple[WeekOfTrend, ...]:
    """Oldest first, ending with the digest's own week; the third of them had no decision."""
    return tuple(
        WeekOfTrend(f"2026-W{48 - weeks + n:02}", 0, None, None, 0)
        if n == 2
        else WeekOfTrend(
            f"2026-W{48 - weeks + n:02}",
            3 + n % 4,
            timedelta(hours=2 + n % 5),
            timedelta(hours=9 + 2 * n % 24),
            4 + n % 6,
        )
        for n in range(weeks)
    )


def a_holding(model: str = "bike-demand", number: int = 7, **changes: Any) -> Holding:
    usual = Holding(
        version=a_version_of(model, number),
        target=CHAMPION,
        since=at(2),
        decided="people",
        by=("p-ana",),
        approved_at=at(1.9),
        approval_age=timedelta(days=5.1),
        commit=COMMIT,
        data=DATA,
        ticket="GOV-7",
        ticket_url="https://example.atlassian.net/browse/GOV-7",
        request_id="3f1c9a7000000000000000000000beef",
        evidence_url=EVIDENCE.format(model="bike-demand", number=number),
        roles=("ml-leads",),
        author="p-ben",
    )
    return replace(usual, **changes)


def a_transition(model: str = "bike-demand", number: int = 7, **changes: Any) -> Transition:
    usual = Transition(
        request_id="3f1c9a7000000000000000000000beef",
        kind=Kind.PROMOTION,
        version=a_version_of(model, number),
        target=CHAMPION,
        outcome="applied",
        at=at(2),
        decided="people",
        by=("p-ana",),
        requester="p-ben",
        reason="better on rainy days",
        ticket="GOV-7",
        ticket_url="https://jira.example.com/browse/GOV-7",
        evidence_url=EVIDENCE.format(model="bike-demand", number=number),
        roles=("ml-leads",),
        claimed_author="dana",
        previous=a_version_of("bike-demand", 6),
    )
    return replace(usual, **changes)


def a_waiting(model: str = "bike-demand", number: int = 9, **changes: Any) -> Waiting:
    usual = Waiting(
        request_id="77aa0000000000000000000000000009",
        version=a_version_of(model, number),
        target=CHAMPION,
        opened_at=at(4),
        age=timedelta(days=3),
        missing="1 of ml-leads",
        ticket="GOV-9",
        ticket_url="https://example.atlassian.net/browse/GOV-9",
        decide_by=at(6),
    )
    return replace(usual, **changes)


SOME_ATTENTION = (
    Finding(
        FindingKind.MOVED_WITHOUT_APPROVAL,
        "fraud v4 was put on stage:Production on 2026-11-18 at 10:04 and nobody approved it. Ratify it or put it back.",
        at(2.42),
        "fraud",
        "https://jira.example.com/browse/GOV-8",
    ),
    Finding(
        FindingKind.HELD_WITHOUT_APPROVAL,
        "fraud v4 holds stage:Production without any approval. Ask for one: countersign adopt",
        at(2.42),
        "fraud",
    ),
    Finding(
        FindingKind.APPROVAL_TOO_OLD,
        "fraud v2 holds model:prod.fraud on an approval that is 200 days old, and the rule lets one count for 180 days. Ask again.",
        at(-193),
        "fraud",
    ),
    Finding(
        FindingKind.LINEAGE_INCOMPLETE,
        "bike-demand v7: there is no author. Train under a user name.",
        None,
        "bike-demand",
    ),
    Finding(
        FindingKind.NO_RULE,
        "No rule speaks of alias:shadow of ranking. Write one, or say default: ignore.",
        None,
        "ranking",
    ),
    Finding(FindingKind.PARKED_JOBS, "sync_ticket of request 77aa0000 is parked. See: countersign jobs list", at(6)),
    Finding(
        FindingKind.SELF_APPROVAL_REFUSED, "Ben Okafor tried to approve what they had asked for: bike-demand v9.", at(4)
    ),
)
SOME_HOLDINGS = (
    a_holding(),
    a_holding(
        "fraud",
        4,
        target=PRODUCTION,
        since=at(2.42),
        decided="nobody",
        by=(),
        approved_at=None,
        approval_age=None,
        commit="",
        data="",
        ticket="GOV-8",
        request_id="88bb0000000000000000000000000008",
        evidence_url="",
    ),
    a_holding(
        "fraud",
        2,
        target=FRAUD_PROD,
        since=at(-193),
        by=("p-ana", "p-cy"),
        approved_at=at(-193),
        approval_age=timedelta(days=200),
        ticket="GOV-1",
    ),
    a_holding(
        "ranking",
        1,
        target=Target(TargetKind.ALIAS, "shadow"),
        since=None,
        decided="nobody",
        by=(),
        approved_at=None,
        approval_age=None,
        commit="",
        data="",
        ticket="",
        request_id="",
        evidence_url="",
    ),
)
SOME_TRANSITIONS = (
    a_transition(),
    a_transition("bike-demand", 8, outcome="rejected", by=("p-cy",), reason="worse on rainy days", at=at(3)),
    a_transition("bike-wind", 3, decided="the fast track", by=(), reason="", at=at(3.5), requester=None),
    a_transition(
        "fraud",
        5,
        target=FRAUD_PROD,
        outcome="expired",
        decided="nobody",
        by=(),
        at=at(5),
        requester=None,
        reason="nobody decided in time. Ask again when it is still wanted",
        ticket="",
        ticket_url="",
    ),
)
SOME_WAITING = (
    a_waiting(),
    a_waiting("fraud", 6, target=FRAUD_PROD, opened_at=at(6), age=timedelta(days=1), ticket=""),
)
SOME_CHANGES = (
    PolicyChange(
        at(1),
        "PolicyActivated",
        "Policy 4 came into force, from config/policy.yaml.",
        ("ml-leads: Cy Lindqvist was added",),
    ),
    PolicyChange(at(1.5), "FastTrackSwitched", "Ana Ruiz switched the fast track off: the holidays."),
    PolicyChange(at(2), "AwayDeclared", "Ben Okafor stands in for Ana Ruiz until 2026-11-21 at 09:00."),
)
SOME_PIPELINES = (
    Pipeline(
        a_version_of("bike-demand", 7),
        CHAMPION,
        ("prepare", "  train", "    evaluate"),
        (("data/rides.csv", "prepare"), ("prepare", "train"), ("train", "evaluate")),
    ),
    Pipeline(a_version_of("fraud", 2), FRAUD_PROD, (), (), "the run has logged no lineage/dvc.lock that may be read"),
)
