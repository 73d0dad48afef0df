"""A ticket that somebody names: looked for, and made the parent or the other end of a link, on the local Jira."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.references import SeenTicket, TicketPlan
from bot.errors import Permanent
from bot.sandbox.jira import Deployment, JiraSandbox, Project
from bot.sandbox.serving import serving

CARD = Card(title="bike-demand 7 to @champion", summary="Ben asks.")
PLAN = TicketPlan("GOV", "Task", approved="Done", rejected="Rejected")
TYPES = ("Task", "Sub-task")
PROJECTS = (
    Project("GOV", "Governance", issue_types=TYPES, subtask_types=("Sub-task",)),
    Project("ML", "Machine learning", issue_types=TYPES, subtask_types=("Sub-task",), team_managed=True),
    Project("HR", "Not for the bot"),
)


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    made = JiraSandbox(deployment=request.param, projects=PROJECTS)
    made.site.unseen_projects = frozenset({"HR"})
    return made


@pytest.fixture
def tickets(site: JiraSandbox) -> Iterator[JiraTickets]:
    is_cloud = site.site.deployment is Deployment.CLOUD
    with serving(site) as url:
        if is_cloud:
            yield JiraTickets(url, email=site.email, api_token=site.api_token)
        else:
            yield JiraTickets(url, token=site.token)


def opened(tickets: JiraTickets, key: str, *, project: str = "GOV", type_: str = "Task", parent: str = "") -> str:
    plan = TicketPlan(project, type_, approved="Done", rejected="Rejected")
    return tickets.open_ticket(plan, CARD, key, parent).ref.key


def test_what_is_named_is_a_ticket_a_number_without_one_or_nothing_at_all(tickets: JiraTickets) -> None:
    there = opened(tickets, "a", project="ML")
    below = opened(tickets, "b", project="ML", type_="Sub-task", parent=there)

    found = {name: tickets.look_up(name) for name in (there, below, "ML-99", "UTF-8", "HR-1")}

    assert found == {
        "ML-1": SeenTicket("ML-1", True, "ML-1", "ML"),
        "ML-2": SeenTicket("ML-2", True, "ML-2", "ML", is_subtask=True),
        "ML-99": SeenTicket("ML-99", has_project=True),
        "UTF-8": SeenTicket("UTF-8"),
        "HR-1": SeenTicket("HR-1"),
    }


def test_a_sub_task_is_opened_below_the_named_ticket_and_found_again(site: JiraSandbox, tickets: JiraTickets) -> None:
    parent = opened(tickets, "a")

    below = opened(tickets, "b", type_="Sub-task", parent=parent)

    assert site.issue(below).parent == site.issue(parent).id
    assert (found := tickets.find_ticket(PLAN, "b"))
    assert found.ref.key == below


@pytest.mark.parametrize(
    ("type_", "parent", "said"),
    [
        ("Sub-task", "", "Issue type is a sub-task but parent issue key or id not specified"),
        ("Sub-task", "GOV-99", "Could not find issue by id or key"),
        ("Sub-task", "ML-1", "same project as the parent"),
        ("Sub-task", "GOV-2", "itself a sub-task"),
        ("Task", "GOV-1", "appropriate hierarchy"),
        ("Subtask", "GOV-1", "Specify a valid issue type"),
    ],
)
def test_a_parent_that_jira_does_not_take_is_refused_in_its_words(
    tickets: JiraTickets, type_: str, parent: str, said: str
) -> None:
    first = opened(tickets, "a")
    opened(tickets, "b", type_="Sub-task", parent=first)
    opened(tickets, "c", project="ML")

    with pytest.raises(Permanent, match=said):
        opened(tickets, "d", type_=type_, parent=parent)


def test_a_link_is_made_once_and_an_unknown_type_is_refused(site: JiraSandbox, tickets: JiraTickets) -> None:
    there = opened(tickets, "a", project="ML")
    ours = tickets.open_ticket(PLAN, CARD, "b").ref

    for _ in range(2):
        tickets.relate(ours, there, "Blocks")
    with pytest.raises(Permanent, match="No issue link type with name 'Causes' found"):
        tickets.relate(ours, there, "Causes")
    site.site.link_types = None
    with pytest.raises(Permanent, match="Issue linking is currently disabled"):
        tickets.relate(ours, there, "Blocks")

    assert [(link.type.name, link.start, link.end) for link in site.site.links] == [
        ("Blocks", site.issue(ours.key).id, site.issue(there).id)
    ]
