"""`countersign fast-track report`: how the fast track and people compare, read from the ledger."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.domain.events import FastTrackCompared
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof

METRICS = "metrics: {mae: {threshold: 40, greater_is_better: false}}"
SHADOW = f"fast_track: {{mode: shadow, {METRICS}}}"
ON = f"fast_track: {{mode: on, {METRICS}}}"
ALL_TO_PEOPLE = f"fast_track: {{mode: on, {METRICS}, sample_to_people: 0.999999}}"


def report(installation: Installation, *words: str) -> Result:
    url = installation.settings.database_url.get_secret_value()
    return CliRunner().invoke(main, ["fast-track", "report", *words], env={"DATABASE_URL": url})


def record(installation: Installation, *words: str) -> dict[str, Any]:
    """Of the one rule that there is."""
    told = report(installation, *words, "--json")
    assert told.exit_code == 0, told.output
    (only,) = json.loads(told.output)
    assert isinstance(only, dict)
    return only


def asked(installation: Installation, mae: float) -> Any:
    return installation.asked(installation.register(metrics={"mae": mae}))


def test_the_report_counts_where_people_and_the_fast_track_agreed(installation: Installation) -> None:
    installation.use_policy(extra=SHADOW)
    installation.approve(asked(installation, 31.5))
    installation.approve(asked(installation, 41.0))
    installation.reject(asked(installation, 20.0), "worse on rainy days")

    told = record(installation)

    assert (told["judged"], told["passed"], told["without_people"]) == (3, 2, 0)
    assert (told["agreed"], told["false_passes"], told["false_holds"]) == (1, 1, 1)
    assert told["agreement_rate"] == pytest.approx(1 / 3)
    assert told["median_seconds_with_people"] > 0
    assert told["median_seconds_fast_track"] is None


def test_what_passed_without_people_is_told_apart_from_the_sample(installation: Installation) -> None:
    installation.use_policy(extra=ON)
    asked(installation, 31.5)
    installation.use_policy(extra=ALL_TO_PEOPLE)
    asked(installation, 30.5)

    told = record(installation)

    assert (told["judged"], told["passed"]) == (2, 2)
    assert (told["without_people"], told["sampled"]) == (1, 1)
    assert told["median_seconds_fast_track"] > 0


def test_what_was_held_because_the_fast_track_is_off_is_no_sample(installation: Installation) -> None:
    installation.use_policy(extra=ON)
    url = installation.settings.database_url.get_secret_value()
    words = ["fast-track", "off", "--reason", "figures drifted", "--by", "ana@example.com"]
    CliRunner().invoke(main, words, env={"DATABASE_URL": url}, catch_exceptions=False)
    asked(installation, 31.5)

    told = record(installation)

    assert (told["passed"], told["without_people"], told["sampled"]) == (1, 0, 0)


@pytest.mark.parametrize("undo_for", ["24h", "1s"])
def test_a_decision_that_somebody_took_back_is_undone_and_a_false_pass(
    installation: Installation, undo_for: str
) -> None:
    installation.use_policy(extra=ON.replace("mode: on", f"mode: on, undo_for: {undo_for}"))
    asked(installation, 31.5)
    let_through = asked(installation, 30.5)
    installation.click("ana", let_through, "roll_back")
    installation.slack.submit_view("ana", {"reason": "predictions drifted"})
    installation.settle()

    told = record(installation)

    assert (told["without_people"], told["undone"], told["false_passes"], told["agreed"]) == (2, 1, 1, 0)
    assert installation.happened(FastTrackCompared) == ["FastTrackCompared"]


def test_the_table_names_the_rule_its_mode_and_what_the_words_mean(installation: Installation) -> None:
    installation.use_policy(extra=SHADOW)
    installation.approve(asked(installation, 31.5))

    told = report(installation).output

    assert f"{installation.model}* → alias:champion  shadow" in told
    assert "1 of 1 (100%)" in told
    assert "false pass: people rejected what the fast track would have let through" in told


def test_a_rule_that_is_gone_keeps_its_record(installation: Installation) -> None:
    installation.use_policy(extra=SHADOW)
    installation.approve(asked(installation, 31.5))
    installation.use_policy()

    told = report(installation).output

    assert f"{installation.model}* → alias:champion  no such rule now" in told


def test_the_report_looks_no_further_back_than_it_is_told(installation: Installation) -> None:
    installation.use_policy(extra=SHADOW)
    installation.clock.ahead = timedelta(days=-3)
    installation.approve(asked(installation, 31.5))

    told = record(installation, "--since", "2d")

    assert (told["judged"], told["agreed"], told["agreement_rate"]) == (0, 0, None)


def test_without_any_fast_track_the_report_says_so(installation: Installation) -> None:
    told = report(installation)

    assert told.output == "No rule has a fast track, and none was judged in the last 90d.\n"
