"""The frozen figures: canonical, equal for equal figures, and read back just as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.digest.figures import Digest, Finding, FindingKind, Latency, WeekOfTrend
from bot.domain.digest.json_form import as_json, read_digest
from bot.errors import Refused
from tests.builders.digest import (
    NAMES,
    ODD_NAMES,
    a_crowded_digest,
    a_digest,
    a_holding,
    a_quiet_digest,
    an_oddly_named_digest,
    listed,
)

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=50 * 365))


@pytest.mark.parametrize("digest", [a_digest(), a_quiet_digest(), an_oddly_named_digest(), a_crowded_digest()])
def test_what_was_frozen_is_read_back_just_as_it_was(digest: Digest) -> None:
    frozen = as_json(digest)

    found = read_digest(frozen)

    assert found == digest
    assert as_json(found) == frozen


@settings(max_examples=30)
@given(median=LENGTHS, age=LENGTHS)
def test_lengths_of_time_keep_their_microseconds(median: timedelta, age: timedelta) -> None:
    digest = a_digest(
        latency=(Latency("", 1, median, None),),
        trend=(WeekOfTrend("2026-W47", 1, median, age, 3),),
        inventory=listed(a_holding(approval_age=age)),
    )

    assert read_digest(as_json(digest)) == digest


@settings(max_examples=30)
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_name_goes_through_unchanged(name: str) -> None:
    digest = a_digest(names={"p-ana": name, name: "x"}, inventory=listed(a_holding(name or "x", 1, ticket=name)))

    assert read_digest(as_json(digest)) == digest


def test_the_text_is_canonical() -> None:
    frozen = as_json(an_oddly_named_digest())

    assert frozen.encode() == rfc8785.dumps(json.loads(frozen))
    assert all(json.dumps(name, ensure_ascii=False) in frozen for name in ODD_NAMES)


def test_the_order_in_which_names_were_looked_up_means_nothing() -> None:
    backwards = dict(reversed(NAMES.items()))

    assert as_json(a_digest(names=backwards)) == as_json(a_digest())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        as_json(a_digest()).replace('"trend"', '"trends"'),
        as_json(a_digest()).replace('"no_rule"', '"no_rules"'),
        as_json(a_digest()).replace('"first":4101', '"first":"4101"'),
        as_json(a_digest()).replace('"week":"2026-W47"', '"week":47'),
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"cannot read these figures|no figures of a digest"):
        read_digest(text)


def test_figures_of_an_older_release_are_read_with_the_defaults_of_what_came_later() -> None:
    matter = Finding(FindingKind.NO_RULE, "No rule speaks of fraud.", MONDAY, "fraud", "https://slack.example/1")
    frozen = json.loads(as_json(a_digest(attention=listed(matter))))
    (older,) = frozen["attention"]["shown"]
    for later in ("at", "model", "link"):
        del older[later]

    found = read_digest(json.dumps(frozen))

    assert found == a_digest(attention=listed(Finding(FindingKind.NO_RULE, "No rule speaks of fraud.")))


def test_of_figures_of_a_newer_release_is_read_what_this_one_knows() -> None:
    frozen = json.loads(as_json(a_digest()))
    for record in (frozen, frozen["ledger"], frozen["period"], frozen["attention"], *frozen["inventory"]["shown"]):
        record["of_a_later_release"] = {"any": ["thing"]}

    assert read_digest(json.dumps(frozen)) == a_digest()


def test_a_concern_that_this_release_does_not_know_is_not_passed_over() -> None:
    frozen = json.loads(as_json(a_digest()))
    frozen["concerns"]["of_a_later_release"] = 1

    with pytest.raises(Refused, match="of_a_later_release"):
        read_digest(json.dumps(frozen))


def test_half_a_character_is_no_reason_to_fail() -> None:
    digest = replace(a_digest(), names={"p-ana": "Ana \ud83d"})

    assert read_digest(as_json(digest)).names == {"p-ana": "Ana \ufffd"}
