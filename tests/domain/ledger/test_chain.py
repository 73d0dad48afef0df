"""The ledger's arithmetic: bodies, leaves, heads, and finding the first entry that does not hold."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.events import Event, EvidenceFrozen
from bot.domain.ledger.chain import GENESIS, Entry, as_plain, body_of, first_fault, head_of, leaf_of
from bot.domain.model import Evidence, State
from tests.builders import LATER, NOON, REQUEST_ID, a_metric, an_evidence, every_event, opened
from tests.strategies import evidences


def entries_of(*events: Event) -> list[Entry]:
    entries, head = [], GENESIS
    for seq, event in enumerate(events, start=1):
        body = rfc8785.dumps(body_of(event, seq)).decode()
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        entries.append(Entry(seq, event.at, type(event).__name__, body, leaf, head))
    return entries


def rehashed(entry: Entry, body: str) -> Entry:
    return entry._replace(body=body, leaf=leaf_of(body))


FIVE = entries_of(*every_event()[:5])


def test_a_leaf_is_the_hash_of_rfc_9162_and_a_head_chains_it_to_the_one_before() -> None:
    leaf = leaf_of('{"seq":1}')

    assert leaf == hashlib.sha256(b'\x00{"seq":1}').digest()
    assert head_of(GENESIS, leaf) == hashlib.sha256(bytes(32) + leaf).digest()


def test_a_body_says_its_place_what_happened_and_everything_about_it() -> None:
    body = body_of(opened(), 12)

    assert body == {
        "seq": 12,
        "event": "RequestOpened",
        "at": "2026-03-02T12:00:00+00:00",
        "request_id": REQUEST_ID,
        "kind": "promotion",
        "version": {
            "workspace": "default",
            "model": "bike-demand",
            "version": 7,
            "created": "2026-03-02T12:00:00+00:00",
        },
        "target": {"kind": "alias", "name": "champion"},
        "ask": {"kind": "command", "name": ""},
        "requester": "ana",
        "comment": "",
        "rule_hash": "sha256:1",
        "previous": None,
        "expires_at": "2026-03-05T12:00:00+00:00",
        "follows": None,
        "away_from": None,
        "failed_before": "",
        "asked_since": None,
        "joined": [],
        "barred": [],
        "adopted": False,
        "deadlines": None,
        "vouched_by": "",
    }


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (0.5, 0.5),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**60), "-1152921504606846976"),
        (True, True),
        (None, None),
        (State.PENDING, "pending"),
        ("half \ud83d", "half \ufffd"),
        ({"\ud83d": 1}, {"\ufffd": 1}),
        ((1, (2,)), [1, [2]]),
        (datetime(2026, 3, 2, 12, tzinfo=UTC), "2026-03-02T12:00:00+00:00"),
    ],
)
def test_what_canonical_json_cannot_carry_becomes_text(value: object, plain: object) -> None:
    written = as_plain(value)

    assert written == plain
    assert type(written) is type(plain)


def test_what_has_no_place_in_an_entry_is_refused_with_its_type() -> None:
    with pytest.raises(TypeError, match="object has no place in a ledger entry"):
        as_plain(object())


@given(evidences, st.integers(1, 10**9))
def test_any_evidence_has_a_canonical_body(evidence: Evidence, seq: int) -> None:
    event = EvidenceFrozen(NOON, REQUEST_ID, evidence, "bea", "sha256:1")

    body = rfc8785.dumps(body_of(event, seq))

    assert rfc8785.dumps(json.loads(body, parse_int=float)) == body  # RFC 8785 knows only doubles


def test_a_metric_that_is_no_number_can_be_entered() -> None:
    evidence = an_evidence(metrics=(a_metric(value=float("nan")), a_metric("r2", float("-inf"))))

    entries = entries_of(EvidenceFrozen(NOON, REQUEST_ID, evidence, None, "sha256:1"))

    assert '"value":"nan"' in entries[0].body
    assert first_fault(entries) is None


def test_an_empty_ledger_and_an_honest_one_have_no_fault() -> None:
    everything = entries_of(*every_event())

    assert first_fault([]) is None
    assert first_fault(everything) is None


CHANGES: dict[str, Any] = {
    "body": "5, 3 and 4",
    "at": NOON + timedelta(microseconds=1),
    "kind": "RequestForgotten",
    "leaf": bytes(32),
    "head": bytes(32),
}


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_an_edited_column_is_found_in_the_entry_where_it_stands(place: int, column: str) -> None:
    edited = list(FIVE)
    edited[place] = FIVE[place]._replace(**{column: CHANGES[column]})

    fault = first_fault(edited)

    assert fault is not None
    assert fault.startswith(f"entry {place + 1} was changed")


def test_a_body_edited_together_with_its_leaf_breaks_the_chain() -> None:
    edited = [FIVE[0], rehashed(FIVE[1], FIVE[1].body.replace("dan", "eve")), *FIVE[2:]]

    assert edited[1].body != FIVE[1].body
    assert first_fault(edited) == "entry 2 was changed or put in another place: it does not follow from the one before"


@pytest.mark.parametrize("place", [0, 2])
def test_a_missing_entry_is_named(place: int) -> None:
    shortened = FIVE[:place] + FIVE[place + 1 :]

    assert first_fault(shortened) == f"entry {place + 1} is missing: the next one there is {place + 2}"


def test_two_entries_that_change_places_are_found() -> None:
    second, third = FIVE[2]._replace(seq=2), FIVE[1]._replace(seq=3)

    fault = first_fault([FIVE[0], second, third, *FIVE[3:]])

    assert fault is not None
    assert fault.startswith("entry 2 was changed")


@pytest.mark.parametrize("body", ["", "[]", "17", "{}", '{"seq":1,"event":"RequestOpened","at":"yesterday"}', "\x00"])
def test_an_entry_whose_body_is_no_body_of_ours_is_found_even_with_fitting_hashes(body: str) -> None:
    leaf = leaf_of(body)
    forged = Entry(1, NOON, "RequestOpened", body, leaf, head_of(GENESIS, leaf))

    assert first_fault([forged]) == "entry 1 was changed: its number, time or kind is not what its body says"


@given(st.data())
def test_no_byte_of_any_entry_can_change_unnoticed(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(FIVE) - 1))
    at = data.draw(st.integers(0, len(FIVE[place].body) - 1))
    letter = data.draw(st.characters(codec="utf-8"))
    body = FIVE[place].body
    changed = body[:at] + letter + body[at + 1 :]
    edits: dict[str, Any] = (
        {"body": changed} if data.draw(st.booleans()) else {"body": changed, "leaf": leaf_of(changed)}
    )

    fault = first_fault([*FIVE[:place], FIVE[place]._replace(**edits), *FIVE[place + 1 :]])

    assert (fault is None) is (changed == body)


def test_a_cut_tail_is_beyond_the_chain_alone() -> None:
    """Only a checkpoint that was published elsewhere can show it; written here so that no one promises more."""
    assert first_fault(FIVE[:3]) is None


def test_the_same_time_in_another_zone_is_the_same_time() -> None:
    elsewhere = [entry._replace(at=entry.at.astimezone()) for entry in FIVE]

    assert first_fault(elsewhere) is None
    assert LATER.astimezone() == LATER
