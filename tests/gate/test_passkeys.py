"""The gate, offline, demands the person's own signature where the decision rests on one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.attestation import decision as attestation
from bot.domain.attestation.gate import GateQuery, GateResult, ReasonCode
from bot.domain.model import VOTE, State, Vote
from bot.gate.offline import judge_tags, judge_verdicts
from bot.passkeys import assertion_options, read_assertion, relying_party, signed_by
from bot.signatures import trusted_key
from tests.builders import CHAMPION, a_request, a_rule, a_version, a_vote
from tests.fixtures.passkeys import SITE, SoftPasskey, as_said_in_the_envelope
from tests.gate.approvals import NAMES, SIGNER, Shelf, gate, signed, tag_of, verdict

PASSKEY, PARTY = SoftPasskey(), relying_party(SITE)
NOW = datetime(2026, 3, 3, tzinfo=UTC)
VOTES_TAG = attestation.tag_of(CHAMPION, VOTE, "cy")
RING = {SIGNER.key.id: trusted_key(SIGNER.key.pem)}


class Approved:
    """A version that Cy has approved with a passkey, as the bot signs it; tests put other envelopes in its place."""

    def __init__(self, **version: object) -> None:
        self.request = a_request(version=replace(a_version(), **version))  # type: ignore[arg-type]
        self.pressed = a_vote("cy")
        self.statement = attestation.of_vote(self.request, self.pressed, a_rule(), NAMES)
        payload = attestation.payload_of(self.statement)
        sent = PASSKEY.sign(assertion_options(payload, [PASSKEY.credential], PARTY))
        self.vote = replace(self.pressed, passkey=read_assertion(sent, payload))
        assert self.vote.passkey is not None
        self.block = as_said_in_the_envelope(signed_by(self.vote.passkey, PASSKEY.public_key, PARTY))

    def decision(self, *votes: Vote) -> str:
        decided = replace(self.request, state=State.APPROVED, decided_at=NOW, votes=votes or (self.vote,))
        return signed(attestation.of_decision(decided, a_rule(), NAMES))

    def signed_vote(self, **block: str) -> str:
        return signed(attestation.with_passkey(self.statement, self.block | block))

    def asked(self, vote: str | None, decision: str = "") -> GateResult:
        tags = {tag_of(): decision or self.decision()} | ({VOTES_TAG: vote} if vote else {})
        return judge_tags(GateQuery(self.request.version, CHAMPION), tags, RING, NOW, None)


def codes(result: GateResult) -> list[ReasonCode]:
    return [reason.why for reason in result.reasons]


def test_with_the_vote_and_its_signature_the_version_may_ship() -> None:
    approved = Approved()

    result = approved.asked(approved.signed_vote())

    assert result.allowed, result.reasons


def test_without_the_vote_it_may_not() -> None:
    result = Approved().asked(None)

    assert codes(result) == [ReasonCode.NO_PASSKEY]
    assert "counts the vote of Cy Lindqvist as signed with a passkey" in result.reasons[0].sentence


@pytest.mark.parametrize("part", ["publicKey", "clientDataJSON", "authenticatorData", "signature", "rpId", "origin"])
def test_a_signature_with_another_part_denies_and_says_why(part: str) -> None:
    """Under the decision that the worker signed, which names the passkey and the digest of what it signed."""
    approved, other = Approved(), Approved(version=9)
    others = other.block | {"rpId": "evil.example.com", "origin": "https://evil.example.com"}
    others["publicKey"] = SoftPasskey().public_key
    others["authenticatorData"] = SoftPasskey("evil.example.com").sign({"challenge": "AA"})["authenticatorData"]

    result = approved.asked(approved.signed_vote(**{part: others[part]}))

    assert codes(result) == [ReasonCode.NO_PASSKEY, ReasonCode.NOT_VERIFIED]


def test_the_signature_of_another_passkey_than_the_decision_names_does_not_count() -> None:
    approved = Approved()

    result = approved.asked(approved.signed_vote(credential=SoftPasskey().credential))

    assert codes(result) == [ReasonCode.NO_PASSKEY]


@pytest.mark.parametrize("max_age", [None, timedelta(hours=24), timedelta(days=9999)])
def test_a_verdict_of_the_bot_does_not_replace_the_signature_of_a_person(max_age: timedelta | None) -> None:
    """Neither for a decision that is older than --max-age allows, nor while the bot is down."""
    approved, now = Approved(), datetime.now(UTC)
    tags = {tag_of(): approved.decision(), "countersign.verdict.x": verdict(approved.request.version)}
    question = GateQuery(approved.request.version, CHAMPION)

    alone = [judge(question, tags, RING, now, max_age) for judge in (judge_tags, judge_verdicts)]
    tags[VOTES_TAG] = approved.signed_vote()
    whole = [judge(question, tags, RING, now, max_age) for judge in (judge_tags, judge_verdicts)]

    assert [codes(result) for result in alone] == [[ReasonCode.NO_PASSKEY]] * 2
    assert [result.allowed for result in whole] == [True, True]


def test_a_decision_that_names_fewer_passkeys_than_its_rule_took_denies() -> None:
    approved = Approved()
    rule = a_rule(approve=replace(a_rule().approve, passkey=True))
    decided = replace(approved.request, state=State.APPROVED, decided_at=NOW, votes=(approved.vote,))
    statement = json.loads(attestation.payload_of(attestation.of_decision(decided, rule, NAMES)))
    assert statement["predicate"]["passkeysRequired"] == 1
    good = approved.asked(approved.signed_vote(), signed(statement))

    del statement["predicate"]["approvers"][0]["passkey"]
    result = approved.asked(approved.signed_vote(), signed(statement))

    assert good.allowed, good.reasons
    assert codes(result) == [ReasonCode.NO_PASSKEY]
    assert "needs approvals with a passkey: 1. The decision names 0." in result.reasons[0].sentence


def test_a_vote_that_was_only_pressed_is_not_the_one_that_was_signed() -> None:
    approved = Approved()

    result = approved.asked(signed(approved.statement))

    assert codes(result) == [ReasonCode.NO_PASSKEY]


def test_the_signature_on_another_version_does_not_count() -> None:
    result = Approved().asked(Approved(version=9).signed_vote())

    assert codes(result) == [ReasonCode.NO_PASSKEY]


def test_a_decision_without_passkeys_needs_none() -> None:
    approved = Approved()

    result = approved.asked(None, approved.decision(approved.pressed))

    assert result.allowed


def test_the_command_denies_and_names_what_is_missing(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    approved = Approved(model=version.model, version=version.version, created=version.created)
    shelf.put(version, approved.decision())

    alone = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)
    shelf.put(version, approved.signed_vote(), VOTES_TAG)
    whole = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert (alone.code, whole.code) == (1, 0), alone.err + whole.err
    assert "signed with a passkey" in alone.err
