"""A ticket that the version's description names: ours becomes its sub-task or is linked to it, and card and ticket say so."""

from __future__ import annotations

import pytest

from bot.domain.model import TransitionRequest
from bot.sandbox.jira import Project
from tests.fixtures.installation import Installation, policy_text

PROJECTS = (
    Project("GOV", "Governance", issue_types=("Task", "Sub-task"), subtask_types=("Sub-task",)),
    Project("ML", "Machine learning"),
)


def asked_with(installation: Installation, named: str, description: str) -> TransitionRequest:
    """GOV-1 and ML-1 are there."""
    installation.jira.site.projects = PROJECTS
    for project in PROJECTS:
        installation.jira.open(project.key, "Retrain on May data", "ana")
    policy = policy_text(f"{installation.model}*").replace("type: Task,", f"type: Task, named: {{{named}}},")
    installation.activate(policy)
    installation.register()
    installation.mlflow.update_model_version(installation.model, "1", description)
    return installation.asked(1)


def test_the_ticket_is_linked_to_the_one_that_is_named_and_closed_as_ever(installation: Installation) -> None:
    request = asked_with(
        installation, "link: Relates, projects: [ML]", "UTF-8 fixed. GOV-1, ML-1: retrained on May data"
    )

    installation.approve(request)

    ticket = installation.reread(request).ticket
    assert ticket
    (link,) = installation.jira.site.links
    ours, theirs = installation.jira.issue(ticket.key), installation.jira.issue("ML-1")
    assert (link.type.name, link.start, link.end) == ("Relates", ours.id, theirs.id)
    said = "ML-1, named in the version's description, by someone with access to MLflow; linked to this request's ticket"
    said = f"{said}. Not related: GOV-1: it is in GOV, and the policy has it linked only to tickets of ML"
    assert said in installation.card(request).all_text
    assert said in ours.description_text
    assert (installation.ticket_status(request), installation.unfinished()) == ("Done", [])


@pytest.mark.proof
@pytest.mark.parametrize(
    ("named", "description", "parent", "said"),
    [
        ("subtask: Sub-task", "GOV-1: retrained", "GOV-1", "this request's ticket is its sub-task"),
        ("subtask: Sub-task", "GOV-99: retrained", "", "not related to this request's ticket: it was not found"),
        (
            "subtask: Sub-task",
            "ML-1: retrained",
            "",
            "it is not in GOV, and a sub-task must be in its parent's project",
        ),
        (
            "subtask: Gone",
            "GOV-1: retrained",
            "",
            "not related to this request's ticket: Jira refused opening a Gone in GOV",
        ),
        ("link: Relates", "ML-1: retrained", "", "it is in ML, and the policy has it linked only to tickets of GOV"),
        ("link: Relates", "ML-99: retrained", "", "not related to this request's ticket: it was not found"),
    ],
)
def test_a_ticket_that_cannot_be_the_parent_leaves_an_ordinary_one_that_says_why(
    installation: Installation, named: str, description: str, parent: str, said: str
) -> None:
    request = asked_with(installation, named, description)

    installation.approve(request)

    ticket = installation.reread(request).ticket
    assert ticket
    ours = installation.jira.issue(ticket.key)
    assert ours.parent == (installation.jira.issue(parent).id if parent else "")
    assert said in installation.card(request).all_text
    assert said in ours.description_text
    assert (installation.ticket_status(request), installation.unfinished()) == ("Done", [])


@pytest.mark.proof
def test_a_link_that_jira_refuses_keeps_nothing_else_from_the_ticket(installation: Installation) -> None:
    request = asked_with(installation, "link: Causes, projects: [ML]", "ML-1: retrained on May data")

    installation.approve(request)

    assert installation.ticket_status(request) == "Done"
    parked = installation.unfinished()
    assert parked
    assert all("No issue link type with name 'Causes'" in job.errors[-1].error for job in parked)


@pytest.mark.proof
def test_without_the_option_a_name_is_only_text(installation: Installation) -> None:
    installation.register()
    installation.mlflow.update_model_version(installation.model, "1", "GOV-1: retrained")

    request = installation.asked(1)

    assert installation.reread(request).named is None
    assert "Named ticket" not in installation.card(request).all_text
