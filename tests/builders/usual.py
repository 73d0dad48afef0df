"""A request as most are: the demo's worse version, with a champion, thresholds, a ticket and a complete lineage."""

from __future__ import annotations

from bot.domain.card.context import CardContext
from bot.domain.card.metric_history import MetricHistory, history_of
from bot.domain.model import Check, FastTrackMode, Judgement, TransitionRequest
from bot.domain.policy.rules import FastTrack, Group, Threshold
from tests.builders import BY_ALIAS, RULE_HASH, TICKET, a_champion, a_metric, a_request, a_rule, an_evidence

MAE = Threshold("mae", greater_is_better=False, threshold=40, min_relative_change=0.01)
USUAL = CardContext(
    {"bea": "Bea Baker"},
    a_rule({"ml-leads": 1, "risk": 1}, fast_track=FastTrack(FastTrackMode.ON, (MAE,))),
    RULE_HASH,
    groups=(Group("ml-leads", "ml-leads", ()), Group("risk", "risk", ())),
)


def usual_request() -> TransitionRequest:
    worse = (
        a_metric("mae", 49.5605),
        a_metric("r2", 0.6465),
        a_metric("rmse", 63.5409),
        a_metric("train_mae", 49.9529),
    )
    champion = a_champion(a_metric("mae", 24.5055), a_metric("r2", 0.8768), a_metric("rmse", 37.5102), number=2)
    checks = (
        Check(False, "mae 49.5605 is above the threshold 40", "mae"),
        Check(False, "mae is worse than the champion's 24.5055 by 25.055 (102.2 %), at least 1 % was asked", "mae"),
    )
    evidence = an_evidence(
        metrics=worse,
        champion=champion,
        commit="13b0afdbb2c1" + "0" * 28,
        params={"train.learning_rate": "0.01"},
        description="Train with train.learning_rate=0.01. mae 49.5605, r2 0.6465, rmse 63.5409, train_mae 49.9529.",
    )
    return a_request(
        requester=None,
        ask=BY_ALIAS,
        ticket=TICKET,
        evidence=evidence,
        judgement=Judgement(FastTrackMode.ON, checks),
    )


def usual_history() -> MetricHistory:
    request, rule = usual_request(), USUAL.rule
    assert request.evidence is not None
    assert rule is not None
    earlier = {1: (a_metric("mae", 26.0617),), 2: (a_metric("mae", 24.5055),)}
    history = history_of(request, request.evidence, rule, earlier)
    assert history is not None
    return history
