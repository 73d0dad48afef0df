"""Names of sealed objects, the list of them, and which approvals wait for a seal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attestation.answers import GateQuery, GateResult, ReasonCode
from bot.domain.attestation.sealed_places import (
    index_key,
    index_of,
    place_as_plain,
    place_from_plain,
    read_index,
    sealed_as_demanded,
)
from bot.domain.attestation.sealing import KEY_LIMIT, awaits_seal, folder_of, hinder, sealed, too_long, valid_seal
from bot.domain.events import SealHindered, VersionSealed
from bot.domain.model import State, TransitionRequest
from bot.domain.request.evolution import evolve
from bot.domain.seals.places import Lock, SealedAt, SealedObject, SealPlan
from bot.errors import InvalidStatement
from tests.builders import CHAMPION, a_request, a_rule, a_version

FILES = "sha256:5f1c" + "0" * 60
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PLAN = SealPlan("s3://prod-models/bikes/")
OBJECTS = (SealedObject("MLmodel", "ab" * 32, 12, "v1"), SealedObject("weights.bin", "cd" * 32, 2, "v2"))
SEALS = a_rule(seal=PLAN)
TEXTS = st.text(max_size=12)


def a_place(plan: SealPlan = PLAN) -> SealedAt:
    folder = folder_of(plan, a_version(), FILES)
    return SealedAt(plan.bucket, folder, f"{folder}seal-1.json", "v9", "ef" * 32)


def sealed_request(state: State = State.APPROVED, lock: Lock | None = None) -> TransitionRequest:
    request = a_request(state)
    for event in sealed(request, a_place(), OBJECTS, lock, NOW):
        request = evolve(request, event)
    return request


def test_a_folder_names_registry_workspace_model_version_identity_and_files() -> None:
    folder = folder_of(PLAN, replace(a_version(), model="näme/of a model"), FILES)

    assert folder.startswith("bikes/default/default/n%C3%A4me%2Fof%20a%20model/v7-")
    assert folder.endswith(f"/{FILES.removeprefix('sha256:')}/")


def test_a_version_that_was_created_again_has_another_folder() -> None:
    version = a_version()
    again = replace(version, created=version.created + timedelta(milliseconds=1))

    assert folder_of(PLAN, version, FILES) != folder_of(PLAN, again, FILES)


def test_a_name_that_the_store_does_not_take_is_found_before_anything_is_copied() -> None:
    folder = folder_of(PLAN, a_version(), FILES)
    longest = "x" * (KEY_LIMIT - len(f"{folder}model/"))

    assert too_long(folder, [longest]) is None
    assert too_long(folder, ["short", f"{longest}x"]) == f"{longest}x"


@given(st.lists(st.builds(SealedObject, TEXTS, TEXTS, st.integers(0, 2**50), TEXTS), unique_by=lambda one: one.path))
def test_the_list_of_objects_reads_back_and_does_not_depend_on_their_order(objects: list[SealedObject]) -> None:
    written = index_of(FILES, objects)

    assert sorted(read_index(written), key=lambda one: one.path) == sorted(objects, key=lambda one: one.path)
    assert index_of(FILES, reversed(objects)) == written
    assert index_key("folder/", written).startswith("folder/seal-")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": "urn:countersign:seal:v1"}'])
def test_another_text_is_no_list_of_objects(text: bytes) -> None:
    with pytest.raises(InvalidStatement):
        read_index(text)


def test_a_list_in_a_later_format_is_refused() -> None:
    later = json.loads(index_of(FILES, OBJECTS)) | {"format": "urn:countersign:seal:v2"}
    with pytest.raises(InvalidStatement, match="in another format"):
        read_index(json.dumps(later).encode())


def test_a_place_reads_back() -> None:
    assert place_from_plain(place_as_plain(a_place())) == a_place()
    assert place_from_plain(None) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"uri": "s3://prod-models/bikes/elsewhere"},
        {"index": "s3://other-bucket/bikes/seal-1.json"},
        {"index": "s3://prod-models/elsewhere/seal-1.json"},
        {"versionId": 9},
    ],
)
def test_a_place_that_does_not_hang_together_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidStatement, match="names no sealed place"):
        place_from_plain({**place_as_plain(a_place()), **changed})


@pytest.mark.parametrize("state", list(State))
def test_only_what_is_approved_waits_for_a_seal_and_only_under_a_rule_that_seals(state: State) -> None:
    request = a_request(state)

    assert awaits_seal(request, SEALS) is (state in (State.APPROVED, State.APPLIED))
    assert awaits_seal(request, a_rule()) is False
    assert awaits_seal(request, None) is False


def test_a_seal_ends_the_waiting_if_it_is_in_the_rule_s_place_of_the_approved_files_and_locked_as_it_says() -> None:
    request = sealed_request()
    locks = a_rule(seal=SealPlan(PLAN.to, timedelta(days=90)))

    assert valid_seal(request, SEALS) is not None
    assert not awaits_seal(request, SEALS)
    assert awaits_seal(request, a_rule(seal=SealPlan("s3://prod-models/cars/")))
    assert awaits_seal(request, a_rule(seal=SealPlan("s3://other-bucket/bikes/")))
    assert awaits_seal(request, locks)
    assert not awaits_seal(sealed_request(lock=Lock("GOVERNANCE", NOW)), locks)


@pytest.mark.parametrize("plan", [SealPlan("s3://other-bucket/"), SealPlan(PLAN.to, timedelta(days=90))])
def test_what_is_applied_keeps_its_seal_whatever_the_rule_says_later(plan: SealPlan) -> None:
    held, unsealed = sealed_request(State.APPLIED), a_request(State.APPLIED)

    assert not awaits_seal(held, a_rule(seal=plan))
    assert awaits_seal(unsealed, a_rule(seal=plan))


def test_a_seal_is_recorded_once_and_again_when_it_is_another() -> None:
    request = sealed_request()
    later = NOW + timedelta(hours=1)

    assert sealed(request, a_place(), OBJECTS, None, later) == []
    (again,) = sealed(request, a_place(), OBJECTS, Lock("GOVERNANCE", later), later)
    assert isinstance(again, VersionSealed)
    assert sealed(a_request(State.REJECTED), a_place(), OBJECTS, None, NOW) == []


def test_a_hindrance_is_recorded_once_for_each_reason_and_a_seal_ends_it() -> None:
    request = a_request(State.APPROVED)
    (event,) = hinder(request, "no bucket", NOW)
    assert isinstance(event, SealHindered)
    hindered = evolve(request, event)

    assert hinder(hindered, "no bucket", NOW) == []
    assert len(hinder(hindered, "no permission", NOW)) == 1
    assert hinder(a_request(), "no bucket", NOW) == []
    (made,) = sealed(hindered, a_place(), OBJECTS, None, NOW)
    assert evolve(hindered, made).sealing.hindered == ""


QUESTION = GateQuery(a_version(), CHAMPION)
ALLOWED = GateResult(True, (), "models:/bike-demand/7", CHAMPION, FILES)


def test_what_is_approved_under_a_rule_that_seals_is_denied_until_it_is_sealed_there() -> None:
    waiting = sealed_as_demanded(QUESTION, ALLOWED, PLAN.to, None)
    elsewhere = sealed_as_demanded(QUESTION, ALLOWED, "s3://other-bucket/", a_place())
    there = sealed_as_demanded(QUESTION, ALLOWED, PLAN.to, a_place())

    for denied in (waiting, elsewhere):
        assert (denied.allowed, [reason.why for reason in denied.reasons]) == (False, [ReasonCode.NOT_SEALED])
    assert (there.allowed, there.sealed) == (True, a_place())


def test_a_seal_allows_nothing_that_is_denied() -> None:
    denied = replace(ALLOWED, allowed=False)

    assert sealed_as_demanded(QUESTION, denied, PLAN.to, a_place()) == denied


def test_what_is_sealed_is_read_there_also_when_the_signed_rule_did_not_seal_yet() -> None:
    assert sealed_as_demanded(QUESTION, ALLOWED, "", a_place()).sealed == a_place()
    assert sealed_as_demanded(QUESTION, ALLOWED, "", None) == ALLOWED
