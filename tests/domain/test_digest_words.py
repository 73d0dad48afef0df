"""The sentences that every form of a digest shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.digest import Concern, FastTrackFigures, Latency, Listed
from bot.domain.digest_words import (
    ALL_IN_ORDER,
    CONCERNS,
    NO_DECISIONS,
    QUIET,
    attention_text,
    counted,
    duration_text,
    fast_track_text,
    headline,
    holding_text,
    latency_text,
    ledger_text,
    local_moment,
    more_text,
    period_text,
    pipeline_text,
    summary,
    transition_text,
    transitions_text,
    trend_text,
    waiting_count,
    waiting_text,
)
from tests.builders_digest import (
    NAMES,
    PERIOD,
    SOME_HOLDINGS,
    SOME_PIPELINES,
    SOME_TRANSITIONS,
    a_crowded_digest,
    a_digest,
    a_quiet_digest,
    a_trend,
    a_waiting,
    listed,
)


def test_a_quiet_week_says_that_nothing_happened() -> None:
    assert summary(a_quiet_digest()) == f"{QUIET} {ALL_IN_ORDER}"


def test_a_week_in_which_nothing_moved_is_not_quiet_about_what_needs_attention() -> None:
    digest = a_quiet_digest(attention=a_digest().attention, concerns=a_digest().concerns)

    assert summary(digest).startswith(f"{QUIET} 7 matters: moved without an approval (1),")


def test_the_summary_says_what_ended_what_waits_and_what_needs_attention() -> None:
    said = summary(a_digest())

    assert said.startswith(
        "4 transitions ended: 2 applied, 1 rejected, 1 expired. 2 requests wait, the oldest for 3 days."
    )
    assert "parked jobs (1)" in said


def test_a_ledger_that_was_changed_beyond_counting_claims_no_figures() -> None:
    broken = replace(a_digest().ledger, fault="entry 7 was changed.")
    digest = a_quiet_digest(trend=(), latency=(), ledger=broken, concerns={Concern.LEDGER_BROKEN: 1})

    assert summary(digest).startswith("The week could not be counted, for its entries were changed.")
    assert dict(headline(digest))["Ledger"].endswith("it does not verify: entry 7 was changed")


def test_every_concern_has_a_name() -> None:
    assert set(CONCERNS) == set(Concern)


def test_the_gravest_concern_comes_first() -> None:
    digest = a_digest(attention=Listed((), 5), concerns={Concern.PARKED_JOBS: 4, Concern.LEDGER_BROKEN: 1})

    assert attention_text(digest) == "5 matters: the ledger does not verify (1), parked jobs (4)."


def test_the_period_is_told_in_whole_days_on_the_wall_clock() -> None:
    assert period_text(PERIOD) == "16 November 2026 to 22 November 2026, Europe/Madrid"
    assert local_moment(PERIOD.starts, PERIOD) == "2026-11-16 00:00"


def test_an_outcome_that_these_words_do_not_know_is_told_last() -> None:
    digest = a_digest(outcomes={"parachuted": 1, "stale": 2, "applied": 3}, transitions=Listed((), 6))

    assert transitions_text(digest) == "6 transitions ended: 3 applied, 2 stale, 1 parachuted"


def test_a_holding_says_on_whose_word_it_is_there() -> None:
    said = [holding_text(held, NAMES) for held in SOME_HOLDINGS]

    assert said[0].endswith("approved by Ana Ruiz on 2026-11-17 20:36 UTC (GOV-7)")
    assert said[2].startswith("fraud v2 holds model:prod.fraud since 2026-05-06")
    assert "approved by Ana Ruiz and Cy Lindqvist" in said[2]
    assert said[3] == "ranking v1 holds alias:shadow since before anything was recorded, without an approval"


def test_a_transition_says_who_and_why() -> None:
    said = [transition_text(one, NAMES) for one in SOME_TRANSITIONS]

    assert said[1].endswith("rejected by Cy Lindqvist, asked by Ben Okafor (GOV-7): worse on rainy days")
    assert said[2].endswith("applied by the fast track (GOV-7)")
    assert said[3].endswith("expired: nobody decided in time. Ask again when it is still wanted")


def test_who_is_not_known_any_more_is_called_unknown() -> None:
    assert "approved by unknown" in holding_text(SOME_HOLDINGS[0], {})


def test_one_request_waits_and_two_wait() -> None:
    assert waiting_count(a_digest(waiting=listed(a_waiting()))) == "1 request waits, the oldest for 3 days"
    assert waiting_count(a_digest(waiting=listed())) == "no request waits"
    assert (
        waiting_text(a_waiting()) == "bike-demand v9 → alias:champion has waited for 3 days, for 1 of ml-leads (GOV-9)"
    )


def test_latency_says_how_long_half_and_nearly_all_took() -> None:
    assert latency_text(Latency("", 3, timedelta(hours=3), timedelta(days=1, hours=2))) == (
        "median 3 h, 95th percentile 1 day 2 h (3 decisions)"
    )
    assert latency_text(Latency("", 0, None, None)) == NO_DECISIONS


def test_the_fast_track_says_whether_people_agreed() -> None:
    assert fast_track_text(FastTrackFigures("r", 3, 1, 1, 2, 1, 0)) == (
        "3 passed, 1 held, 1 undone; people agreed with it on 2 of 3 (1 false pass, 0 false holds)"
    )
    assert fast_track_text(FastTrackFigures("r", 3, 1, 0, 0, 0, 0)).endswith("people decided none that it had judged")


def test_a_pipeline_is_a_tree_or_the_reason_why_there_is_none() -> None:
    with_stages, without = (pipeline_text(one) for one in SOME_PIPELINES)

    assert with_stages == "prepare\n  train\n    evaluate"
    assert without == "No pipeline is known: the run has logged no lineage/dvc.lock that may be read"


def test_the_ledger_says_how_much_there_is_and_whether_it_holds() -> None:
    assert ledger_text(a_digest().ledger) == (
        "4,208 entries at the week's end, entries 4101 to 4208 are of this week; it verifies"
    )
    assert "none of its entries is of this week" in ledger_text(a_quiet_digest().ledger)


def test_a_list_says_how_much_it_leaves_out() -> None:
    assert more_text(a_crowded_digest().transitions) == "and 99,800 more; every one stands in the records"
    assert more_text(a_digest().transitions) == ""


def test_the_trend_is_told_to_whoever_does_not_see_the_picture() -> None:
    said = trend_text(a_trend(3))

    assert said == (
        "2026-W45: 4 transitions, median 2 h. 2026-W46: 5 transitions, median 3 h. 2026-W47: 0 transitions, no decision."
    )


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (None, "–"),
        (timedelta(seconds=59), "under 1 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=25, minutes=5), "1 day 1 h"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_a_length_is_told_in_its_two_largest_units(length: timedelta | None, said: str) -> None:
    assert duration_text(length) == said


def test_numbers_and_nouns_agree() -> None:
    assert [counted(1, "entry"), counted(2, "entry"), counted(3, "day"), counted(1000, "request")] == [
        "1 entry",
        "2 entries",
        "3 days",
        "1,000 requests",
    ]
