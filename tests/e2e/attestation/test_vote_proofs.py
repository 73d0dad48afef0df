"""A vote is signed only if the notifier's signed request proves it. Someone who can only write to the database moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.clients.keys import make_key
from bot.clients.signers import read_signer
from bot.domain.events import (
    AccountUnbound,
    ApprovalCalledOff,
    DecisionReopened,
    DecisionSigned,
    OldRecordsListed,
    VoteCast,
    VoteRefused,
    VoteSigned,
)
from bot.domain.model import DECISION, Kind, State, Target, TransitionRequest, Verdict, Vote
from bot.domain.policy.changes import digest_of
from bot.domain.request import lifecycle
from bot.domain.request.proofs import refuse_vote
from bot.engine.rows import JobStatus
from bot.errors import Refused
from bot.metrics import Housekeeping
from bot.store.transaction import Transaction
from handlers.attestation.proven import UNKNOWN_RULE, USED_TWICE
from handlers.attestation.signing import register_key
from handlers.attestation.vote_proofs import (
    CHANGED,
    NO_REQUEST,
    NOT_THEIRS,
    OTHER_CLICK,
    OTHER_RULE,
    why_unproven,
)
from handlers.custody.own_keys import is_approval_believed
from handlers.ledger.old_records import list_old_records
from handlers.request.accounts import bind_by_hand, unbind_by_hand
from handlers.request.approvals import press
from tests.engine.test_pace import waits_for_a_lock
from tests.fixtures.installation import Installation
from tests.fixtures.workers import eventually


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
    thread = "\n".join(message.all_text for message in installation.thread(request))
    assert "A vote was refused" in thread
    assert "Ana Ruiz" in thread
    fresh = installation.request(request.version.version)
    assert (fresh.follows, fresh.state) == (request.id, State.PENDING)
    assert not installation.unfinished()
    scraped = {one.name: one for one in Housekeeping(installation.s.store, lambda tx: []).collect()}
    assert scraped["countersign_votes_refused"].samples[0].value == 1


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
        assert why(rule_hash="sha256:another") == OTHER_RULE
        assert why_unproven(replace(request, id="other"), vote, tx, installation.s) == CHANGED
        shown = shown_otherwise(request)
        assert [why_unproven(one, vote, tx, installation.s) for one in shown] == [OTHER_CLICK] * len(shown)

    installation.settle()
    assert installation.champion() == request.version.version


def shown_otherwise(request: TransitionRequest) -> list[TransitionRequest]:
    """The same request about something that its card did not show."""
    version, evidence = request.version, request.evidence
    assert evidence is not None
    return [
        replace(request, version=replace(version, version=9)),
        replace(request, version=replace(version, created=version.created + timedelta(days=1))),
        replace(request, target=Target.parse("alias:staging")),
        replace(request, evidence=replace(evidence, source="s3://elsewhere")),
        replace(request, evidence=replace(evidence, metrics=())),
    ]


@pytest.mark.proof
@pytest.mark.parametrize("number", range(5))
def test_a_request_whose_row_was_changed_is_not_signed_and_moves_nothing(
    installation: Installation, number: int
) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")

    with installation.s.store.transaction() as tx:
        tx.requests.update(shown_otherwise(tx.requests.get(request.id))[number])
    installation.settle()

    assert (installation.champion(), installation.happened(DecisionSigned)) == (None, [])
    parked = installation.s.store.jobs.listing(JobStatus.PARKED)
    assert any("was changed beside the ledger" in job.errors[-1].error for job in parked)


def test_a_card_that_does_not_show_what_the_vote_is_about_takes_no_vote_and_is_renewed(
    installation: Installation,
) -> None:
    request = installation.asked()

    installation.click("ana", request, "approve", value=request.id)  # as the buttons of 0.1.0 carry

    assert installation.reread(request).votes == ()
    assert "is from an earlier release" in installation.told_privately("ana")
    assert "sync_card" in [job.name for job in installation.s.store.jobs.listing(JobStatus.WAITING)]
    installation.approve(request)
    assert installation.champion() == request.version.version


def test_a_rejection_that_only_the_database_has_leaves_the_request_open(installation: Installation) -> None:
    request = installation.asked()

    write_a_vote(installation, request, verdict=Verdict.REJECT)
    installation.settle()

    reopened = installation.reread(request)
    assert (reopened.state, reopened.votes, len(reopened.refused_votes)) == (State.PENDING, (), 1)
    assert installation.happened(VoteRefused, DecisionReopened) == ["VoteRefused", "DecisionReopened"]
    installation.approve(request)
    assert installation.champion() == request.version.version
    assert not installation.unfinished()


@pytest.mark.parametrize("verdict", Verdict)
def test_a_vote_on_a_move_by_hand_that_only_the_database_has_leaves_the_question_open(
    installation: Installation, verdict: Verdict
) -> None:
    installation.promoted()
    version = installation.register()
    installation.move(version)
    observed = installation.request(version)

    write_a_vote(installation, observed, verdict=verdict)
    installation.settle()

    assert (installation.reread(observed).state, installation.champion()) == (State.PENDING, version)
    installation.reject(observed, "Not asked for.")
    assert (installation.reread(observed).state, installation.champion()) == (State.REJECTED, 1)


def test_a_policy_that_no_entry_puts_in_force_decides_nothing(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(quorum=2)
    installation.sweep()
    request = installation.asked()
    with installation.s.store.engine.begin() as connection:
        text = connection.execute(sa.text("select text from policies")).scalar_one().replace("quorum: 2", "quorum: 1")
        insert = "insert into policies (digest, source, text, activated_at) values (:digest, 'test', :text, now())"
        connection.execute(sa.text(insert), {"digest": digest_of(text), "text": text})

    installation.approve(request)  # the card shows another rule, and is renewed
    installation.approve(request)

    now = installation.reread(request)
    assert (now.state, installation.champion()) == (State.CALLED_OFF, None)
    assert UNKNOWN_RULE in now.outcome


def test_a_rollback_by_the_rule_alone_rests_on_no_key_that_only_the_tables_and_the_ledger_name(
    installation: Installation, tmp_path: Path
) -> None:
    first = installation.promoted()
    own = installation.s.signer
    make_key(tmp_path / "theirs.pem")

    installation.s = replace(installation.s, signer=read_signer(str(tmp_path / "theirs.pem")))
    register_key(installation.s)

    with installation.s.store.transaction() as tx:
        assert not is_approval_believed(first, tx, installation.s)
        named = replace(installation.s, earlier_keys=(own.key,))
        assert is_approval_believed(first, tx, named)
        assert is_approval_believed(first, tx, replace(named, signer=own))
        assert not is_approval_believed(replace(first, version=replace(first.version, version=9)), tx, named)


@pytest.mark.proof
@pytest.mark.parametrize("is_named", [False, True], ids=["unnamed", "named in the settings"])
def test_with_a_new_key_a_rollback_needs_votes_unless_the_earlier_key_is_named(
    installation: Installation, tmp_path: Path, *, is_named: bool
) -> None:
    installation.promoted()
    second = installation.promoted()
    earlier = (installation.s.signer.key,) if is_named else ()
    make_key(tmp_path / "another.pem")
    another = read_signer(str(tmp_path / "another.pem"))
    installation.s = replace(installation.s, signer=another, earlier_keys=earlier)

    installation.click("ana", second, "roll_back")
    installation.slack.submit_view("ana", {"reason": "drift"})
    installation.settle()

    (back,) = [one for one in installation.requests() if one.kind is Kind.ROLLBACK]
    assert back.state is (State.APPLIED if is_named else State.PENDING)
    assert installation.champion() == (1 if is_named else 2)
    assert ("not with a signature that this worker believes" in back.people_decide) is not is_named


def test_a_click_that_slack_sends_twice_makes_no_second_vote_when_the_first_was_refused(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(quorum=2)
    installation.sweep()
    request = installation.asked()
    installation.click("ana", request, "approve")
    (vote,) = installation.reread(request).votes
    with installation.s.store.transaction() as tx:
        kept = tx.signed_requests.find(vote.signed_request)
        tx.record(refuse_vote(tx.requests.get(request.id), vote, NO_REQUEST, installation.clock.now()))
    assert kept is not None

    with pytest.raises(Refused, match="this click has come before"):
        press(replace(installation.s.notifier.read_signed(kept.signed), signed=kept.signed), installation.s)

    assert installation.reread(request).votes == ()


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


def test_who_was_bound_while_the_clock_was_fast_votes_once_it_is_set_back(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation()
    installation.clock.ahead = timedelta(hours=1)
    installation.sweep()
    installation.clock.ahead = timedelta()

    installation.approve(installation.asked())

    assert installation.champion() == 1


@pytest.mark.parametrize("holder", [None, "ben@example.com"])
def test_who_was_unbound_while_the_clock_was_fast_votes_no_more_once_it_is_set_back(
    holder: str | None, installation: Installation
) -> None:
    """Whoever can write to the database binds the account again, without an entry."""
    request = installation.asked()
    installation.clock.ahead = timedelta(hours=1)
    unbind_by_hand("ana@example.com", "", installation.s)
    if holder:
        unbind_by_hand(holder, "", installation.s)
        bind_by_hand(holder, "U0ANA000001", "", installation.s)
    installation.clock.ahead = timedelta()
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("update people set account = null where email = 'ben@example.com'"))
        connection.execute(sa.text("update people set account = 'U0ANA000001' where email = 'ana@example.com'"))

    installation.approve(request)

    (refused,) = installation.reread(request).refused_votes
    assert (refused.reason, installation.champion()) == (NOT_THEIRS, None)


def test_whose_account_it_is_changes_only_after_the_vote_that_is_being_recorded(installation: Installation) -> None:
    request, s = installation.asked(), installation.s
    with ThreadPoolExecutor() as threads:
        with s.store.transaction() as tx:
            ana = tx.people.find("ana@example.com")
            assert ana is not None
            assert tx.people.get_and_hold(ana.id).account == "U0ANA000001"
            unbinding = threads.submit(unbind_by_hand, "ana@example.com", "", s)
            eventually(lambda: waits_for_a_lock(s.store.engine))
            _vote(installation, request, tx, {})
        unbinding.result()

    with s.store.transaction() as tx:
        kinds = [entry.kind for entry in tx.ledger.entries(VoteCast.__name__, AccountUnbound.__name__)]
    assert kinds == [VoteCast.__name__, AccountUnbound.__name__]


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
