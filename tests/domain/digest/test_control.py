"""What a digest covers: which rules were in force when, in words, and what a chart of the trend would say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.digest.control import RuleInForce, rule_text, rules_of_the_week
from bot.domain.digest.figures import WeekOfTrend
from bot.domain.digest.overview import shows_a_trend
from bot.domain.model import FastTrackMode
from bot.domain.policy.rules import FastTrack, Observed, Policy, Rule, Threshold
from tests.builders.digest import a_trend, at
from tests.domain.policy.test_changes import BEFORE

STARTS = at(0)
FIRST: Rule = BEFORE.rules[0]


def policy(*rules: Rule) -> Policy:
    return replace(BEFORE, rules=rules)


def spans(found: tuple[RuleInForce, ...]) -> list[tuple[str, float, float | None]]:
    """Models, and the days of the week from and until which the rule was in force."""
    day = timedelta(days=1)
    return [
        (one.label.partition(" ")[0], (one.since - STARTS) / day, (one.until - STARTS) / day if one.until else None)
        for one in found
    ]


def test_a_rule_is_in_force_since_the_first_of_the_policies_that_have_it_without_a_break() -> None:
    rule = replace(FIRST, models="bike-*")
    other = replace(FIRST, models="fraud")
    newest_first = [
        (at(-1), policy(rule, other)),
        (at(-30), policy(rule)),
        (at(-60), policy(other)),
        (at(-90), policy(rule)),
    ]

    assert spans(rules_of_the_week(newest_first, STARTS)) == [("bike-*", -30, None), ("fraud", -1, None)]


def test_a_rule_that_changed_in_the_week_is_there_before_and_after() -> None:
    before = replace(FIRST, models="bike-*")
    after = replace(before, observed=Observed.REVERT if before.observed is not Observed.REVERT else Observed.ASK)
    newest_first = [(at(3), policy(after)), (at(-30), policy(before))]

    found = rules_of_the_week(newest_first, STARTS)

    assert spans(found) == [("bike-*", 3, None), ("bike-*", -30, 3)]
    assert found[0].hash != found[1].hash
    assert found[0].words != found[1].words


@pytest.mark.parametrize("day", [-1, 0])
def test_a_rule_that_ended_before_the_week_is_not_of_it(day: int) -> None:
    gone, rule = replace(FIRST, models="bike-*"), replace(FIRST, models="fraud")
    newest_first = [(at(day), policy(rule)), (at(-30), policy(gone, rule))]

    assert spans(rules_of_the_week(newest_first, STARTS)) == [("fraud", -30, None)]


def test_a_rule_that_was_away_for_a_day_of_the_week_has_two_spans() -> None:
    rule, other = replace(FIRST, models="bike-*"), replace(FIRST, models="fraud")
    newest_first = [(at(3), policy(rule, other)), (at(2), policy(other)), (at(-9), policy(rule, other))]

    assert sorted(spans(rules_of_the_week(newest_first, STARTS))) == [
        ("bike-*", -9, 2),
        ("bike-*", 3, None),
        ("fraud", -9, None),
    ]


def test_policies_of_before_are_not_read_further_back_than_needed() -> None:
    rule, older = replace(FIRST, models="bike-*"), replace(FIRST, models="fraud")
    read = []

    def one_by_one():  # type: ignore[no-untyped-def]
        for day, one in ((-1, rule), (-2, older), (-3, older)):
            read.append(day)
            yield at(day), policy(one)

    rules_of_the_week(one_by_one(), STARTS)

    assert read == [-1, -2]


def test_no_policy_has_no_rule() -> None:
    assert rules_of_the_week([], STARTS) == ()


def test_a_rule_in_words_says_who_approves_and_what_passes_without_people() -> None:
    track = FastTrack(FastTrackMode.SHADOW, (Threshold("mae", greater_is_better=False, threshold=40.0),))
    rule = replace(FIRST, fast_track=track, expire_after=timedelta(days=3), approval_valid_for=timedelta(days=180))

    said = rule_text(rule)

    assert said.startswith("Approval by 1 of ")
    assert "Fast track (records its result and decides nothing): mae ≤ 40." in said
    assert "A request expires after 3d. An approval is valid for 180d." in said
    assert "No fast track." in rule_text(replace(rule, fast_track=replace(track, mode=FastTrackMode.OFF)))


@pytest.mark.parametrize(
    ("weeks", "says_something"),
    [
        ((), False),
        (a_trend(1), False),
        (a_trend(), True),
        (tuple(replace(week, median=timedelta(hours=3)) for week in a_trend()), False),
        (tuple(replace(week, median=None) for week in a_trend()), False),
        ((WeekOfTrend("1", 0, None, None, 9), WeekOfTrend("2", 1, timedelta(hours=1), timedelta(hours=1), 1)), False),
    ],
    ids=["no week", "one week", "a change", "always the same", "no decision", "one point"],
)
def test_a_chart_needs_two_points_and_a_change(weeks: tuple[WeekOfTrend, ...], says_something: bool) -> None:
    assert shows_a_trend(weeks) is says_something
