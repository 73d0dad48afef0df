"""Whose account clicks, and who may not vote: in every way by which people come back, under all addresses."""

from __future__ import annotations

import threading
from dataclasses import replace

import sqlalchemy as sa

from bot.domain.events import AccountBound, AccountUnbound, AskJoined, VotesRebound
from bot.domain.model import Ask, AskKind, Kind, State, Target, TransitionRequest, VersionId
from bot.domain.request.lifecycle import NewRequest
from bot.errors import Refused
from bot.ports import AccountKind
from bot.sandbox.slack import SandboxPerson
from handlers.policy.activation import activate_policy
from handlers.request.accounts import bind_by_hand, person_behind, unbind_by_hand
from handlers.request.asking import open_new, person_with, request_transition
from tests.fixtures.installation import CHANNEL, Installation, policy_text

CHAMPION = Target.parse("alias:champion")
ANA, BEA, BEN = "U0ANA000001", "U0BEA000004", "U0BEN000002"


def in_words(installation: Installation, version: int, email: str) -> TransitionRequest:
    request = request_transition(
        installation.model, version, CHAMPION, email, "please", Ask(AskKind.API), installation.s
    )
    installation.settle()
    return installation.reread(request)


def shows(installation: Installation, account: str, email: str) -> None:
    """The person changes the address in Slack and confirms it, and a minute passes."""
    people = installation.slack.workspace.people
    people[account] = replace(people[account], email=email)
    installation.forget_what_slack_said()


def world_changes(installation: Installation, version: int) -> TransitionRequest:
    """Between the approval and its application: stale, and asked again."""
    installation.mlflow.log_metric(installation.run_of(version), "mae", 12.5, step=1)
    installation.settle()
    (fresh,) = installation.requests(State.PENDING)
    return fresh


# Through the life of a request


def test_who_joined_an_ask_does_not_decide_on_the_request_that_takes_its_place(installation: Installation) -> None:
    installation.use_policy(ask_on="[{alias: candidate}]")
    version = installation.register(user="bea")
    request = in_words(installation, version, "bea@example.com")
    in_words(installation, version, "ana@example.com")

    installation.click("ben", request, "approve")
    fresh = world_changes(installation, version)
    installation.approve(fresh, "ana")

    assert installation.reread(request).state is State.STALE
    assert installation.reread(fresh).state is State.PENDING
    assert "someone else must decide it" in installation.told_privately("ana")


def test_who_asked_in_words_does_not_ratify_the_move_by_hand_that_ended_the_request(installation: Installation) -> None:
    version = installation.register(user="bea")
    asked = in_words(installation, version, "ana@example.com")

    installation.move(version)
    observed = installation.request(version)
    installation.approve(observed, "ana")

    assert (installation.reread(asked).state, observed.kind) == (State.WITHDRAWN, Kind.OBSERVED)
    assert installation.reread(observed).state is State.PENDING


def test_who_asked_for_a_content_does_not_decide_on_it_under_another_number(installation: Installation) -> None:
    asked = in_words(installation, installation.register(user="bea"), "ana@example.com")
    installation.reject(asked, "not today", "ben")
    old = installation.mlflow.get_model_version(installation.model, "1")
    made = installation.mlflow.create_model_version(installation.model, old.source, old.run_id, await_creation_for=0)

    again = installation.asked(int(made.version))
    installation.click("ana", again, "approve")

    assert "someone else must decide it" in installation.told_privately("ana")


# Moves by hand


def test_a_move_by_hand_needs_as_many_votes_as_asking_until_somebody_says_that_it_was_theirs(
    installation: Installation,
) -> None:
    installation.use_policy(unknown_requester="one_more")
    version = installation.register(user="bea")
    installation.move(version)
    observed = installation.request(version)

    installation.approve(observed, "ana")
    after_one = installation.reread(observed).state
    in_words(installation, version, "cy@example.com")

    assert after_one is State.PENDING
    assert installation.reread(observed).state is State.APPLIED
    assert "Cy Lindqvist asks to keep it there" in installation.card(observed).all_text
    assert installation.happened(AskJoined) == ["AskJoined"]


def test_votes_that_are_enough_since_somebody_joined_decide_without_another_press(installation: Installation) -> None:
    installation.use_policy(unknown_requester="one_more")
    request = installation.asked()
    installation.approve(request, "ana")
    waits = installation.reread(request).state

    in_words(installation, 1, "bea@example.com")

    assert (waits, installation.reread(request).state) == (State.PENDING, State.APPLIED)


# Accounts and addresses


def test_who_changes_the_address_in_slack_before_the_first_press_does_not_approve_their_own_work(
    installation: Installation,
) -> None:
    request = installation.asked(installation.register(user="bea"))

    shows(installation, BEA, "bea.baker@example.com")
    installation.approve(request, "bea")

    assert installation.reread(request).state is State.PENDING
    assert "trained the version" in installation.told_privately("bea")


def test_who_asked_under_an_address_that_no_policy_names_does_not_decide_under_another(
    installation: Installation,
) -> None:
    installation.slack.workspace.people["U0DAN000009"] = SandboxPerson("U0DAN000009", "dan", "Dan", "dan@example.com")
    request = in_words(installation, installation.register(user="bea"), "dan@example.com")

    installation.slack.workspace.groups["ml-leads"] = [ANA, "U0DAN000009"]
    shows(installation, "U0DAN000009", "daniel@example.com")
    installation.approve(request, "dan")

    assert installation.reread(request).state is State.PENDING


def test_who_asks_with_the_new_address_of_a_bound_account_does_not_decide(installation: Installation) -> None:
    shows(installation, ANA, "ana.new@example.com")
    asked = in_words(installation, installation.register(user="bea"), "ana.new@example.com")

    installation.approve(asked, "ana")

    assert installation.reread(asked).state is State.PENDING
    assert "You asked for this transition" in installation.told_privately("ana")


def test_a_vote_is_void_once_its_voter_asks_with_an_address_that_the_account_got_later(
    installation: Installation,
) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")

    shows(installation, ANA, "ana.new@example.com")
    in_words(installation, request.version.version, "ana.new@example.com")
    installation.approve(request, "ben")

    assert installation.reread(request).state is State.PENDING
    assert len(installation.reread(request).votes) == 2


def test_no_second_approval_is_taken_while_an_askers_account_is_being_looked_up(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")
    shows(installation, ANA, "ana.new@example.com")

    request_transition(installation.model, 1, CHAMPION, "ana.new@example.com", "", Ask(AskKind.API), installation.s)
    installation.click("ben", request, "approve")

    assert len(installation.reread(request).votes) == 1
    assert "press again in a moment" in installation.told_privately("ben")


def test_who_claims_a_move_by_hand_with_a_new_address_does_not_make_their_own_vote_enough(
    installation: Installation,
) -> None:
    installation.use_policy(unknown_requester="one_more")
    version = installation.register(user="bea")
    installation.move(version)
    observed = installation.request(version)
    installation.approve(observed, "ana")

    shows(installation, ANA, "ana.new@example.com")
    in_words(installation, version, "ana.new@example.com")
    after_claiming = installation.reread(observed).state
    installation.approve(observed, "ben")

    assert after_claiming is State.PENDING
    assert installation.reread(observed).state is State.APPLIED


def test_a_vote_is_void_once_an_administrator_says_that_the_askers_account_is_the_voters(
    installation: Installation,
) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")
    in_words(installation, request.version.version, "ana.new@example.com")

    bind_by_hand("ana.new@example.com", ANA, "", installation.s)
    installation.approve(request, "ben")

    assert installation.reread(request).state is State.PENDING


def test_a_new_address_makes_no_new_person_and_unbinding_opens_nothing(installation: Installation) -> None:
    request = in_words(installation, installation.register(user="bea"), "ana@example.com")
    shows(installation, ANA, "ana.ruiz@example.com")

    installation.click("ana", request, "approve")
    under_the_new_address = installation.told_privately("ana")
    unbind_by_hand("ana@example.com", "", installation.s)
    installation.click("ana", request, "approve")
    unbound = installation.told_privately("ana")
    bind_by_hand("ana.ruiz@example.com", ANA, "", installation.s)
    before = len(installation.told_privately("ana"))
    installation.approve(request, "ana")

    assert "You asked for this transition" in under_the_new_address
    assert f"countersign people bind EMAIL {ANA}" in unbound
    assert "someone else must decide it" in installation.told_privately("ana")[before:]
    assert installation.reread(request).state is State.PENDING
    bound = [(body["account"], body["how"]) for body in installation.entries(AccountBound) if body["account"] == ANA]
    assert bound == [(ANA, "policy"), (ANA, "admin")]
    assert [body["account"] for body in installation.entries(AccountUnbound)] == [ANA]


def test_who_is_bound_to_another_address_votes_on_what_others_asked_for(installation: Installation) -> None:
    unbind_by_hand("ana@example.com", "", installation.s)
    bind_by_hand("ana.ruiz@example.com", ANA, "", installation.s)

    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")

    assert installation.reread(request).state is State.APPLIED


def test_another_account_does_not_take_a_persons_place_by_showing_their_address(installation: Installation) -> None:
    shows(installation, ANA, "ana.ruiz@example.com")
    installation.slack.workspace.people["U0EVE000009"] = SandboxPerson("U0EVE000009", "eve", "Eve", "ana@example.com")
    installation.slack.workspace.groups["ml-leads"] = [ANA, "U0EVE000009"]

    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "eve")

    assert installation.reread(request).state is State.PENDING
    assert "countersign people bind ana@example.com U0EVE000009" in installation.told_privately("eve")


def test_an_address_that_is_not_confirmed_is_nobodys(installation: Installation) -> None:
    installation.slack.workspace.people["U0EVE000009"] = SandboxPerson(
        "U0EVE000009", "eve", "Eve", "dan@example.com", is_email_confirmed=False
    )
    installation.slack.workspace.groups["ml-leads"] = [ANA, "U0EVE000009"]

    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "eve")

    assert installation.reread(request).state is State.PENDING
    assert "Slack has not confirmed your e-mail address" in installation.told_privately("eve")
    assert [body for body in installation.entries(AccountBound) if body["account"] == "U0EVE000009"] == []


def test_who_joins_a_slack_group_later_votes_without_further_ado(installation: Installation) -> None:
    request = installation.asked(installation.register(user="bea"))
    installation.slack.workspace.people["U0DAN000009"] = SandboxPerson(
        "U0DAN000009", "dan", "Dan Novak", "dan@example.com"
    )
    installation.slack.workspace.groups["ml-leads"] = [ANA, "U0DAN000009"]
    shows(installation, ANA, "ana@example.com")

    installation.approve(request, "dan")

    assert installation.reread(request).state is State.APPLIED
    assert [body["how"] for body in installation.entries(AccountBound) if body["account"] == "U0DAN000009"] == [
        "first_press"
    ]


def test_two_first_presses_at_once_are_one_person(installation: Installation) -> None:
    installation.slack.workspace.people["U0DAN000009"] = SandboxPerson(
        "U0DAN000009", "dan", "Dan Novak", "dan@example.com"
    )
    account = installation.s.notifier.account("U0DAN000009")
    start, found, refused = threading.Barrier(2), [], []

    def press() -> None:
        start.wait()
        try:
            found.append(person_behind(account, installation.s).id)
        except (Refused, sa.exc.SQLAlchemyError) as refusal:
            refused.append(str(refusal))

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (refused, len(found), len(set(found))) == ([], 2, 1)
    assert len([body for body in installation.entries(AccountBound) if body["account"] == "U0DAN000009"]) == 1


def test_a_policy_binds_its_people_and_the_members_of_its_groups_once(installation: Installation) -> None:
    bound = sorted(body["account"] for body in installation.entries(AccountBound))
    installation.use_policy(quorum=2)
    installation.settle()

    assert bound == sorted([ANA, BEN, BEA, "U0CY0000003"])
    assert sorted(body["account"] for body in installation.entries(AccountBound)) == bound
    assert installation.s.notifier.account(ANA).kind is AccountKind.MEMBER


def test_a_group_that_is_only_escalated_to_and_gone_from_slack_keeps_nobody_from_voting(
    installation: Installation,
) -> None:
    installation.use_policy(groups="heads: {slack_group: gone}", extra="escalate: {after: 8h, group: heads}")
    installation.settle()

    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")

    assert installation.reread(request).state is State.APPLIED
    (parked,) = installation.unfinished()
    assert (parked.name, "@gone" in parked.errors[-1].error) == ("bind_accounts", True)


# Locks, and upgrades


def test_asking_in_words_and_freezing_the_evidence_do_not_deadlock(installation: Installation) -> None:
    """A pipeline's first call names somebody new; at that moment the evidence of the same version is frozen, and names them too."""
    request = installation.asked()
    started, blocked = threading.Barrier(2), []

    def asks() -> None:
        try:
            with installation.s.store.transaction() as tx:
                person = person_with("nia@example.com", tx)
                started.wait()
                started.wait()
                new = NewRequest(request.version, CHAMPION, Ask(AskKind.API), requester=person.id)
                open_new(new, tx, installation.clock.now())
        except sa.exc.OperationalError as error:
            blocked.append(f"asking: {error.orig}")

    def freezes() -> None:
        try:
            with installation.s.store.transaction() as tx:
                started.wait()
                tx.requests.get(request.id, for_update=True)
                started.wait()
                tx.people.get_or_add("nia@example.com", "nia@example.com")
        except sa.exc.OperationalError as error:
            blocked.append(f"freezing: {error.orig}")

    threads = [threading.Thread(target=asks), threading.Thread(target=freezes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert blocked == []


def test_other_reminders_and_notices_void_no_vote(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")

    installation.use_policy(quorum=2, approved="Accepted", extra="remind_after: 4h")
    installation.settle()
    installation.approve(request, "ben")

    assert installation.reread(request).state is State.APPROVED or installation.reread(request).state is State.APPLIED
    assert "no longer counts" not in installation.card(request).all_text


def test_votes_from_before_the_upgrade_count_after_it(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="bea"))
    installation.approve(request, "ana")
    policy = installation.s.store.policy()
    (rule,) = policy.rules
    now, former = policy.hashes(rule)
    with installation.s.store.engine.begin() as connection:  # as the release before wrote them
        connection.execute(
            sa.text("update requests set body = replace(body, :now, :former)"), {"now": now, "former": former}
        )

    activate_policy(policy_text(f"{installation.model}*", quorum=2), "release", installation.s)  # in force already
    installation.approve(request, "ben")

    assert installation.reread(request).state is State.APPLIED
    assert installation.happened(VotesRebound) == ["VotesRebound"]
    assert len(installation.reread(request).votes) == 2


def test_a_model_that_was_renamed_is_no_way_around(installation: Installation) -> None:
    asked = in_words(installation, installation.register(user="bea"), "ana@example.com")
    renamed = f"{installation.model}-renamed"
    installation.mlflow.rename_registered_model(installation.model, renamed)
    installation.sweep()
    installation.sweep()

    with installation.s.store.transaction() as tx:
        version = VersionId(asked.version.workspace, renamed, asked.version.version, asked.version.created)
        fresh = open_new(NewRequest(version, CHAMPION, Ask(AskKind.API)), tx, installation.clock.now())

    assert asked.requester in fresh.parties
    assert CHANNEL
