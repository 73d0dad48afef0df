"""A sample week with one of everything, for testing a template: every row and loop has something to show. Pure.

The people are invented and the names deliberately unusual, so that a template that works for this week works for real ones.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.digest.control import FORM, Control, Earlier, Gap, RuleInForce, Watched
from bot.domain.digest.figures import (
    Digest,
    EarlierApproval,
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
from bot.domain.digest.periods import Period, previous_period
from bot.domain.digest.sentences import NOBODY, PEOPLE
from bot.domain.digest.sentences import RULE as BY_RULE
from bot.domain.digest.sign_off import SignOff
from bot.domain.model import Kind, Target, TargetKind, VersionId

T = TypeVar("T")

MODEL = "🚲 דגם <b>demand</b>"
RULE = "* → alias:champion"
ANA, BEN = "p-ana", "p-ben"
LINK = "https://example.com/GOV-1"
HASH = "23c0bfb1d7e94c1c5be0a1f6f0c6a4f0d3b8e7a9"
NOTE = "countersign.example.com\n2\nq1x0Z2VzdGVybiBub3Rl\n\n— countersign.example.com AAECAwQ=\n"
HOUR = timedelta(hours=1)


def sample(period: Period, closed_at: datetime) -> Digest:
    at, champion, shadow = period.starts, Target(TargetKind.ALIAS, "champion"), Target(TargetKind.ALIAS, "shadow")
    version, other = VersionId("default", MODEL, 7, at), VersionId("default", "ranking", 1, at)
    approved = Holding(
        version, champion, at, PEOPLE, (ANA, BEN), at, 99 * HOUR, HASH, f"md5:{HASH}", "GOV-1", LINK, "r1", LINK
    )
    unapproved = Holding(other, shadow, None, NOBODY, (), None, None, "", "", "", "", "", "")
    applied = Transition(
        "r1", Kind.PROMOTION, version, champion, "applied", at, PEOPLE, (ANA,), BEN, "better", "GOV-1", LINK, LINK
    )
    undone = Transition("r2", Kind.ROLLBACK, version, champion, "applied", at, BY_RULE, (), None, "", "", "", "")
    undone = replace(undone, earlier=EarlierApproval(PEOPLE, (ANA,), ("ml-leads",), at, "GOV-1"))
    graph = (("data/rides.csv", "prepare"), ("prepare", "train"))
    return Digest(
        period=period,
        closed_at=closed_at,
        attention=_all(
            Finding(FindingKind.HELD_WITHOUT_APPROVAL, f"{other} holds {shadow} without an approval.", at, MODEL, LINK),
            Finding(FindingKind.PARKED_JOBS, "sync_ticket is parked."),
        ),
        concerns={FindingKind.HELD_WITHOUT_APPROVAL: 1, FindingKind.PARKED_JOBS: 1},
        inventory=_all(approved, unapproved),
        transitions=Listed((applied, undone), 1_000),
        outcomes={"applied": 1_000},
        waiting=_all(Waiting("r3", version, champion, at, 3 * HOUR, "1 of ml-leads", "GOV-3")),
        latency=(Latency("", 1, HOUR, 3 * HOUR), Latency(RULE, 0, None, None)),
        trend=(
            WeekOfTrend(previous_period(period).week, 0, None, None, 0),
            WeekOfTrend(period.week, 1, HOUR, 3 * HOUR, 1_000),
        ),
        fast_track=(FastTrackFigures(RULE, 3, 1, 1, 2, 1, 0),),
        changes=_all(
            PolicyChange(at, "PolicyActivated", "Policy 2 came into force.", ("a rule was added", "one went"))
        ),
        pipelines=(
            Pipeline(version, champion, ("prepare", "  train"), graph),
            Pipeline(other, shadow, (), (), "its run has logged no lock"),
        ),
        ledger=LedgerFigures(1, 2, 2, NOTE, "", 2),
        names={ANA: "אנה Ruiz", BEN: "Ben O'Kafor & Søn"},
        control=_control(period, at),
        emails={BEN: "ben@example.com"},
        form=FORM,
    )


def _control(period: Period, at: datetime) -> Control:
    earlier = previous_period(period).week
    return Control(
        release="0.0",
        places=(Watched("default", 3, 2, 2, (MODEL, "ranking"), at, at),),
        gaps=(Gap(at, None, f"{MODEL} could not be read"), Gap(at, at, "a policy with mistakes was refused")),
        gaps_total=60,
        rules=(
            RuleInForce(RULE, HASH, "Approval by 1 of ml-leads.", at),
            RuleInForce(RULE, HASH, "No fast track.", at, at),
        ),
        sign_off="compliance",
        earlier=(Earlier(earlier, at, SignOff(earlier, HASH, 2, ANA, at, "fine")), Earlier(earlier, at, None)),
    )


def _all(*shown: T) -> Listed[T]:
    return Listed(shown, len(shown))
