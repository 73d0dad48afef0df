"""Tokens that expire, tokens with scopes behind Atlassian's gateway, and quotas of the whole account."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import Permanent, Temporary
from bot.sandbox.jira import CLOUD_ID, JiraSandbox
from bot.sandbox.serving import serving

PLAN = TicketPlan("GOV", "Task", approved="Done", rejected="Won't Do")
CARD = Card(title="bike-demand 7 to @champion", summary="Ben asks.")
KEY = "countersign-0190"
ALL_SCOPES = frozenset({"read:jira-work", "write:jira-work", "read:jira-user"})
CALLS: dict[str, Callable[[JiraTickets, TicketRef], object]] = {
    "find": lambda tickets, _ref: tickets.find_ticket(PLAN, KEY),
    "open": lambda tickets, _ref: tickets.open_ticket(PLAN, CARD, KEY),
    "get": lambda tickets, ref: tickets.get_ticket(ref),
    "comment": lambda tickets, ref: tickets.comment(ref, "k", "Approved."),
    "move": lambda tickets, ref: tickets.move(ref, "Done"),
}


@pytest.fixture
def site() -> JiraSandbox:
    return JiraSandbox()


@pytest.fixture
def url(site: JiraSandbox) -> Iterator[str]:
    with serving(site) as address:
        yield address


def tickets_at(url: str, site: JiraSandbox) -> JiraTickets:
    return JiraTickets(url, email=site.email, api_token=site.api_token)


def test_an_expired_token_is_said_on_every_call_and_finds_no_tickets_missing(site: JiraSandbox, url: str) -> None:
    tickets = tickets_at(url, site)
    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    tickets.find_ticket(PLAN, KEY)
    site.token_expired = True

    for call in CALLS.values():
        with pytest.raises(Permanent, match=r"expired .*JIRA_API_TOKEN"):
            call(tickets, ref)

    assert len(site.issues()) == 1


def test_behind_the_gateway_a_ticket_s_link_leads_to_the_site(site: JiraSandbox, url: str) -> None:
    site.scopes = ALL_SCOPES
    tickets = tickets_at(f"{url}/ex/jira/{CLOUD_ID}", site)

    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    found = tickets.find_ticket(PLAN, KEY)

    assert ref.url == f"{url}/browse/GOV-1"
    assert found is not None
    assert found.ref == ref
    for call in ("get", "comment", "move"):
        CALLS[call](tickets, ref)


def test_a_token_with_scopes_at_the_site_s_own_address_says_where_it_works(site: JiraSandbox, url: str) -> None:
    site.scopes = ALL_SCOPES

    with pytest.raises(Permanent, match=r"https://api\.atlassian\.com/ex/jira/CLOUD-ID"):
        tickets_at(url, site).find_ticket(PLAN, KEY)


@pytest.mark.parametrize(
    ("missing", "call"), [("write:jira-work", "open"), ("read:jira-user", "find"), ("read:jira-work", "open")]
)
def test_a_token_without_a_scope_says_which_scopes_it_takes(
    site: JiraSandbox, url: str, missing: str, call: str
) -> None:
    site.scopes = ALL_SCOPES - {missing}

    with pytest.raises(Permanent, match="read:jira-work, write:jira-work and read:jira-user"):
        CALLS[call](tickets_at(f"{url}/ex/jira/{CLOUD_ID}", site), TicketRef("1", "GOV-1", ""))


@pytest.mark.parametrize("call", CALLS)
def test_a_used_up_quota_holds_back_every_call_not_one_ticket_after_another(
    site: JiraSandbox, url: str, call: str
) -> None:
    tickets = tickets_at(url, site)
    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    site.quota, site.quota_resets = 0, 90
    with pytest.raises(Temporary) as first:
        tickets.get_ticket(ref)
    made = len(site.calls)

    with pytest.raises(Temporary) as second:
        CALLS[call](tickets, ref)

    assert first.value.retry_after == 90
    assert 80 < second.value.retry_after <= 90
    assert len(site.calls) == made


def test_a_limit_of_one_ticket_holds_back_no_other(site: JiraSandbox, url: str) -> None:
    tickets = tickets_at(url, site)
    one, other = (tickets.open_ticket(PLAN, CARD, key).ref for key in (KEY, "countersign-0191"))
    site.limit_writes = True
    for number in range(20):
        tickets.link(one, f"k{number}", "x", "https://mlflow.example/")
    with pytest.raises(Temporary):
        tickets.link(one, "one more", "x", "https://mlflow.example/")

    tickets.link(other, "k", "x", "https://mlflow.example/")

    assert len(site.remote_links(other.key)) == 1
