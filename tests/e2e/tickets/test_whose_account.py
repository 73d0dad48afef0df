"""Whose account of Jira it is: on Cloud by an address that Atlassian has verified, on Data Center by an administrator alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.events import TicketAccountBound
from bot.domain.model import State, TransitionRequest
from bot.sandbox.jira import Deployment, SandboxUser
from handlers.tickets.accounts import bind_by_hand, unbind_by_hand
from tests.fixtures.installation import Installation
from tests.fixtures.ticket_votes import BEA, TicketDesk


@pytest.fixture
def data_center(open_installation: Callable[..., Installation]) -> TicketDesk:
    installation = open_installation(jira=Deployment.SERVER)
    installation.sweep()
    installation.jira.site.people += (BEA,)
    return TicketDesk(installation)


@pytest.fixture
def cloud(installation: Installation) -> TicketDesk:
    installation.jira.site.people += (BEA,)
    return TicketDesk(installation)


def show_address(desk: TicketDesk, account: str, email: str) -> None:
    """The owner changes the profile."""
    site = desk.installation.jira.site
    site.people = tuple(replace(one, email=email) if one.account_id == account else one for one in site.people)


def answered(desk: TicketDesk, person: str) -> tuple[TransitionRequest, str]:
    request = desk.installation.asked()
    return desk.decide(request, "Approve", person), desk.installation.comments(request)


def test_on_data_center_an_address_that_anyone_can_write_into_a_profile_makes_no_voter(data_center: TicketDesk) -> None:
    data_center.allow()
    show_address(data_center, "bea", "ben@example.com")

    now, said = answered(data_center, "bea")

    assert (now.state, now.votes, data_center.installation.champion()) == (State.PENDING, (), None)
    assert "countersign people bind EMAIL bea" in said, said
    assert data_center.installation.entries(TicketAccountBound) == []
    assert data_center.status(now) == "To Do"


def test_on_data_center_who_an_administrator_has_bound_decides_whatever_the_profile_says(
    data_center: TicketDesk,
) -> None:
    data_center.allow()
    bind_by_hand("ben@example.com", "ben", "", data_center.installation.s)
    show_address(data_center, "ben", "somebody@example.com")

    now, _ = answered(data_center, "ben")

    assert (now.state, [vote.account for vote in now.votes]) == (State.APPLIED, ["ben"])


def test_on_cloud_who_changes_the_address_before_the_first_decision_does_not_approve_their_own_work(
    cloud: TicketDesk,
) -> None:
    cloud.allow()
    show_address(cloud, "ben", "ben@home.example")
    show_address(cloud, "bea", "ben@example.com")

    now, said = answered(cloud, "bea")

    assert (now.votes, cloud.installation.champion()) == ((), None)
    assert "you asked for this transition or trained the version" in said
    bound = {(one["account"], one["how"]) for one in cloud.installation.entries(TicketAccountBound)}
    assert {("ana", "policy"), ("ben", "policy"), ("bea", "policy")} <= bound


def test_on_cloud_two_accounts_with_one_address_are_both_refused(cloud: TicketDesk) -> None:
    cloud.installation.jira.site.people += (SandboxUser("ben2", "Ben Again", "ben@example.com"),)
    cloud.allow()

    for person in ("ben", "ben2"):
        now, said = answered(cloud, person)
        assert (now.votes, "more than one account" in said) == ((), True)


def test_on_cloud_a_customer_with_a_persons_address_keeps_them_from_nothing(cloud: TicketDesk) -> None:
    customer = SandboxUser("qm:1", "Ben as a customer", "ben@example.com", account_type="customer")
    cloud.installation.jira.site.people += (customer,)
    cloud.allow()

    now, _ = answered(cloud, "ben")

    assert now.state is State.APPLIED


def test_on_cloud_who_shows_the_address_only_later_is_bound_at_the_first_decision(cloud: TicketDesk) -> None:
    show_address(cloud, "ben", "")
    cloud.allow()
    show_address(cloud, "ben", "ben@example.com")

    now, _ = answered(cloud, "ben")

    assert now.state is State.APPLIED
    bound = {one["account"]: one["how"] for one in cloud.installation.entries(TicketAccountBound)}
    assert bound["ben"] == "first_press"


@pytest.mark.parametrize("is_unbound", [False, True])
def test_whose_account_it_is_does_not_change_when_the_clock_is_set_back(is_unbound: bool, cloud: TicketDesk) -> None:
    clock, s = cloud.installation.clock, cloud.installation.s
    clock.ahead = timedelta(hours=1)
    cloud.allow()
    if is_unbound:
        unbind_by_hand("ben@example.com", "", s)
    clock.ahead = timedelta()

    now, _ = answered(cloud, "ben")

    assert now.state is (State.PENDING if is_unbound else State.APPLIED)
