"""A ticket in a project with a workflow of several steps and a required field, from the request to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.jira import STEPPED_WORKFLOW, Field, Project

if TYPE_CHECKING:
    from tests.fixtures.installation import Installation


def test_an_approved_request_takes_its_ticket_through_the_whole_workflow(installation: Installation) -> None:
    installation.jira.site.projects = (
        Project(
            "GOV",
            "Governance",
            workflow=STEPPED_WORKFLOW,
            fields=(Field("customfield_10001", "Risk", on_create=False),),
        ),
    )
    request = installation.asked()

    installation.approve(request)

    assert (installation.ticket_status(request), installation.unfinished()) == ("Done", [])
