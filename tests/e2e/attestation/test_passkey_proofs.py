"""A vote by passkey is proven only by a passkey that was its person's, by the ledger's entries before the vote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from urllib.request import Request, urlopen

import pytest
import sqlalchemy as sa
from fido2 import cbor
from fido2.cose import CoseKey

from bot.domain.attestation.decision import payload_of
from bot.domain.events import PasskeyConfirmed, PasskeyRevoked, VoteRefused
from bot.domain.model import DECISION, VOTE, Assertion, State, TransitionRequest
from bot.domain.request import lifecycle
from bot.signatures import payload_of as inside
from bot.store.passkeys import PendingVote
from bot.store.record_checks import differences
from handlers.attestation import passkey_proofs as proofs
from handlers.attestation.vote_proofs import CHANGED, why_unproven
from handlers.ledger.audit import audit
from handlers.request import confirming
from tests.fixtures.installation import API_TOKEN, Installation
from tests.fixtures.passkeys import HOST, SITE, SoftPasskey, enrolled, raw
from tests.gate.approvals import gate

BY_PASSKEY = "[{group: ml-leads, quorum: 1, passkey: required}]"


@pytest.fixture
def demanding(open_installation: Callable[..., Installation]) -> Installation:
    installation = open_installation(public_url=SITE, all_of=BY_PASSKEY)
    installation.sweep()
    return installation


def confirmed(installation: Installation, passkey: SoftPasskey) -> TransitionRequest:
    """Asked for, pressed by Ana and signed by her passkey; no job has run since."""
    request = installation.asked()
    installation.click("ana", request, "approve")
    told = installation.told_privately("ana")
    pending = confirming.pending_vote(told.rpartition("/confirm/")[2].partition("?")[0], installation.s)
    options = confirming.options_for(pending, installation.s)
    confirming.confirm(pending.id, passkey.sign(options), installation.s)
    return installation.reread(request)


def envelope_of(installation: Installation, request: TransitionRequest, about: str) -> str:
    with installation.s.store.transaction() as tx:
        return next(one.envelope for one in tx.attestations.of(request.id) if one.about == about)


def test_the_envelope_has_the_statement_that_was_signed_and_others_verify_it(demanding: Installation) -> None:
    passkey = enrolled(demanding, "ana", "ben")
    request = confirmed(demanding, passkey)
    demanding.settle()

    statement = json.loads(inside(envelope_of(demanding, request, VOTE)))
    mine = statement["predicate"].pop("passkey")
    client, seen = raw(mine["clientDataJSON"]), raw(mine["authenticatorData"])
    key = CoseKey.parse(cbor.decode(raw(passkey.public_key)))

    assert (mine["publicKey"], mine["rpId"], mine["origin"]) == (passkey.public_key, HOST, SITE)
    assert raw(json.loads(client)["challenge"]) == hashlib.sha256(payload_of(statement)).digest()
    key.verify(seen + hashlib.sha256(client).digest(), raw(mine["signature"]))
    said = statement["predicate"]
    assert (said["meaning"], said["person"]["email"]) == (
        f"I approve that {request.version} takes alias:champion, on the evidence named here and under this rule.",
        "ana@example.com",
    )
    decided = json.loads(inside(envelope_of(demanding, request, DECISION)))["predicate"]["approvers"]
    assert decided[0]["passkey"]["credential"] == passkey.credential


def test_the_gate_asks_for_the_vote_beside_the_decision(demanding: Installation) -> None:
    request = confirmed(demanding, enrolled(demanding, "ana", "ben"))
    demanding.settle()
    key = demanding.settings.home / "approvals.pub"
    key.write_text(demanding.s.signer.key.pem)
    wanted = ("check", f"models:/{demanding.model}/1", "--target", "alias:champion", "--key", str(key))
    registry = demanding.settings.mlflow_tracking_uri
    with_the_bot = {"COUNTERSIGN_API_TOKEN": API_TOKEN}

    offline = gate(registry, *wanted)
    online = gate(registry, *wanted, "--bot", demanding.url, environ=with_the_bot)
    ask = Request(f"{demanding.url}/gate/{demanding.model}/1?target=alias:champion")
    ask.add_header("Authorization", f"Bearer {API_TOKEN}")
    with urlopen(ask) as answer:
        votes = json.load(answer)["votes"]
    (tag,) = [
        name
        for name in demanding.mlflow.get_model_version(demanding.model, "1").tags
        if request.votes[0].person[:12] in name
    ]
    demanding.mlflow.delete_model_version_tag(demanding.model, "1", tag)
    without = gate(registry, *wanted)

    assert (offline.code, online.code, without.code) == (0, 0, 1), offline.err + online.err + without.err
    assert votes == [envelope_of(demanding, request, VOTE)]
    assert "signed with a passkey" in without.err


def test_only_what_the_person_signed_with_a_passkey_that_counted_is_proven(demanding: Installation) -> None:
    request = confirmed(demanding, enrolled(demanding, "ana", "ben"))
    (vote,) = request.votes
    passkey = vote.passkey
    assert passkey is not None
    unconfirmed, bens = enrolled(demanding, "ana"), enrolled(demanding, "ben", "ana")

    with demanding.s.store.transaction() as tx:

        def why(assertion: Assertion | None, of: TransitionRequest = request) -> str:
            return proofs.why_not_signed(of, replace(vote, passkey=assertion), tx, demanding.s)

        assert why(passkey) == ""
        assert why_unproven(request, vote, tx, demanding.s) == ""
        assert why_unproven(request, replace(vote, passkey=None), tx, demanding.s) == CHANGED
        assert why(replace(passkey, statement="sha256:" + "0" * 64)) == proofs.NO_STATEMENT
        assert why(replace(passkey, credential=bens.credential)) == proofs.NOT_CAST
        assert (
            why(passkey, replace(request, votes=(), version=replace(request.version, version=9)))
            == proofs.OTHER_STATEMENT
        )
        keys = tx.passkeys.all()
        assert proofs.why_not_theirs(keys[bens.credential], vote) == proofs.NOT_THEIR_PASSKEY
        assert proofs.why_not_theirs(keys[unconfirmed.credential], vote) == proofs.NOT_CONFIRMED


def test_a_passkey_counts_by_the_place_of_the_vote_in_the_ledger(demanding: Installation) -> None:
    """Revoked afterwards, its votes stay; confirmed afterwards, they do not begin to count."""
    passkey = enrolled(demanding, "ana", "ben")
    request = confirmed(demanding, passkey)
    with demanding.s.store.transaction() as tx:
        lost = PasskeyRevoked(demanding.clock.now(), request.votes[0].person, passkey.credential, "", "lost")
        tx.record([lost])

    demanding.settle()

    assert demanding.reread(request).state is State.APPLIED
    assert audited(demanding) == []


def test_who_can_write_to_the_database_casts_no_vote_with_a_passkey_of_their_own(demanding: Installation) -> None:
    """Even with Ana's signed click: a passkey that is confirmed after the vote does not count for it."""
    thief = enrolled(demanding, "ana")
    request = demanding.asked()
    demanding.click("ana", request, "approve")  # refused, and a forged row and entry are made from it below
    with demanding.s.store.transaction() as tx:
        ana = tx.people.get_or_add("ana@example.com", "Ana Ruiz").id
        ben = tx.people.get_or_add("ben@example.com", "Ben Okafor").id
        tx.record([PasskeyConfirmed(demanding.clock.now(), ana, thief.credential, ben, "U0BEN000002", "T0")])
    demanding.click("ana", request, "approve")
    told = demanding.told_privately("ana")
    pending = confirming.pending_vote(told.rpartition("/confirm/")[2].partition("?")[0], demanding.s)
    assertion = thief.sign(confirming.options_for(pending, demanding.s))
    with demanding.s.store.transaction() as tx:
        tx.record([PasskeyRevoked(demanding.clock.now(), ana, thief.credential, "", "it was not Ana's")])
    forged = Assertion(
        assertion["id"],
        assertion["clientDataJSON"],
        assertion["authenticatorData"],
        assertion["signature"],
        "sha256:" + hashlib.sha256(pending.statement.encode()).hexdigest(),
    )
    _write_the_vote(demanding, request, pending, forged)

    demanding.settle()

    now = demanding.reread(request)
    assert (now.state, demanding.champion()) == (State.CALLED_OFF, None)
    assert [refused.reason for refused in now.refused_votes] == [proofs.REVOKED]
    assert demanding.happened(VoteRefused) == ["VoteRefused"]


def _write_the_vote(
    installation: Installation, request: TransitionRequest, pending: PendingVote, forged: Assertion
) -> None:
    """As `confirm` would, without its checks."""
    with installation.s.store.transaction() as tx:
        locked = tx.requests.get(request.id, for_update=True)
        rule = tx.policy().rule_for("default", installation.model, request.target)
        assert rule is not None
        vote = replace(pending.vote, passkey=forged)
        assert pending.click.signed is not None
        tx.signed_requests.keep(pending.click.signed, request.id, vote)
        tx.record(lifecycle.cast_vote(locked, vote, rule, vote.rule_hash))


def audited(installation: Installation) -> list[str]:
    with installation.s.store.engine.connect() as connection:
        return [one for one in differences(connection) if "proves nothing" in one]


def test_the_audit_verifies_the_passkeys_of_signed_votes_from_the_ledger(demanding: Installation) -> None:
    enrolled(demanding, "ben", "ana")
    request = confirmed(demanding, enrolled(demanding, "ana", "ben"))
    demanding.settle()
    audit(demanding.s.store.engine, read_policy=demanding.s.store.parse_policy)

    with demanding.s.store.engine.connect() as connection:
        connection.execute(sa.text("alter table ledger disable trigger all"))
        connection.execute(sa.text("update ledger set kind = kind || 'Gone' where kind = 'PasskeyConfirmed'"))
        said = [one for one in differences(connection) if "proves nothing" in one]
        connection.rollback()

    assert said == [
        f"the signed vote of person {request.votes[0].person} in request {request.id} proves nothing: "
        "its passkey was not confirmed by others before"
    ]
