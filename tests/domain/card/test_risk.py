"""The risk that the metrics show: what is missing, broken or cannot be compared never counts as good."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bot.domain.card.card import Weight
from bot.domain.card.context import CardContext
from bot.domain.card.details import details_card
from bot.domain.card.request_card import request_card
from bot.domain.card.risk import approval_text, metrics_risk
from bot.domain.card.ticket import ticket_card
from bot.domain.evidence.lineage import NO_LOCK
from bot.domain.model import (
    Check,
    DataSet,
    Evidence,
    FastTrackMode,
    Judgement,
    Kind,
    LineageCheck,
    Metric,
    State,
    TransitionRequest,
)
from bot.domain.policy.freezes import FreezeNow
from bot.domain.policy.rules import FastTrack, LineageDemand, Threshold
from bot.language import recorded
from bot.language.catalogues import in_language
from tests.builders import (
    LATER,
    RULE_HASH,
    a_champion,
    a_metric,
    a_request,
    a_rule,
    a_version,
    an_evidence,
    an_observed,
)
from tests.builders.usual import USUAL, usual_request

NAN, INFINITE = math.nan, math.inf
LOW, MEDIUM, HIGH = Weight.LOW, Weight.MEDIUM, Weight.HIGH
BETTER, R2_BEFORE = a_metric("r2", 0.9), a_metric("r2", 0.8)
MAE_BEFORE = a_metric("mae", 30.0)
WITHOUT_THRESHOLDS = CardContext({}, a_rule(), RULE_HASH)


def on(data: str, value: float) -> Metric:
    return replace(a_metric("mae", value), measured_on=DataSet(data, f"{data}-digest"))


def compared(ours: tuple[Metric, ...], theirs: tuple[Metric, ...]) -> tuple[str, Weight]:
    request = a_request(evidence=an_evidence(metrics=ours, champion=a_champion(*theirs)))
    lead = metrics_risk(request, WITHOUT_THRESHOLDS)
    return lead.text, lead.weight


@pytest.mark.parametrize(
    ("ours", "theirs", "said", "weight"),
    [
        ((a_metric("mae", NAN), BETTER), (MAE_BEFORE, R2_BEFORE), "MAE nan vs champion 30: not comparable", HIGH),
        ((BETTER, a_metric("mae", INFINITE)), (MAE_BEFORE, R2_BEFORE), "MAE inf vs champion 30: not comparable", HIGH),
        ((a_metric("val_loss", -INFINITE), BETTER), (R2_BEFORE,), "val_loss -inf", HIGH),
        ((BETTER,), (MAE_BEFORE, R2_BEFORE), "MAE cannot be compared: it was not logged", MEDIUM),
        (
            (a_metric("mae", 9.0), BETTER),
            (a_metric("mae", NAN), R2_BEFORE),
            "MAE cannot be compared: that of v5 is nan",
            MEDIUM,
        ),
        (
            (a_metric("mae", 99.0, "logged model"), BETTER),
            (MAE_BEFORE, R2_BEFORE),
            "MAE cannot be compared: that of v5 is from other data, or from another place",
            MEDIUM,
        ),
        (
            (on("winter", 1.0), BETTER),
            (on("summer", 30.0), R2_BEFORE),
            "MAE cannot be compared: that of v5 is from other data, or from another place",
            MEDIUM,
        ),
        (
            (a_metric("r2", 0.7),),
            (MAE_BEFORE, R2_BEFORE),
            "R2 0.7 vs champion 0.8: 12.5 % worse; 1 more cannot be compared",
            MEDIUM,
        ),
        ((BETTER, a_metric("mae", 29.0)), (MAE_BEFORE, R2_BEFORE), "MAE 29 vs champion 30: 3.33 % better", LOW),
        ((BETTER,), (R2_BEFORE, a_metric("seconds", 3.0)), "R2 0.9 vs champion 0.8: 12.5 % better", LOW),
    ],
)
def test_without_thresholds_a_metric_that_cannot_be_compared_is_no_low_risk(
    ours: tuple[Metric, ...], theirs: tuple[Metric, ...], said: str, weight: Weight
) -> None:
    assert compared(ours, theirs) == (said, weight)


SHARE = Threshold("mae", False, 40.0, min_relative_change=0.01)
AMOUNT = Threshold("mae", False, None, min_absolute_change=0.5)
BARE = Judgement(FastTrackMode.OFF, ())


@pytest.mark.parametrize("kind", [Kind.PROMOTION, Kind.OBSERVED])
@pytest.mark.parametrize("judgement", [None, BARE])
@pytest.mark.parametrize(
    ("threshold", "ours", "theirs", "said"),
    [
        (SHARE, a_metric("mae", 39.0, "logged model"), a_metric("mae", 10.0), "MAE cannot be compared"),
        (AMOUNT, on("winter", 9.0), on("summer", 10.0), "MAE cannot be compared"),
        (SHARE, a_metric("mae", 39.0), a_metric("mae", NAN), "MAE cannot be compared: that of v5 is nan"),
        (SHARE, a_metric("mae", 39.0), a_metric("r2", 0.1), "MAE cannot be compared: v5 has none"),
        (SHARE, a_metric("mae", 9.9999), a_metric("mae", 10.0), "the rule asks for 1 %"),
        (AMOUNT, a_metric("mae", 9.9), a_metric("mae", 10.0), "the rule asks for 0.5"),
        (SHARE, a_metric("mae", 10.0), a_metric("mae", 10.0), "the rule asks for 1 %"),
    ],
)
def test_a_comparison_of_the_rule_that_is_not_met_is_no_low_risk_where_the_fast_track_did_not_judge(
    kind: Kind, judgement: Judgement | None, threshold: Threshold, ours: Metric, theirs: Metric, said: str
) -> None:
    rule = a_rule(fast_track=FastTrack(FastTrackMode.OFF, (threshold,)))
    evidence = an_evidence(metrics=(ours,), champion=a_champion(theirs))
    request = a_request(kind=kind, previous=a_version(5), evidence=evidence, judgement=judgement)

    lead = metrics_risk(request, CardContext({}, rule, RULE_HASH))

    assert lead.weight is MEDIUM
    assert said in lead.text


@pytest.mark.parametrize(
    ("mode", "said"), [(FastTrackMode.ON, "Not auto-approved: no data set"), (FastTrackMode.SHADOW, "No data set")]
)
def test_in_shadow_where_nothing_is_auto_approved_the_risk_does_not_say_so(mode: FastTrackMode, said: str) -> None:
    rule = a_rule(fast_track=FastTrack(mode, (SHARE,)))
    evidence = an_evidence(metrics=(a_metric("mae", 9.0),), champion=a_champion(a_metric("mae", 10.0)))
    judgement = Judgement(mode, (Check(False, "no data set.", "mae"),))

    lead = metrics_risk(a_request(evidence=evidence, judgement=judgement), CardContext({}, rule, RULE_HASH))

    assert (lead.text, lead.weight) == (said, MEDIUM)


UNKNOWN_DATA = "it is not known on which data {metric} was measured, so a person decides"


@pytest.mark.parametrize(
    ("language", "begins", "ends"),
    [
        ("en", "It is not known on which data mae was measured", "; 1 more cannot be compared"),
        ("es", "No se sabe con qué datos se midió mae; ", None),
    ],
)
def test_a_metric_that_is_not_compared_is_not_said_to_miss_its_threshold_and_its_sentence_has_a_capital(
    language: str, begins: str, ends: str | None
) -> None:
    thresholds = (Threshold("mae", False, 40.0), Threshold("rmse", False, 60.0))
    rule = a_rule(fast_track=FastTrack(FastTrackMode.SHADOW, thresholds))
    evidence = an_evidence(metrics=(a_metric("mae", 9.0), a_metric("rmse", 9.0)), champion=None)
    checks = tuple(
        Check(False, recorded("fast track", UNKNOWN_DATA, metric=metric), metric) for metric in ("mae", "rmse")
    )
    request = a_request(evidence=evidence, judgement=Judgement(FastTrackMode.SHADOW, checks))

    with in_language(language):
        said = metrics_risk(request, CardContext({}, rule, RULE_HASH)).text

    assert said.startswith(begins)
    assert ends is None or said.endswith(ends)
    assert "miss" not in said


def test_a_comparison_that_is_met_stays_a_low_risk_without_a_judgement() -> None:
    rule = a_rule(fast_track=FastTrack(FastTrackMode.OFF, (SHARE,)))
    evidence = an_evidence(metrics=(a_metric("mae", 9.0),), champion=a_champion(a_metric("mae", 10.0)))

    assert metrics_risk(a_request(evidence=evidence), CardContext({}, rule, RULE_HASH)).weight is LOW


def test_the_confirmation_says_the_freeze_as_the_card_does() -> None:
    frozen = replace(USUAL, freeze=FreezeNow("year-end", LATER))
    said = "Freeze (year-end) until 2026-03-02 13:00 UTC: an approval takes effect after that."
    lead = request_card(usual_request(), frozen).lead

    assert said in approval_text(usual_request(), frozen)
    assert lead is not None
    assert lead.text.endswith(said)


def test_the_confirmation_is_read_in_the_reader_s_language() -> None:
    said = approval_text(usual_request(), USUAL)

    with in_language("es"):
        assert "Si aprueba: champion pasa de v2 a v7." in approval_text(usual_request(), USUAL)
    assert "If you approve: champion moves from v2 to v7." in said


MISSING_LOCK = LineageCheck("L05", False, f"{NO_LOCK}. Run dvc repro", True)


@pytest.mark.parametrize("state", [state for state in State if state is not State.COLLECTING])
@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            an_evidence(artifacts=None, artifacts_unread="they are in s3://elsewhere."),
            "Careful, the model's files were not read: they are in s3://elsewhere.",
        ),
        (an_evidence(lineage=(MISSING_LOCK,)), "The dvc.lock check did not pass, so it cannot be approved: "),
        (
            an_evidence(outside=("MLmodel",)),
            "Careful, the gate denies this version: it runs files that are not its own.",
        ),
    ],
)
def test_what_the_card_warns_of_is_in_the_ticket_too_however_late_it_is_opened(
    evidence: Evidence, said: str, state: State
) -> None:
    context = CardContext({}, a_rule(lineage=LineageDemand(block=("L05",))), RULE_HASH)

    on_card = details_card(a_request(evidence=evidence), context).paragraphs
    in_ticket = ticket_card(a_request(state, evidence=evidence), context).paragraphs

    assert next(one for one in on_card if one.startswith(said)) in in_ticket


@pytest.mark.parametrize(
    "request_", [usual_request(), an_observed(), an_observed(State.APPLIED), a_request(State.APPLIED)]
)
def test_card_s_thread_and_ticket_say_the_target_and_who_asked_in_the_same_words(request_: TransitionRequest) -> None:
    in_thread = {fact.label: fact.value for fact in details_card(request_, USUAL).facts}
    in_ticket = {fact.label: fact.value for fact in ticket_card(request_, USUAL).facts}

    assert in_thread["Target"] == in_ticket["Target"]
    assert in_thread["Requested by"] == in_ticket["Requested by"]
