"""Someone writes to the database as they like: entries of passkeys and votes, and the text that a passkey has signed.

Without Slack's signature and the person's own passkey, none of it is signed, counted or shipped. Their own passkey is enrolled as Ana's and
confirmed as Ben's doing, so that nothing but the vote itself is wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from bot.assertions import challenge_of
from bot.domain.attestation.in_toto import identity_digest, uri_of
from bot.domain.events import RequestApproved, VoteCast, VoteRefused
from bot.domain.model import DECISION, VOTE, State, TransitionRequest, Vote
from bot.errors import Permanent
from bot.passkeys import read_assertion
from bot.ports import Click
from bot.signatures import payload_of as inside
from bot.store.passkeys import PendingVote
from handlers.attestation import passkey_proofs as proofs
from handlers.attestation.proven import check_may_be_carried_out
from handlers.attestation.signing import sign
from handlers.attestation.vote_proofs import NO_REQUEST
from handlers.request import confirming
from tests.fixtures.installation import Installation
from tests.fixtures.passkeys import SITE, SoftPasskey, enrolled

BY_PASSKEY = "[{group: ml-leads, quorum: 1, passkey: required}]"
CLICK = Click("T", "A", "C", "1.0", "U0ANA000001", "approve", "", "")
Open = Callable[..., Installation]


def opened(open_installation: Open, **policy: object) -> Installation:
    installation = open_installation(public_url=SITE, **policy)
    installation.sweep()
    return installation


def signed_text(passkey: SoftPasskey, vote: Vote, text: str) -> Vote:
    """The vote as if it had been signed with this passkey, over this text."""
    sent = passkey.sign({"challenge": challenge_of(text.encode())})
    return replace(vote, passkey=read_assertion(sent, text.encode()))


def written(installation: Installation, request: TransitionRequest, vote: Vote, text: str) -> None:
    """The row of the text, and the entry of the vote."""
    now = installation.clock.now()
    id_ = hashlib.sha256(text.encode()).hexdigest()[:32]
    with installation.s.store.transaction() as tx:
        tx.passkeys.keep_pending(PendingVote(id_, request.id, vote, CLICK, text, now, now, now))
        tx.record([VoteCast(now, request.id, vote)])


def statement_of(installation: Installation, request: TransitionRequest, about: str) -> dict[str, Any]:
    with installation.s.store.transaction() as tx:
        envelope = next(one.envelope for one in tx.attestations.of(request.id) if one.about == about)
    read: dict[str, Any] = json.loads(inside(envelope))
    return read


def digests(installation: Installation, request: TransitionRequest) -> list[str]:
    with installation.s.store.transaction() as tx:
        return [one.digest for one in tx.attestations.of(request.id)]


def test_a_text_that_only_a_row_holds_is_not_signed_after_the_decision_either(open_installation: Open) -> None:
    """Such as the decision about a version that no one approved, which the gate would believe. The rule wants no passkeys at all."""
    installation = opened(open_installation)
    request = installation.promoted()
    thief, other = enrolled(installation, "ana", "ben"), replace(request.version, version=2)
    decision, vote = (statement_of(installation, request, about) for about in (DECISION, VOTE))
    decision["predicate"]["version"]["version"] = 2
    decision["subject"][0] = {"name": uri_of(other), "digest": {"sha256": identity_digest(other)}}
    before = digests(installation, request)

    for statement in (decision, vote):
        text = rfc8785.dumps(statement).decode()
        forged = signed_text(thief, replace(request.votes[0], at=installation.clock.now(), signed_request=""), text)
        written(installation, request, forged, text)
        with installation.s.store.transaction() as tx, pytest.raises(Permanent, match="Nothing is signed"):
            proofs.statement_with_passkey(request, forged, tx, installation.s)
        sign(request.id, installation.s)

    now = installation.reread(request)
    assert (digests(installation, request), now.votes, now.state) == (before, request.votes, State.APPLIED)
    assert [refused.reason for refused in now.refused_votes] == [NO_REQUEST] * 2


def test_a_vote_that_was_signed_under_another_rule_proves_none_under_the_one_that_wants_a_passkey(
    open_installation: Open,
) -> None:
    installation = opened(open_installation, all_of="[{group: ml-leads, quorum: 2}]")
    request = installation.asked()
    installation.click("ana", request, "approve")
    installation.settle()
    installation.use_policy(all_of=BY_PASSKEY)
    installation.settle()
    (pressed,) = installation.reread(request).votes
    text = rfc8785.dumps(statement_of(installation, request, VOTE)).decode()
    rule_hash = rule_in_force(installation, request)

    forged = signed_text(enrolled(installation, "ana", "ben"), replace(pressed, rule_hash=rule_hash), text)
    written(installation, request, forged, text)
    with installation.s.store.transaction() as tx:
        tx.record([RequestApproved(installation.clock.now(), request.id, (forged.person,), rule_hash)])
    installation.settle()

    now = installation.reread(request)
    assert (now.state, installation.champion()) == (State.CALLED_OFF, None)
    assert installation.happened(VoteRefused) == ["VoteRefused"]


def test_a_decision_that_was_signed_under_another_rule_proves_none_under_the_one_that_wants_a_passkey(
    open_installation: Open,
) -> None:
    """The person's real vote is taken off with an entry, so that as many votes are signed as there are."""
    installation = opened(open_installation)
    request = installation.promoted()
    text = rfc8785.dumps(statement_of(installation, request, VOTE)).decode()
    installation.use_policy(all_of=BY_PASSKEY)
    rule_hash, now = rule_in_force(installation, request), installation.clock.now()
    (pressed,) = request.votes
    forged = signed_text(enrolled(installation, "ana", "ben"), replace(pressed, rule_hash=rule_hash, at=now), text)

    with installation.s.store.transaction() as tx:
        tx.record([VoteRefused(now, request.id, pressed.person, pressed.at, "it was not")])
    written(installation, request, forged, text)
    with installation.s.store.transaction() as tx:
        tx.record([RequestApproved(now, request.id, (forged.person,), rule_hash)])

    with pytest.raises(Permanent, match="the votes on record do not meet the rule"):
        check_may_be_carried_out(request.id, installation.s)


def rule_in_force(installation: Installation, request: TransitionRequest) -> str:
    """Its hash."""
    with installation.s.store.transaction() as tx:
        rule = tx.policy().rule_for("default", installation.model, request.target)
        assert rule is not None
        return tx.policy().rule_hash(rule)


def changed(statement: str, *path: str | int, to: object) -> str:
    said = json.loads(statement)
    place = said["predicate"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return rfc8785.dumps(said).decode()


def test_a_person_who_signed_something_else_than_the_bot_composes_has_not_cast_this_vote(
    open_installation: Open,
) -> None:
    """Even with their own passkey: the page showed other figures than those on record, and they signed what it showed."""
    installation = opened(open_installation, all_of=BY_PASSKEY)
    passkey = enrolled(installation, "ana", "ben")
    request = installation.asked()
    installation.click("ana", request, "approve")
    link = installation.told_privately("ana")
    pending = confirming.pending_vote(link.rpartition("/confirm/")[2].partition("?")[0], installation.s)
    text = pending.statement
    shown = {
        changed(text, "evidence", "metrics", 0, "value", to=0.0001),
        changed(text, "evidence", "run", to="another"),
        changed(text, "evidence", "leadsOut", to=["another"]),
        changed(text, "requester", to={"id": "another", "name": "Boss", "email": ""}),
        changed(text, "rule", "label", to="harmless"),
        changed(text, "about", to=DECISION),
        changed(text, "standingInFor", to=["another"]),
    }

    def why(text: str) -> str:
        vote = signed_text(passkey, pending.vote, text)
        written(installation, request, vote, text)
        with installation.s.store.transaction() as tx:
            return proofs.why_not_signed(request, vote, tx, installation.s)

    with installation.s.store.transaction() as tx:
        tx.passkeys.use(pending.id, installation.clock.now())
    assert {why(one) for one in shown} == {proofs.OTHER_STATEMENT}
    assert why(text) == ""  # so that the others were refused for what they say
