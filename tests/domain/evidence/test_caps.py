"""Evidence that is too large for the record is cut, in a way that a later change is still noticed and that the card says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from bot.domain.card.details import details_card
from bot.domain.evidence.caps import MOST_METRICS, MOST_PARAMS, SIGNATURE_LIMIT, VALUE_LIMIT, capped
from bot.domain.evidence.changes import changes
from bot.domain.ledger.chain import as_plain
from bot.domain.model import DataSet, Evidence
from tests.builders import a_champion, a_metric, a_request, an_evidence
from tests.domain.card.test_request_card import PRINTED
from tests.strategies import evidences

LARGEST_ENTRY = 2_500_000  # bytes; within it is all that whoever trains a model can choose
LONG = "x" * 5_900
HUGE = an_evidence(
    params={f"p{number:05}": LONG for number in range(2_000)},
    tags={f"t{number:05}": "y" * 10_000 for number in range(250)},
    description="z" * 100_000,
    signature=json.dumps({"inputs": "s" * 1_000_000}),
    metrics=tuple(a_metric(f"m{number:05}" + "m" * 200) for number in range(2_000)),
    datasets=tuple(DataSet("d" * 500, f"{number}" * 36, "train") for number in range(1_000)),
    champion=replace(a_champion(), params={f"p{number:05}": LONG for number in range(2_000)}),
)


def test_nothing_that_a_trainer_logs_makes_a_large_entry() -> None:
    kept = capped(HUGE)

    assert len(json.dumps(as_plain(kept))) < LARGEST_ENTRY
    assert (len(kept.params), len(kept.metrics)) == (MOST_PARAMS, MOST_METRICS)
    assert max(map(len, kept.params.values())) == VALUE_LIMIT
    assert len(kept.signature or "") < SIGNATURE_LIMIT


def test_the_card_says_what_was_cut_and_where_the_whole_is() -> None:
    card = details_card(a_request(evidence=capped(HUGE)), PRINTED)

    (said,) = [text for text in card.paragraphs if "too large" in text.lower()]
    assert "1,500 of 2,000 params" in said
    assert "The whole is on the run." in said


def test_what_was_cut_is_unchanged_while_it_is_the_same() -> None:
    assert changes(capped(HUGE), capped(HUGE)) == ()
    assert changes(HUGE, capped(HUGE)) == ()  # as an older release kept it


@pytest.mark.parametrize(
    "changed",
    [
        {"params": {**HUGE.params, "p01999": "another"}},
        {"params": {**HUGE.params, "p00000": LONG + "!"}},
        {"signature": json.dumps({"inputs": "s" * 1_000_001})},
        {"metrics": (*HUGE.metrics[:-1], a_metric("m01999" + "m" * 200, 7.0))},
    ],
    ids=["a param left out", "the end of a long value", "a long signature", "a metric left out"],
)
def test_a_change_in_what_was_cut_is_noticed(changed: dict[str, object]) -> None:
    assert changes(capped(HUGE), capped(replace(HUGE, **changed)))  # type: ignore[arg-type]


@given(evidences)
def test_capping_twice_is_capping_once(evidence: Evidence) -> None:
    assert capped(capped(evidence)) == capped(evidence)
