"""The sentences that every form of a digest shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.digest.figures import FindingKind, Latency, Listed
from bot.domain.digest.overview import overview
from bot.domain.digest.sentences import (
    ALL_IN_ORDER,
    CONCERNS,
    NO_DECISIONS,
    QUIET,
    attention_text,
    decider,
    latency_text,
    ledger_text,
    local_moment,
    period_text,
    summary,
    transitions_text,
    waiting_count,
)
from bot.domain.text import counted, duration_text
from tests.builders.digest import (
    PERIOD,
    a_digest,
    a_quiet_digest,
    a_waiting,
    listed,
)


def test_a_quiet_week_says_that_nothing_happened() -> None:
    assert summary(a_quiet_digest()) == f"{QUIET} {ALL_IN_ORDER}"


def test_a_week_in_which_nothing_moved_is_not_quiet_about_what_needs_attention() -> None:
    digest = a_quiet_digest(attention=a_digest().attention, concerns=a_digest().concerns)

    assert summary(digest).startswith(f"{QUIET} 7 items need attention: moved without an approval,")


def test_the_summary_says_what_ended_what_waits_and_what_needs_attention() -> None:
    said = summary(a_digest())

    assert said.startswith(
        "Transitions: 2 applied, 1 rejected, 1 expired. Pending: 2 requests pending, the oldest for 3 days."
    )
    assert "parked jobs" in said


def test_a_ledger_that_was_changed_beyond_counting_claims_no_figures() -> None:
    broken = replace(a_digest().ledger, fault="entry 7 was changed.")
    digest = a_quiet_digest(trend=(), latency=(), ledger=broken, concerns={FindingKind.LEDGER_BROKEN: 1})

    assert summary(digest).startswith("The week could not be counted, because entries of the ledger were changed.")
    assert dict(overview(digest))["Ledger"].startswith("does not verify: entry 7 was changed;")


def test_every_concern_has_a_name() -> None:
    assert set(CONCERNS) == set(FindingKind)


def test_the_gravest_concern_comes_first() -> None:
    digest = a_digest(attention=Listed((), 5), concerns={FindingKind.PARKED_JOBS: 4, FindingKind.LEDGER_BROKEN: 1})

    assert attention_text(digest) == "5 items need attention: the ledger does not verify, parked jobs (4)."


def test_the_period_is_told_in_whole_days_on_the_wall_clock() -> None:
    assert period_text(PERIOD) == "16 November 2026 to 22 November 2026, Europe/Madrid"
    assert local_moment(PERIOD.starts, PERIOD) == "2026-11-16 00:00 UTC+01:00"


def test_the_hour_that_comes_twice_says_which_one_it_is() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))

    assert local_moment(first, PERIOD) == "2026-10-25 02:30 UTC+02:00"
    assert local_moment(second, PERIOD) == "2026-10-25 02:30 UTC+01:00"


def test_who_decided_is_told_by_name_and_who_is_not_known_any_more_is_called_unknown() -> None:
    assert decider("people", ("p-ana", "p-x"), {"p-ana": "Ana Ruiz"}) == "Ana Ruiz and unknown"
    assert decider("the fast track", (), {}) == "the fast track"


def test_an_outcome_that_these_words_do_not_know_is_told_last() -> None:
    digest = a_digest(outcomes={"parachuted": 1, "stale": 2, "applied": 3}, transitions=Listed((), 6))

    assert transitions_text(digest) == "3 applied, 2 approved, never applied, 1 parachuted"


def test_one_request_waits_and_two_wait() -> None:
    assert waiting_count(a_digest(waiting=listed(a_waiting()))) == "1 request pending, the oldest for 3 days"
    assert waiting_count(a_digest(waiting=listed())) == "none pending"


def test_latency_says_how_long_half_and_nearly_all_took() -> None:
    assert latency_text(Latency("", 3, timedelta(hours=3), timedelta(days=1, hours=2))) == (
        "median 3 h, 95th percentile 1 day 2 h (3 decisions)"
    )
    assert latency_text(Latency("", 0, None, None)) == NO_DECISIONS


def test_the_ledger_says_how_much_there_is_and_whether_it_holds() -> None:
    assert ledger_text(a_digest().ledger) == ("verified; 4,208 entries at the week's end, 4,101 to 4,208 of this week")
    assert "none of them of this week" in ledger_text(a_quiet_digest().ledger)


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
