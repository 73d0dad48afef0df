"""Workflows of several steps, screens that ask for fields, and resolutions in other languages, on the local Jira."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.references import TicketField, TicketMove, TicketPlan
from bot.errors import Permanent
from bot.sandbox.jira import (
    STEPPED_WORKFLOW,
    Category,
    Deployment,
    Field,
    JiraSandbox,
    Project,
    Status,
    Transition,
    Workflow,
)
from bot.sandbox.serving import serving

CARD = Card(title="bike-demand 7 to @champion", summary="Ben asks.")
PLAN = TicketPlan("GOV", "Task", approved="Done", rejected="Rejected")
BACKLOG, SELECTED, IN_REVIEW, DONE, REJECTED = STEPPED_WORKFLOW.statuses
STEPS = STEPPED_WORKFLOW.transitions
GERMAN = ("Erledigt", "Wird nicht erledigt")
TO_DO, BLOCKED, SHIPPED = (
    Status("1", "To Do", Category.TO_DO),
    Status("2", "Blocked", Category.IN_PROGRESS),
    Status("3", "Shipped", Category.IN_PROGRESS),
)


def site_of(workflow: Workflow, *fields: Field) -> JiraSandbox:
    return JiraSandbox(projects=(Project("GOV", "Governance", workflow=workflow, fields=fields),))


def moved(site: JiraSandbox, to: TicketMove | str, *, by_hand: str = "") -> JiraSandbox:
    """The site after a new ticket was sent there twice, as a job that is run again does."""
    with serving(site) as url:
        tickets = JiraTickets(url, email=site.email, api_token=site.api_token)
        ref = tickets.open_ticket(PLAN, CARD, "countersign-0190").ref
        if by_hand:
            site.transition(ref.key, by_hand, "ana")
        tickets.move(ref, to)
        tickets.move(ref, to)
    return site


def statuses_of(site: JiraSandbox) -> list[str]:
    """The statuses that the ticket went through."""
    history = site.issue("GOV-1").history
    return [item.after for change in history for item in change.items if item.field == "status"]


@pytest.mark.parametrize(
    ("to", "through"),
    [
        ("Done", ["Selected for Development", "In Review", "Done"]),
        ("done", ["Selected for Development", "In Review", "Done"]),
        ("Rejected", ["Selected for Development", "In Review", "Rejected"]),
        ("In Review", ["Selected for Development", "In Review"]),
    ],
)
def test_a_ticket_takes_one_step_after_another_where_a_single_one_leads_on(to: str, through: list[str]) -> None:
    site = moved(site_of(STEPPED_WORKFLOW), to)

    assert statuses_of(site) == through


def test_a_ticket_that_someone_moved_along_goes_on_from_there_and_not_back() -> None:
    site = moved(site_of(STEPPED_WORKFLOW), "Done", by_hand="Select")

    assert statuses_of(site) == ["Selected for Development", "In Review", "Done"]


FORKED = Workflow(
    (BACKLOG, BLOCKED, IN_REVIEW, DONE, REJECTED),
    (
        Transition("11", "Block", BLOCKED, (BACKLOG,)),
        Transition("12", "Start review", IN_REVIEW, (BACKLOG, BLOCKED)),
        Transition("13", "Bloquer", BLOCKED, (IN_REVIEW,)),
        Transition("31", "Finish", DONE, (IN_REVIEW,)),
        Transition("41", "Reject", REJECTED, (BLOCKED,)),
    ),
)


@pytest.mark.parametrize(
    ("to", "through"),
    [
        (TicketMove("Done", path=("In Review",)), ["In Review", "Done"]),
        (TicketMove("Finish", path=("Block", "12")), ["In Review", "Done"]),
        (TicketMove("31", path=("start REVIEW",)), ["In Review", "Done"]),
        (TicketMove("Rejected", path=("In Review", "Blocked")), ["Blocked", "Rejected"]),
    ],
)
def test_the_path_of_the_policy_leads_through_a_workflow_that_forks(to: TicketMove, through: list[str]) -> None:
    site = moved(site_of(FORKED), to)

    assert statuses_of(site) == through


@pytest.mark.parametrize(
    ("workflow", "to"),
    [
        (FORKED, TicketMove("Done")),
        (STEPPED_WORKFLOW, TicketMove("Shipped")),
        (STEPPED_WORKFLOW, TicketMove("Finish")),
        (replace(FORKED, transitions=FORKED.transitions[:1]), TicketMove("Done", path=("In Review",))),
    ],
    ids=["two lead on", "a status that the workflow lacks", "a transition that is not shown yet", "a path that ends"],
)
def test_where_it_is_not_clear_which_step_leads_on_no_step_is_taken_and_the_key_is_named(
    workflow: Workflow, to: TicketMove
) -> None:
    site = site_of(workflow)
    with pytest.raises(Permanent, match="`path:"):
        moved(site, to)

    assert statuses_of(site) == []


def test_a_ticket_never_passes_where_the_other_decision_would_send_it() -> None:
    workflow = Workflow(
        (TO_DO, SHIPPED, DONE), (Transition("1", "No", SHIPPED, (TO_DO,)), Transition("2", "Yes", DONE, (SHIPPED,)))
    )

    site = site_of(workflow)
    with pytest.raises(Permanent, match="`path:"):
        moved(site, replace(PLAN, rejected="Shipped").on_approval())

    assert statuses_of(site) == []


def test_a_workflow_that_leads_round_in_a_circle_ends() -> None:
    ring = Workflow(
        (TO_DO, BLOCKED, SHIPPED, DONE),
        (
            Transition("1", "a", BLOCKED, (TO_DO,)),
            Transition("2", "b", SHIPPED, (BLOCKED,)),
            Transition("3", "c", BLOCKED, (SHIPPED,)),
        ),
    )

    site = site_of(ring)
    with pytest.raises(Permanent, match=r"There are: \"c\" \(id 3\) to Blocked"):
        moved(site, "Done")

    assert statuses_of(site) == ["Blocked", "Shipped"]


def closing(resolutions: tuple[str, ...]) -> Workflow:
    return Workflow((TO_DO, DONE), (Transition("5", "Fertig", DONE, (TO_DO,), screen=("resolution",)),), resolutions)


@pytest.mark.parametrize(
    ("resolutions", "resolution", "chosen"),
    [
        (GERMAN, "Erledigt", "Erledigt"),
        (GERMAN, "wird NICHT erledigt", "Wird nicht erledigt"),
        (GERMAN, "10001", "Wird nicht erledigt"),
        (("完了", "却下"), "完了", "完了"),
        (("Fixed", "Done"), "", "Done"),
        (("Erledigt",), "", "Erledigt"),
    ],
)
def test_a_resolution_is_meant_by_id_or_by_name_in_any_language(
    resolutions: tuple[str, ...], resolution: str, chosen: str
) -> None:
    site = moved(site_of(closing(resolutions)), TicketMove("Done", resolution=resolution))

    assert site.issue("GOV-1").resolution == chosen


@pytest.mark.parametrize("resolution", ["", "Fixed", "1"])
def test_a_resolution_that_is_not_clear_lists_those_that_there_are(resolution: str) -> None:
    with pytest.raises(Permanent) as refused:
        moved(site_of(closing(GERMAN)), TicketMove("Done", resolution=resolution))

    assert "Erledigt (id 10000), Wird nicht erledigt (id 10001)" in str(refused.value)
    assert "`resolution:" in str(refused.value)


RISK = Field("customfield_10020", "Risk", "option", options=("Low", "High"), on_create=False)


@pytest.mark.parametrize(
    ("name", "value"), [("Risk", '"Low"'), ("customfield_10020", '{"value": "Low"}'), ("RISK", '"10500"')]
)
def test_a_field_on_a_transitions_screen_is_filled_in(name: str, value: str) -> None:
    workflow = Workflow((TO_DO, DONE), (Transition("5", "Finish", DONE, (TO_DO,), screen=("customfield_10020",)),))

    site = moved(site_of(workflow, RISK), TicketMove("Done", fields=(TicketField(name, value),)))

    assert site.issue("GOV-1").custom == {"customfield_10020": "Low"}


# The create screen

ASKED = (
    Field("components", "Component/s", "array", "component", ("ML", "Web"), required=True),
    Field("customfield_10001", "Risk", "option", options=("Low", "High"), required=True),
    Field("customfield_10002", "Teams", "array", "option", ("Data", "Ops"), required=True),
    Field("customfield_10003", "Cost centre", "number", required=True),
    Field("customfield_10004", "Why", required=True, is_long=True),
    Field("customfield_10005", "Due", "date", required=True),
)
GIVEN = {
    "Component/s": ["ML"],
    "Risk": "High",
    "teams": "Ops",
    "customfield_10003": 4711,
    "Why": "a model",
    "Due": "2027-01-31",
}


@pytest.fixture(params=list(Deployment))
def opening(request: pytest.FixtureRequest) -> Callable[..., JiraSandbox]:
    """Opens a ticket with these fields in a project that asks for those, and returns the site."""

    def open_one(given: dict[str, object], asked: tuple[Field, ...] = ASKED) -> JiraSandbox:
        site = JiraSandbox(deployment=request.param, projects=(Project("GOV", "Governance", fields=asked),))
        fields = tuple(TicketField(name, json.dumps(value)) for name, value in given.items())
        on_cloud = request.param is Deployment.CLOUD
        with serving(site) as url:
            tickets = (
                JiraTickets(url, email=site.email, api_token=site.api_token)
                if on_cloud
                else JiraTickets(url, token=site.token)
            )
            tickets.open_ticket(replace(PLAN, fields=fields), CARD, "countersign-0190")
        return site

    return open_one


def test_required_fields_are_filled_in_as_their_type_wants_them(opening: Callable[..., JiraSandbox]) -> None:
    kept = opening(GIVEN).issue("GOV-1").custom

    assert kept.pop("customfield_10004")
    assert kept == {
        "components": ["ML"],
        "customfield_10001": "High",
        "customfield_10002": ["Ops"],
        "customfield_10003": 4711,
        "customfield_10005": "2027-01-31",
    }


def test_a_field_that_is_beyond_the_first_page_of_the_screen_is_found(opening: Callable[..., JiraSandbox]) -> None:
    many = tuple(Field(f"customfield_{20_000 + at}", f"Field {at}") for at in range(120))

    assert opening({"Field 119": "x"}, many).issue("GOV-1").custom == {"customfield_20119": "x"}


def test_labels_are_added_to_the_bots_own(opening: Callable[..., JiraSandbox]) -> None:
    site = opening({"labels": ["ml", "eu"]}, ())

    assert site.issue("GOV-1").labels == ("countersign", "countersign-0190", "ml", "eu")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GIVEN | {"Risk": "Medium"}, r'"Risk" \(customfield_10001\): Low \(id 10500\), High'),
        (GIVEN | {"Cost centre": "cheap", "customfield_10003": "cheap"}, "any number"),
        ({}, "Component/s is required"),
        (GIVEN | {"Summary": "mine"}, "writes itself"),
    ],
)
def test_a_value_that_does_not_fit_says_what_fits(
    opening: Callable[..., JiraSandbox], given: dict[str, object], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        opening(given)


def test_of_two_fields_with_one_name_the_id_is_asked_for(opening: Callable[..., JiraSandbox]) -> None:
    twins = (Field("customfield_10001", "Risk"), Field("customfield_10002", "Risk"))

    with pytest.raises(Permanent, match="customfield_10001, customfield_10002"):
        opening({"Risk": "x"}, twins)
    assert opening({"customfield_10002": "x"}, twins).issue("GOV-1").custom == {"customfield_10002": "x"}
