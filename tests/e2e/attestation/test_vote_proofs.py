"""A vote is signed only if the notifier's signed request proves it. Whoever can write to the database alone moves nothing."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from bot.domain.events import (
    ApprovalCalledOff,
    DecisionSigned,
    OldRecordsListed,
    VoteCast,
    VoteRefused,
    VoteSigned,
)
from bot.domain.model import DECISION, State, TransitionRequest, Verdict, Vote
from bot.domain.request import lifecycle
from bot.store.transaction import Transaction
from handlers.attestation.proven import USED_TWICE
from handlers.attestation.vote_proofs import CHANGED, NO_REQUEST, NOT_THEIRS, why_unproven
from handlers.ledger.old_records import list_old_records
from tests.fixtures.installation import Installation


def write_a_vote(installation: Installation, request: TransitionRequest, **changes: object) -> None:
    """What a person with the database's password does: rows and entries, without a key and without Slack."""
    with installation.s.store.transaction() as tx:
        _vote(installation, request, tx, changes)


def _vote(installation: Installation, request: TransitionRequest, tx: Transaction, changes: dict[str, object]) -> None:
    ana = tx.people.get_or_add("ana@example.com", "Ana Ruiz")
    locked = tx.requests.get(request.id, for_update=True)
    rule = tx.policy().rule_for("default", installation.model, request.target)
    assert rule is not None
    now = installation.clock.now()
    vote = Vote(ana.id, Verdict.APPROVE, "looks great", now, ("ml-leads",), "card", team="T", account="U0ANA000001")
    tx.record(lifecycle.cast_vote(locked, replace(vote, **changes), rule, tx.policy().rule_hash(rule)))  # type: ignore[arg-type]


def test_a_vote_that_only_the_database_has_is_refused_recorded_and_announced(installation: Installation) -> None:
    request = installation.asked()

    write_a_vote(installation, request)
    installation.settle()

    now = installation.reread(request)
    assert (now.state, installation.champion()) == (State.CALLED_OFF, None)
    assert installation.happened(VoteRefused, VoteSigned, ApprovalCalledOff) == ["VoteRefused", "ApprovalCalledOff"]
    (refused,) = now.refused_votes
    assert "no signed request" in refused.reason
    thread = "\n".join(message.all_text for message in installation.cards())
    assert "A vote was refused" in thread
    assert "Ana Ruiz" in thread
    fresh = installation.request(request.version.version)
    assert (fresh.follows, fresh.state) == (request.id, State.PENDING)
    assert not installation.unfinished()


def test_a_vote_that_says_something_else_than_the_signed_request_is_not_proven(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    request = installation.reread(request)
    (vote,) = request.votes

    with installation.s.store.transaction() as tx:
        ben = tx.people.get_or_add("ben@example.com", "Ben Okafor")

        def why(**changes: object) -> str:
            return why_unproven(request, replace(vote, **changes), tx, installation.s)  # type: ignore[arg-type]

        assert why() == ""
        assert why(person=ben.id) == CHANGED
        assert why(verdict=Verdict.REJECT) == CHANGED
        assert why(reason="added later") == CHANGED
        assert why(groups=("ml-leads", "risk")) == CHANGED
        assert why(groups=()) == ""  # a stand-in's vote may be voided
        assert why(account="U0BEN000002") == CHANGED
        assert why(signed_request="sha256:" + "0" * 64) == NO_REQUEST
        assert why(signed_request="") == NO_REQUEST
        assert why_unproven(replace(request, id="other"), vote, tx, installation.s) == CHANGED

    installation.settle()
    assert installation.champion() == request.version.version


def test_one_signed_request_makes_one_vote(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    (vote,) = installation.reread(request).votes

    with installation.s.store.transaction() as tx:
        tx.record([VoteCast(vote.at, request.id, vote)])
    installation.settle()

    assert [one.reason for one in installation.reread(request).refused_votes] == [USED_TWICE]


def test_an_account_that_only_the_tables_give_to_a_person_votes_for_nobody(installation: Installation) -> None:
    request = installation.asked()
    installation.forget_what_slack_said()
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("update people set account = null where email = 'ana@example.com'"))
        connection.execute(sa.text("update people set account = null where email = 'ben@example.com'"))
        connection.execute(sa.text("update people set account = 'U0BEN000002' where email = 'ana@example.com'"))

    installation.approve(request, "ben")

    (refused,) = installation.reread(request).refused_votes
    assert (refused.reason, installation.champion()) == (NOT_THEIRS, None)


def test_a_decision_that_only_the_database_calls_signed_moves_nothing(installation: Installation) -> None:
    request = installation.asked()

    write_a_vote(installation, request)
    with installation.s.store.transaction() as tx:
        tx.record([DecisionSigned(installation.clock.now(), request.id, DECISION, "", "0" * 64, "sha256:0")])
    installation.settle()

    assert (installation.reread(request).state, installation.champion()) == (State.CALLED_OFF, None)


def test_what_an_older_release_left_counts_once_it_is_listed_and_no_later_list_does(installation: Installation) -> None:
    request = installation.asked()
    write_a_vote(installation, request)
    list_old_records(installation.s)
    list_old_records(installation.s)
    listed = installation.entries(OldRecordsListed)

    installation.settle()

    assert [[one["request_id"] for one in entry["votes"]] for entry in listed] == [[request.id]]
    assert installation.reread(request).state is State.APPLIED
