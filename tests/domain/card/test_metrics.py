"""The card's table of figures: short, side by side with the champion's, and honest about what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.card.card import Table
from bot.domain.card.details import details_card
from bot.domain.card.metrics_table import deciding_tables, figure
from bot.domain.card.sentences import CardContext
from bot.domain.model import Check, DataSet, FastTrackMode, Judgement, State
from bot.domain.policy.rules import FastTrack, Threshold
from bot.domain.request.fast_track_metrics import checks_of_metric, no_champion
from tests.builders import NOON, RULE_HASH, a_champion, a_metric, a_request, a_rule, an_evidence, an_observed

PRINTED = CardContext({}, a_rule())


def test_figures_without_a_champion_say_where_they_were_read() -> None:
    request = a_request(evidence=an_evidence(metrics=(a_metric("mae", 31.5, "logged model"),)))

    (table,) = details_card(request, PRINTED).tables

    assert table == Table(
        "Metrics", ("Metric", "v7 (candidate)", "Read from"), (("mae", "31.5", "MLflow logged model"),)
    )


def test_only_figures_of_one_name_and_source_are_set_side_by_side() -> None:
    metrics = (a_metric("mae", 31.5, "run"), a_metric("mae", 30.5, "logged model"), a_metric("r2", float("nan")))
    champion = a_champion(a_metric("mae", 34.0, "run"), a_metric("r2", 0.8))
    request = a_request(evidence=an_evidence(metrics=metrics, champion=champion))

    (table,) = details_card(request, PRINTED).tables

    assert table.rows == (
        ("mae, run", "31.5", "34", "-2.5, better"),
        ("mae, logged model", "30.5", "-", "-"),
        ("r2", "nan", "0.8", "+nan"),
    )


def test_what_does_not_fit_the_table_is_counted() -> None:
    metrics = tuple(a_metric(f"m{number:02}") for number in range(23))
    request = a_request(evidence=an_evidence(metrics=metrics, description=""))

    card = details_card(request, PRINTED)

    assert len(card.tables[0].rows) == 20
    assert card.paragraphs[0] == "3 more metrics are on the run."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (31.5, "31.5"),
        (1 / 3, "0.333333"),
        (1e-9, "1e-09"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (12345678.9, "1.23457e+07"),
    ],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text


# Beside the holder's


DEMANDS = FastTrack(
    FastTrackMode.ON,
    (Threshold("mae", greater_is_better=False, threshold=40), Threshold("r2", True, min_relative_change=0.01)),
)
JUDGED = CardContext({}, a_rule(fast_track=DEMANDS), RULE_HASH)
TEST, HOLDOUT = DataSet("test", "1a2b3c4d"), DataSet("test", "9f8e7d6c")


def test_what_the_fast_track_looks_at_stands_first_with_its_direction_and_its_mark() -> None:
    metrics = (a_metric("auc", 0.7), a_metric("mae", 24.5), a_metric("r2", 0.79))
    champion = a_champion(a_metric("auc", 0.6), a_metric("mae", 26.0), a_metric("r2", 0.8))
    checks = (Check(True, "mae 24.5 is at most 40", "mae"), Check(False, "r2 is not better", "r2"))
    request = a_request(
        evidence=an_evidence(metrics=metrics, champion=champion), judgement=Judgement(FastTrackMode.ON, checks)
    )

    (table,) = details_card(request, JUDGED).tables

    assert table.columns == ("Metric", "v7 (candidate)", "v5 (champion)", "Difference", "Threshold")
    assert table.rows == (
        ("mae", "24.5", "26", "-1.5, better", "✓ ≤ 40"),
        ("r2", "0.79", "0.8", "-0.01, worse", "✗ better by 1 %"),
        ("auc", "0.7", "0.6", "+0.1, better", "-"),
    )


BOTH = Threshold("mae", greater_is_better=False, threshold=40, min_relative_change=0.01)
NO_CHAMPION = Check(False, no_champion("mae"), "mae")


@pytest.mark.parametrize(
    ("value", "champion", "checks", "said"),
    [
        (24.0, 25.0, (Check(True, "at most"), Check(True, "better")), "✓ ≤ 40, better by 1 %"),
        (24.9, 25.0, (Check(True, "at most"), Check(False, "too little")), "✓ ≤ 40, ✗ better by 1 %"),
        (50.0, 60.0, (Check(False, "above"), Check(True, "better")), "✗ ≤ 40, ✓ better by 1 %"),
        (24.0, 25.0, (Check(False, "logged late"),), "✓ ≤ 40, better by 1 %; logged late"),
        (24.0, None, (Check(True, "at most"), NO_CHAMPION), "✓ ≤ 40; no champion to compare with"),
        (24.0, None, (NO_CHAMPION,), "✓ ≤ 40; no champion to compare with"),
        (50.0, None, (Check(False, "above"), NO_CHAMPION), "✗ ≤ 40; no champion to compare with"),
        (24.0, None, (), "≤ 40; no champion to compare with"),
    ],
)
def test_each_condition_has_a_mark_of_its_own_where_they_differ(
    value: float, champion: float | None, checks: tuple[Check, ...], said: str
) -> None:
    beside = a_champion(a_metric("mae", champion)) if champion is not None else None
    request = a_request(
        evidence=an_evidence(metrics=(a_metric("mae", value),), champion=beside),
        judgement=Judgement(FastTrackMode.ON, tuple(replace(check, metric="mae") for check in checks)),
    )
    rule = a_rule(fast_track=FastTrack(FastTrackMode.ON, (BOTH,)))

    (table,) = deciding_tables(request, CardContext({}, rule, RULE_HASH))

    assert (table.rows[0][-1], "Read from" in table.columns) == (said, False)


NOWHERE, UNNAMED = None, DataSet("test", "")


@pytest.mark.parametrize(
    ("ours", "theirs", "value", "said"),
    [
        (NOWHERE, NOWHERE, 30.0, "✓ ≤ 40; better by 1 %: data set unknown"),
        (TEST, NOWHERE, 30.0, "✓ ≤ 40; better by 1 %: data set unknown"),
        (UNNAMED, UNNAMED, 30.0, "✓ ≤ 40; better by 1 %: data set unknown"),
        (TEST, HOLDOUT, 30.0, "✓ ≤ 40; better by 1 %: other data"),
        (NOWHERE, NOWHERE, 50.0, "✗ ≤ 40; better by 1 %: data set unknown"),
        (NOWHERE, NOWHERE, 39.0, "✓ ≤ 40, ✗ better by 1 %"),
    ],
)
@pytest.mark.parametrize("asked", [BOTH, replace(BOTH, threshold=None)], ids=["limit", "comparison only"])
def test_a_figure_keeps_its_mark_where_the_rule_asks_for_more_than_the_figures_can_say(
    ours: DataSet | None, theirs: DataSet | None, value: float, said: str, asked: Threshold
) -> None:
    """As the fast track itself judges them."""
    holder = 31.4 if value < 40 else 60.0
    evidence = an_evidence(
        metrics=(replace(a_metric("mae", value), measured_on=ours),),
        champion=a_champion(replace(a_metric("mae", holder), measured_on=theirs)),
    )
    judged = Judgement(FastTrackMode.ON, tuple(checks_of_metric(asked, evidence, NOON)))
    rule = a_rule(fast_track=FastTrack(FastTrackMode.ON, (asked,)))

    (table,) = deciding_tables(a_request(evidence=evidence, judgement=judged), CardContext({}, rule, RULE_HASH))

    alone = said.split("; ")[-1].split(", ")[-1]
    assert table.rows[0][-1] == (said if asked is BOTH else alone)


def test_a_figure_that_does_not_count_keeps_its_mark_and_the_table_says_why() -> None:
    late = replace(a_metric("mae", 30.0), logged_at=NOON + timedelta(hours=1))
    evidence = an_evidence(metrics=(late,), champion=None)
    limit = Threshold("mae", greater_is_better=False, threshold=40)
    judged = Judgement(FastTrackMode.ON, tuple(checks_of_metric(limit, evidence, NOON)))
    rule = a_rule(fast_track=FastTrack(FastTrackMode.ON, (limit,)))

    (table,) = deciding_tables(a_request(evidence=evidence, judgement=judged), CardContext({}, rule, RULE_HASH))

    assert table.rows[0][-1].startswith("✓ ≤ 40; mae was logged after the request was opened")


def test_once_it_is_approved_the_table_says_what_was_before_and_no_threshold() -> None:
    evidence = an_evidence(metrics=(a_metric("mae", 24.5),), champion=a_champion(a_metric("mae", 26.0)))

    (table,) = deciding_tables(a_request(State.APPLIED, evidence=evidence), JUDGED)

    assert table.columns == ("Metric", "v7 (approved)", "v5 (before)", "Difference")


@pytest.mark.parametrize(
    ("value", "shown"), [(26.0, "26"), (float("nan"), "nan"), (float("inf"), "inf"), (-float("inf"), "-inf")]
)
def test_a_figure_that_is_the_same_is_neither_better_nor_worse(value: float, shown: str) -> None:
    evidence = an_evidence(metrics=(a_metric("mae", value),), champion=a_champion(a_metric("mae", value)))

    (table,) = details_card(a_request(evidence=evidence), JUDGED).tables

    assert table.rows[0] == ("mae", shown, shown, "the same", "≤ 40")


def test_a_figure_that_a_threshold_names_and_nobody_logged_has_a_row_that_says_so() -> None:
    found = (Check(False, "mae is missing", "mae"),)
    request = a_request(evidence=an_evidence(metrics=()), judgement=Judgement(FastTrackMode.SHADOW, found))

    (table,) = details_card(request, JUDGED).tables

    assert table.rows == (("mae", "missing", "✗ ≤ 40"), ("r2", "missing", "better by 1 %"))


def test_a_threshold_looks_only_at_the_data_set_that_it_names() -> None:
    named = Threshold("mae", False, 40, dataset="test")
    rule = a_rule(fast_track=FastTrack(FastTrackMode.ON, (named, replace(named, dataset="holdout"))))
    metrics = (replace(a_metric(), measured_on=TEST), replace(a_metric(value=28.0), measured_on=DataSet("train", "0a")))

    (table,) = details_card(a_request(evidence=an_evidence(metrics=metrics)), CardContext({}, rule, RULE_HASH)).tables

    assert [row[:3] for row in table.rows] == [
        ("mae, test 1a2b3c4d", "31.5", "≤ 40"),
        ("mae, holdout", "missing", "≤ 40"),
        ("mae, train 0a", "28", "-"),
    ]


def test_figures_from_different_data_are_not_set_side_by_side() -> None:
    metrics = (replace(a_metric(), measured_on=TEST), a_metric("r2", 0.8))
    champion = a_champion(replace(a_metric(value=34.0), measured_on=HOLDOUT), a_metric("r2", 0.7))

    (table,) = details_card(a_request(evidence=an_evidence(metrics=metrics, champion=champion)), PRINTED).tables

    assert table.rows == (("mae", "31.5", "other data", "-"), ("r2", "0.8", "0.7", "+0.1, better"))


def test_the_same_data_under_another_name_is_the_same_data() -> None:
    metrics = (replace(a_metric(), measured_on=TEST),)
    champion = a_champion(replace(a_metric(value=34.0), measured_on=replace(TEST, name="spring")))

    (table,) = details_card(a_request(evidence=an_evidence(metrics=metrics, champion=champion)), PRINTED).tables

    assert table.rows == (("mae", "31.5", "34", "-2.5, better"),)


def test_once_the_rule_is_another_one_its_thresholds_say_nothing_of_these_figures() -> None:
    evidence = an_evidence(metrics=(a_metric("mae", 24.5),), champion=a_champion(a_metric("mae", 26.0)))

    (table,) = details_card(a_request(evidence=evidence), replace(JUDGED, rule_hash="sha256:2")).tables

    assert table.columns == ("Metric", "v7 (candidate)", "v5 (champion)", "Difference")
    assert table.rows == (("mae", "24.5", "26", "-1.5, better"),)


def test_what_was_moved_without_asking_stands_beside_what_was_there_before() -> None:
    evidence = an_evidence(champion=a_champion(a_metric("mae", 34.0)))

    (table,) = details_card(an_observed(evidence=evidence), PRINTED).tables

    assert table.columns == ("Metric", "v7 (now)", "v5 (before)", "Difference")
