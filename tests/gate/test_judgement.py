"""The gate's decision with plain values: what a verified statement must say to count, and what short-lived verdicts are worth."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attestation.gate import GateQuery, ReasonCode, judge, original_of, read_claim
from bot.domain.attestation.vsa import Vsa, as_statement, read_vsa, vouched
from bot.domain.model import Target, VersionId
from bot.domain.registry.model_uri import ModelUri, source_of
from bot.domain.registry.snapshot import VersionSnapshot
from bot.errors import InvalidStatement, Refused
from bot.gate.uris import Wanted
from bot.signatures import payload_of
from tests.builders import CHAMPION, LATER, NOON, PRODUCTION, a_version
from tests.gate.approvals import approval

QUESTION = GateQuery(a_version(), CHAMPION)
DIGEST = "sha256:" + "ab" * 32
HOUR = timedelta(hours=1)


def statement(**choices: object) -> dict[str, object]:
    """Of an approval of bike-demand v7 for champion, given an hour after noon."""
    return json.loads(payload_of(approval(a_version(), at=LATER, artifacts=DIGEST, **choices)))  # type: ignore[arg-type, no-any-return]


def a_verdict(**changes: object) -> Vsa:
    usual = Vsa(a_version(), CHAMPION, True, DIGEST, "bike-*", "sha256:1", ("ab",), NOON, NOON + 24 * HOUR)
    return replace(usual, **changes)  # type: ignore[arg-type]


def seen(version: VersionId, run_id: str) -> VersionSnapshot:
    return VersionSnapshot(version, "None", {}, "models:/bike-demand/7", run_id, version.created)


def said_of(verdict: Vsa, question: GateQuery = QUESTION, **when: object) -> tuple[bool, ReasonCode]:
    vouching = read_vsa(as_statement(verdict), "The tag")  # type: ignore[arg-type]
    result = vouched(question, [vouching], now=LATER, **when)  # type: ignore[arg-type]
    return result.allowed, result.reasons[0].why


def test_the_answer_carries_the_digest_of_the_files_that_were_approved() -> None:
    result = judge(QUESTION, [read_claim(statement(), "The tag")], now=LATER)

    assert (result.allowed, result.artifacts, result.uri) == (True, DIGEST, "models:/bike-demand/7")


def test_an_approved_model_that_runs_files_of_another_place_is_denied() -> None:
    signed = statement()
    signed["predicate"]["evidence"]["leadsOut"] = ["MLmodel, code: /opt/code"]  # type: ignore[index]

    result = judge(QUESTION, [read_claim(signed, "The tag")], now=LATER)

    assert (result.allowed, result.reasons[0].why) == (False, ReasonCode.UNSAFE_PATH)
    assert "MLmodel, code: /opt/code" in result.reasons[0].sentence


def test_the_answer_says_what_the_approval_does_not_cover() -> None:
    signed = statement()
    signed["predicate"]["evidence"]["notCovered"] = ["gpt2 of the hub"]  # type: ignore[index]

    result = judge(QUESTION, [read_claim(signed, "The tag")], now=LATER)

    assert (result.allowed, result.reasons[1].why) == (True, ReasonCode.NOT_COVERED)
    assert result.reasons[1].sentence == "The approval does not cover gpt2 of the hub."


def test_an_approval_from_before_these_were_looked_for_still_counts() -> None:
    signed = statement()
    for name in ("leadsOut", "notCovered"):
        del signed["predicate"]["evidence"][name]  # type: ignore[attr-defined]

    result = judge(QUESTION, [read_claim(signed, "The tag")], now=LATER)

    assert (result.allowed, len(result.reasons)) == (True, 1)


def test_of_two_decisions_in_one_moment_the_rejection_counts() -> None:
    claims = [read_claim(statement(), "One"), read_claim(statement(rejected=True), "Two")]

    result = judge(QUESTION, claims, now=LATER)

    assert (result.allowed, result.reasons[0].why) == (False, ReasonCode.REJECTED)


def test_a_subject_that_is_not_the_version_spoken_of_counts_for_nothing() -> None:
    forged = statement()
    forged["subject"][0]["digest"]["sha256"] = "00" * 32  # type: ignore[index]

    result = judge(QUESTION, [read_claim(forged, "The tag")], now=LATER)

    assert [reason.why for reason in result.reasons] == [ReasonCode.NO_APPROVAL, ReasonCode.NOT_OURS]


@given(st.data())
def test_a_statement_without_one_of_its_parts_is_none_of_ours_and_nothing_worse(data: st.DataObject) -> None:
    broken = copy.deepcopy(statement())
    holder = data.draw(st.sampled_from([broken, broken["predicate"], broken["predicate"]["version"]]))  # type: ignore[index]
    part = data.draw(st.sampled_from(sorted(holder)))  # type: ignore[arg-type]
    holder[part] = data.draw(st.none() | st.integers() | st.lists(st.integers()) | st.just({}))  # type: ignore[index]

    try:
        claim = read_claim(broken, "The tag")
    except InvalidStatement:
        return
    result = judge(QUESTION, [claim], now=LATER)

    assert result.allowed == (claim == read_claim(statement(), "The tag"))


def test_a_copy_that_is_older_than_what_was_approved_was_made_of_something_else() -> None:
    target = Target.parse("model:prod.bike")
    claim = read_claim(json.loads(payload_of(approval(a_version(), str(target), at=LATER))), "The tag")
    young, old = a_version(1, "prod.bike", NOON + HOUR), a_version(1, "prod.bike", NOON - HOUR)

    assert judge(GateQuery(young, target, a_version()), [claim], now=LATER).allowed
    assert not judge(GateQuery(old, target, a_version()), [claim], now=LATER).allowed
    assert not judge(GateQuery(young, target, None), [claim], now=LATER).allowed


def test_what_has_the_originals_name_and_number_and_another_run_or_is_younger_is_not_the_original() -> None:
    copy = seen(a_version(1, "prod.bike", NOON + HOUR), "run-1")

    assert original_of(copy, seen(a_version(), "run-1")) == a_version()
    assert original_of(copy, seen(a_version(), "run-2")) is None
    assert original_of(copy, seen(a_version(created=NOON + 2 * HOUR), "run-1")) is None
    assert original_of(copy, None) is None


def test_a_fresh_verdict_vouches_for_its_own_version_and_target_alone() -> None:
    assert said_of(a_verdict()) == (True, ReasonCode.STILL_VOUCHED_FOR)
    assert said_of(a_verdict(target=PRODUCTION)) == (False, ReasonCode.NO_APPROVAL)
    assert said_of(a_verdict(version=a_version(6))) == (False, ReasonCode.NO_APPROVAL)
    assert said_of(a_verdict(version=a_version(7, created=LATER))) == (False, ReasonCode.NO_APPROVAL)


def test_a_verdict_that_has_expired_failed_or_grown_too_old_vouches_for_nothing() -> None:
    assert said_of(a_verdict(expires_at=LATER)) == (False, ReasonCode.TOO_OLD)
    assert said_of(a_verdict(passed=False)) == (False, ReasonCode.ROLLED_BACK)
    assert said_of(a_verdict(), max_age=timedelta(minutes=59)) == (False, ReasonCode.TOO_OLD)


def test_what_is_from_the_future_has_no_age_and_counts_as_too_old() -> None:
    """As after the clock of this machine was set back: it would otherwise count for longer than it says."""
    soon, later = LATER + timedelta(minutes=5), LATER + timedelta(minutes=6)
    approval, now = [read_claim(statement(), "The tag")], LATER - timedelta(minutes=6)
    at_any_age, of_a_day = (judge(QUESTION, approval, now=now, max_age=age) for age in (None, 24 * HOUR))

    assert said_of(a_verdict(made_at=soon)) == (True, ReasonCode.STILL_VOUCHED_FOR)
    assert said_of(a_verdict(made_at=later)) == (False, ReasonCode.TOO_OLD)
    assert at_any_age.allowed
    assert (of_a_day.allowed, of_a_day.reasons[0].why) == (False, ReasonCode.TOO_OLD)
    assert "in the future" in of_a_day.reasons[0].sentence


def test_of_several_verdicts_the_newest_counts() -> None:
    passed, failed = a_verdict(), a_verdict(passed=False, made_at=NOON + HOUR / 2)
    read = [read_vsa(as_statement(one), "The tag") for one in (failed, passed)]  # type: ignore[arg-type]

    assert not vouched(QUESTION, read, now=LATER).allowed


def test_a_verdict_is_a_verification_summary_as_slsa_has_it() -> None:
    """https://slsa.dev/spec/v1.1/verification_summary"""
    said = as_statement(a_verdict())

    assert said == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "models:/bike-demand/7", "digest": said["subject"][0]["digest"]},  # type: ignore[index, call-overload]
            {"name": "artifacts", "digest": {"sha256": "ab" * 32}},
        ],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {"id": "urn:countersign"},
            "timeVerified": "2026-03-02T12:00:00+00:00",
            "resourceUri": "models:/bike-demand/7?target=alias:champion",
            "policy": {"uri": "urn:countersign:rule:bike-%2A", "digest": {"sha256": "1"}},
            "inputAttestations": [{"uri": "urn:countersign:attestation", "digest": {"sha256": "ab"}}],
            "verificationResult": "PASSED",
            "verifiedLevels": ["COUNTERSIGN_APPROVED"],
            "urn:countersign:expires": "2026-03-03T12:00:00+00:00",
        },
    }


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("models:/bike/7", ("bike", 7)),
        ("models:/m-0123", None),
        ("s3://models/7", None),
        ("models:/bike/x", None),
        ("models://7", None),
        ("models:/m-0123?a/7", None),
        ("models:/bi\tke/7", None),
        ("models:/bike/7\n1", None),
        ("models:/bike/" + "7" * 5000, None),
    ],
)
def test_only_a_copys_source_names_a_version(source: str, origin: tuple[str, int] | None) -> None:
    assert source_of(source) == origin


@pytest.mark.parametrize(
    "text",
    [
        "models:/m-0123?a/7",
        "models:/bike?a@champion",
        "models:/bi\tke/7",
        "models:/bike\n/7",
        "models:/b\rike@champion",
    ],
)
def test_a_name_that_mlflows_client_reads_as_another_names_no_version(text: str) -> None:
    for read in (Wanted.parse, ModelUri.parse):
        with pytest.raises(Refused):
            read(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("models:/bike@champion", "alias:champion"),
        ("models:/bike/Production", "stage:Production"),
        ("models:/bike/staging", "stage:Staging"),
    ],
)
def test_an_alias_or_a_stage_is_its_own_target_unless_another_is_said(text: str, target: str) -> None:
    wanted = Wanted.parse(text)

    assert str(wanted.target(None)) == target
    assert str(wanted.target("model:prod.bike")) == "model:prod.bike"


@pytest.mark.parametrize(
    "other", [{"workspace": "eu/team-a"}, {"model": "taxi-demand"}, {"version": 8}, {"created": LATER}], ids=str
)
def test_an_approval_counts_for_no_version_that_is_another_in_one_thing_only(other: dict[str, Any]) -> None:
    claim = read_claim(statement(), "The tag")

    result = judge(GateQuery(replace(a_version(), **other), CHAMPION), [claim], now=LATER)

    assert not result.allowed
    assert next(reason.why for reason in result.reasons) is ReasonCode.NO_APPROVAL
