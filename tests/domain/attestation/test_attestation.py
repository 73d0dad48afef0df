"""The exact content of the statements: a person who verifies one years later has nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attestation.decision import (
    STATEMENT_LIMIT,
    evidence_digest,
    of_decision,
    of_vote,
    payload_of,
    tag_of,
    tag_prefix,
    verdict_of,
)
from bot.domain.attestation.vote_statement import says_all
from bot.domain.ledger.chain import as_plain
from bot.domain.model import (
    DECISION,
    VOTE,
    Artifacts,
    DecidedBy,
    LineageCheck,
    Metric,
    SignedBy,
    State,
    Target,
    TargetKind,
    TransitionRequest,
    Verdict,
)
from bot.domain.policy.rules import Rule
from tests.builders import (
    CARD,
    CHAMPION,
    LATER,
    NOON,
    RULE_HASH,
    TICKET,
    a_champion,
    a_judgement,
    a_metric,
    a_rejection,
    a_request,
    a_rule,
    a_vote,
    an_evidence,
)
from tests.strategies import evidences, requests, rules

NAMES = {"ana": "Ana Ruiz", "bea": "Bea Baker", "cy": "Cy Lindqvist"}
FILES = Artifacts("sha256:" + "ab" * 32, 3, 1234)


def approved(state: State = State.APPROVED, **changes: Any) -> TransitionRequest:
    votes = (a_vote("cy", reason="good on rain"),)
    usual = {"decided_by": DecidedBy.PEOPLE, "votes": votes, "card": CARD, "ticket": TICKET}
    return a_request(state, **(usual | changes))


def said(statement: object) -> dict[str, Any]:
    read = json.loads(payload_of(statement))  # type: ignore[arg-type]
    assert isinstance(read, dict)
    return read


def test_a_decision_names_version_target_verdict_and_who_decided_it_with_their_reasons() -> None:
    statement = said(of_decision(approved(), a_rule(), NAMES))

    predicate = statement["predicate"]
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "urn:countersign:approval:v1",
    )
    assert predicate["version"] == {
        "workspace": "default",
        "name": "bike-demand",
        "version": 7,
        "created": NOON.isoformat(),
    }
    assert (predicate["about"], predicate["target"], predicate["verdict"]) == (DECISION, "alias:champion", "approve")
    assert predicate["decidedBy"] == "people"
    (approver,) = predicate["approvers"]
    told = (approver["id"], approver["name"], approver["for"], approver["reason"], approver["at"])
    assert told == ("cy", "Cy Lindqvist", "leads", "good on rain", LATER.isoformat())
    assert predicate["rule"] == {"label": "bike-* → alias:champion", "hash": RULE_HASH}
    assert predicate["message"]["ts"] == CARD.message
    assert (predicate["requester"]["name"], predicate["author"]["name"]) == ("Ana Ruiz", "Bea Baker")
    assert predicate["ticket"] == "GOV-7"


def test_a_vote_names_the_person_the_reason_and_the_message_where_the_button_was_pressed() -> None:
    vote = a_rejection("cy")

    predicate = said(of_vote(approved(votes=(vote,)), vote, a_rule(), NAMES))["predicate"]

    assert (predicate["about"], predicate["verdict"], predicate["reason"]) == (VOTE, "reject", "worse on rainy days")
    assert (predicate["person"]["name"], predicate["at"]) == ("Cy Lindqvist", LATER.isoformat())
    assert predicate["message"] == {"team": "T1", "channel": "C1", "ts": CARD.message, "url": CARD.url}
    assert "decidedBy" not in predicate


def test_the_subjects_are_the_identity_and_the_files() -> None:
    (alone,) = said(of_decision(approved(evidence=an_evidence(artifacts=None)), a_rule(), NAMES))["subject"]
    both = said(of_decision(approved(evidence=an_evidence(artifacts=FILES)), a_rule(), NAMES))["subject"]

    identity = {"workspace": "default", "name": "bike-demand", "version": 7, "created": NOON.isoformat()}
    assert alone == {
        "name": "models:/bike-demand/7",
        "digest": {"sha256": hashlib.sha256(rfc8785.dumps(identity)).hexdigest()},
    }
    assert both == [alone, {"name": "artifacts", "digest": {"sha256": "ab" * 32}}]


def test_a_vote_names_account_address_meaning_rule_and_the_signed_request() -> None:
    vote = a_vote("cy", team="T1", account="U0CY", signed_request="sha256:ab", signed_by=SignedBy.NOTIFIER)

    predicate = said(of_vote(approved(votes=(vote,)), vote, a_rule(), NAMES, {"cy": "cy@example.com"}))["predicate"]

    assert predicate["person"] == {"id": "cy", "name": "Cy Lindqvist", "email": "cy@example.com"}
    assert predicate["account"] == {"team": "T1", "id": "U0CY"}
    assert predicate["meaning"].startswith("I approve that bike-demand v7 takes alias:champion")
    assert predicate["rule"]["hash"] == RULE_HASH
    assert predicate["signedRequest"] == {"digest": "sha256:ab", "by": "notifier"}


def test_a_vote_names_the_people_whom_its_voter_stood_in_for() -> None:
    alone, for_another = a_vote("cy"), a_vote("cy", standing_in_for=("bea",))

    mine, theirs = (said(of_vote(approved(), vote, a_rule(), NAMES))["predicate"] for vote in (alone, for_another))

    assert theirs["standingInFor"] == [{"id": "bea", "name": "Bea Baker", "email": ""}]
    statement = said(of_vote(approved(), for_another, a_rule(), NAMES))
    assert says_all(statement, approved(), for_another, a_rule())
    assert not says_all(statement, approved(), alone, a_rule())
    assert "standingInFor" not in mine  # the bytes of statements without stand-ins stay what they were


@pytest.mark.parametrize(
    ("signed_by", "said_of_it"),
    [(SignedBy.BOT, "the bot itself sealed"), ("", None)],
    ids=["over a socket", "in an older release"],
)
def test_a_vote_without_the_notifiers_signature_says_what_is_missing(signed_by: str, said_of_it: str | None) -> None:
    vote = a_vote("cy", signed_request="sha256:ab" if signed_by else "", signed_by=signed_by)

    signed = said(of_vote(approved(votes=(vote,)), vote, a_rule(), NAMES))["predicate"]["signedRequest"]

    assert signed is None if said_of_it is None else said_of_it in signed["missing"]


def test_a_rejection_names_who_rejected_and_not_who_approved_before() -> None:
    votes = (a_vote("ana", at=NOON), a_rejection("cy"))
    request = approved(state=State.REJECTED, votes=votes, outcome="worse on rainy days")

    predicate = said(of_decision(request, a_rule({"leads": 2}), NAMES))["predicate"]

    assert (predicate["verdict"], predicate["reason"]) == ("reject", "worse on rainy days")
    assert [one["id"] for one in predicate["approvers"]] == ["cy"]


def test_votes_under_another_rule_are_not_among_the_approvers() -> None:
    votes = (a_vote("ana", rule_hash="sha256:old"), a_vote("cy"))

    predicate = said(of_decision(approved(votes=votes), a_rule(), NAMES))["predicate"]

    assert [one["id"] for one in predicate["approvers"]] == ["cy"]


def test_what_the_fast_track_decided_carries_its_checks_and_no_approver() -> None:
    request = approved(decided_by=DecidedBy.FAST_TRACK, votes=(), judgement=a_judgement())

    predicate = said(of_decision(request, a_rule(), NAMES))["predicate"]

    assert (predicate["decidedBy"], predicate["approvers"], predicate["message"]) == ("fast_track", [], None)
    assert predicate["checks"] == ["mae 31.5 is at most 40"]


def test_an_approval_that_went_stale_was_an_approval_and_its_end_is_no_reason_for_it() -> None:
    predicate = said(of_decision(approved(state=State.STALE, outcome="somebody moved it"), a_rule(), NAMES))[
        "predicate"
    ]

    assert (predicate["verdict"], predicate["reason"]) == ("approve", "")


@pytest.mark.parametrize("state", [State.COLLECTING, State.PENDING, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED])
def test_without_a_decision_there_is_no_verdict(state: State) -> None:
    assert verdict_of(a_request(state)) is None


def test_the_evidence_is_told_and_bound_by_its_digest() -> None:
    evidence = an_evidence(
        artifacts=FILES,
        champion=a_champion(a_metric(value=40.0)),
        lineage=(LineageCheck("L04", False, "dirty"), LineageCheck("L05", True, "there")),
        vouched_by="git mirror",
        lock_sha256="cd" * 32,
        data_md5=f"{'e' * 32}  data/raw.csv",
        metrics=(a_metric(), Metric("r2", float("nan"), "run")),
    )

    told = said(of_decision(approved(evidence=evidence), a_rule(), NAMES))["predicate"]["evidence"]

    assert told["digest"] == "sha256:" + hashlib.sha256(rfc8785.dumps(as_plain(evidence))).hexdigest()
    assert (told["lineage"], told["vouchedBy"], told["params"]) == (["L04"], "git mirror", {"depth": "6"})
    assert (told["lockSha256"], told["dataMd5"]) == ("cd" * 32, f"{'e' * 32}  data/raw.csv")
    assert told["metrics"][0] == {"name": "mae", "value": 31.5, "source": "run", "dataset": None}
    assert told["metrics"][1]["value"] == "nan"
    assert told["champion"]["version"]["version"] == 5
    assert told["artifacts"] == {"digest": FILES.digest, "files": 3, "size": 1234}


def test_figures_that_are_too_many_are_left_out_and_the_digest_still_binds_them() -> None:
    evidence = an_evidence(params={f"p{number}": "x" * 500 for number in range(1000)})

    payload = payload_of(of_decision(approved(evidence=evidence), a_rule(), NAMES))

    told = json.loads(payload)["predicate"]["evidence"]
    assert len(payload) <= STATEMENT_LIMIT
    assert (told["params"], told["metrics"]) == ({}, [])
    assert told["leftOut"] == ["metrics", "params", "datasets", "signature"]
    assert told["digest"] == evidence_digest(evidence)


@given(requests(), rules())
def test_every_request_can_be_stated_and_always_with_the_same_bytes(request: TransitionRequest, rule: Rule) -> None:
    decided = replace(request, state=State.APPROVED)

    statements = [of_decision(decided, rule, NAMES), *(of_vote(request, vote, rule, NAMES) for vote in request.votes)]

    for statement in statements:
        assert payload_of(statement) == payload_of(json.loads(payload_of(statement), parse_int=float))


@given(evidences, evidences)
def test_two_evidences_have_one_digest_only_when_they_are_equal(one: Any, other: Any) -> None:
    assert (evidence_digest(one) == evidence_digest(other)) == (as_plain(one) == as_plain(other))


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_every_target_has_a_tag_that_mlflow_takes_and_no_two_share_one(one: str, other: str) -> None:
    targets = [Target(TargetKind.MODEL, name) for name in (one, other)]

    tags = [tag_of(target, VOTE, "c0ffee" * 5) for target in targets]

    assert all(len(tag) <= 250 and not set(tag) & set(':/"(){}') for tag in tags)
    assert (tags[0] == tags[1]) == (one == other)


def test_tags_tell_targets_and_people_apart() -> None:
    assert tag_prefix(CHAMPION) == "countersign.attestation.alias.champion."
    assert tag_of(CHAMPION, DECISION, "") == "countersign.attestation.alias.champion.decision"
    assert tag_of(CHAMPION, VOTE, "0123456789abcdef") == "countersign.attestation.alias.champion.0123456789ab"
    assert verdict_of(a_request(State.APPLIED)) is Verdict.APPROVE
