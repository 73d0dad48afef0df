"""`countersign fast-track report`: how the fast track and people compare, read from the ledger."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.__main__ import main
from tests.fixtures.installation import House

METRICS = "metrics: {mae: {threshold: 40, greater_is_better: false}}"
SHADOW = f"fast_track: {{mode: shadow, {METRICS}}}"
ON = f"fast_track: {{mode: on, {METRICS}}}"
ALL_TO_PEOPLE = f"fast_track: {{mode: on, {METRICS}, sample_to_people: 0.999999}}"


def report(house: House, *words: str) -> Result:
    url = house.settings.database_url.get_secret_value()
    return CliRunner().invoke(main, ["fast-track", "report", *words], env={"DATABASE_URL": url})


def record(house: House, *words: str) -> dict[str, Any]:
    """Of the one rule that there is."""
    told = report(house, *words, "--json")
    assert told.exit_code == 0, told.output
    (only,) = json.loads(told.output)
    assert isinstance(only, dict)
    return only


def asked(house: House, mae: float) -> Any:
    return house.asked(house.register(metrics={"mae": mae}))


def test_the_report_counts_where_people_and_the_fast_track_agreed(house: House) -> None:
    house.use_policy(extra=SHADOW)
    house.approve(asked(house, 31.5))
    house.approve(asked(house, 41.0))
    house.reject(asked(house, 20.0), "worse on rainy days")

    told = record(house)

    assert (told["judged"], told["passed"], told["without_people"]) == (3, 2, 0)
    assert (told["agreed"], told["false_passes"], told["false_holds"]) == (1, 1, 1)
    assert told["agreement_rate"] == pytest.approx(1 / 3)
    assert told["median_seconds_with_people"] > 0
    assert told["median_seconds_fast_track"] is None


def test_what_passed_without_people_is_told_apart_from_the_sample(house: House) -> None:
    house.use_policy(extra=ON)
    asked(house, 31.5)
    house.use_policy(extra=ALL_TO_PEOPLE)
    asked(house, 30.5)

    told = record(house)

    assert (told["judged"], told["passed"]) == (2, 2)
    assert (told["without_people"], told["sampled"]) == (1, 1)
    assert told["median_seconds_fast_track"] > 0


def test_what_was_held_because_the_fast_track_is_off_is_no_sample(house: House) -> None:
    house.use_policy(extra=ON)
    url = house.settings.database_url.get_secret_value()
    words = ["fast-track", "off", "--reason", "figures drifted", "--by", "ana@example.com"]
    CliRunner().invoke(main, words, env={"DATABASE_URL": url}, catch_exceptions=False)
    asked(house, 31.5)

    told = record(house)

    assert (told["passed"], told["without_people"], told["sampled"]) == (1, 0, 0)


def test_a_decision_that_somebody_took_back_is_counted_as_undone(house: House) -> None:
    house.use_policy(extra=ON)
    asked(house, 31.5)
    let_through = asked(house, 30.5)
    house.click("ana", let_through, "roll_back")
    house.slack.submit_view("ana", {"reason": "predictions drifted"})
    house.settle()

    told = record(house)

    assert (told["without_people"], told["undone"]) == (2, 1)


def test_the_table_names_the_rule_its_mode_and_what_the_words_mean(house: House) -> None:
    house.use_policy(extra=SHADOW)
    house.approve(asked(house, 31.5))

    told = report(house).output

    assert f"{house.model}* → alias:champion  shadow" in told
    assert "1 of 1 (100%)" in told
    assert "false pass: people rejected what the fast track would have let through" in told


def test_a_rule_that_is_gone_keeps_its_record(house: House) -> None:
    house.use_policy(extra=SHADOW)
    house.approve(asked(house, 31.5))
    house.use_policy()

    told = report(house).output

    assert f"{house.model}* → alias:champion  no such rule now" in told


def test_the_report_looks_no_further_back_than_it_is_told(house: House) -> None:
    house.use_policy(extra=SHADOW)
    house.clock.ahead = timedelta(days=-3)
    house.approve(asked(house, 31.5))

    told = record(house, "--since", "2d")

    assert (told["judged"], told["agreed"], told["agreement_rate"]) == (0, 0, None)


def test_without_any_fast_track_the_report_says_so(house: House) -> None:
    told = report(house)

    assert told.output == "No rule has a fast track, and none was judged in the last 90d.\n"
