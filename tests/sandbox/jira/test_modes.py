"""What real sites do that a fresh one does not: steps, required fields, sub-tasks, links, scoped and expired tokens, quotas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bot.sandbox.jira import CLOUD_ID, STEPPED_WORKFLOW, Field, JiraSandbox, Project
from bot.sandbox.serving import serving

RISK = Field("customfield_10001", "Risk", "option", options=("Low", "High"), required=True)
COST = Field("customfield_10002", "Cost centre", "number", on_create=False)
TYPES = ("Task", "Sub-task")


class Talk:
    """Calls as the bot's account; each answer with its status."""

    def __init__(self, url: str, site: JiraSandbox) -> None:
        self._url = url
        self._auth = (site.email, site.api_token)

    def __call__(self, method: str, path: str, body: object = None, *, base: str = "") -> tuple[int, Any]:
        url = f"{self._url}{base}/rest/api/3/{path}"
        answer = requests.request(method, url, json=body, auth=self._auth, timeout=10)
        return answer.status_code, answer.json() if answer.content else None

    def create(self, project: str = "GOV", type_: str = "Task", **fields: object) -> tuple[int, Any]:
        given = {"project": {"key": project}, "issuetype": {"name": type_}, "summary": "One", **fields}
        return self("POST", "issue", {"fields": given})


@pytest.fixture
def site() -> JiraSandbox:
    projects = (
        Project("GOV", "Governance", issue_types=TYPES, subtask_types=("Sub-task",)),
        Project("STEP", "In steps", workflow=STEPPED_WORKFLOW, fields=(RISK, COST)),
    )
    return JiraSandbox(projects=projects)


@pytest.fixture
def talk(site: JiraSandbox) -> Iterator[Talk]:
    with serving(site) as url:
        yield Talk(url, site)


def test_a_workflow_in_steps_leads_nowhere_at_once(talk: Talk) -> None:
    talk.create("STEP", customfield_10001={"value": "Low"})

    _, offered = talk("GET", "issue/STEP-1/transitions")
    too_far = talk("POST", "issue/STEP-1/transitions", {"transition": {"id": "31"}})
    step = talk("POST", "issue/STEP-1/transitions", {"transition": {"id": "11"}})
    _, then = talk("GET", "issue/STEP-1/transitions")

    assert [one["name"] for one in offered["transitions"]] == ["Select"]
    assert too_far[0] == 400
    assert step == (204, None)
    assert [one["name"] for one in then["transitions"]] == ["Back to backlog", "Start review"]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"customfield_10001": "Risk is required."}),
        ({"customfield_10001": "Low"}, {"customfield_10001": "Could not find valid 'id' or 'value'"}),
        ({"customfield_10001": {"value": "Medium"}}, {"customfield_10001": "Option 'Medium' is not valid"}),
        (
            {"customfield_10001": {"id": "10501"}, "customfield_10002": 3},
            {"customfield_10002": "cannot be set. It is not on the appropriate screen"},
        ),
    ],
)
def test_a_field_is_taken_as_its_type_wants_it_and_only_on_its_screen(
    talk: Talk, fields: dict[str, object], errors: dict[str, str]
) -> None:
    status, answer = talk.create("STEP", **fields)

    assert status == 400
    assert answer["errors"].keys() == errors.keys()
    assert all(part in answer["errors"][name] for name, part in errors.items())


def test_a_sub_task_needs_a_parent_of_its_project_and_shows_it(talk: Talk) -> None:
    talk.create()
    talk.create("STEP", customfield_10001={"value": "Low"})

    made = talk.create(type_="Sub-task", parent={"key": "GOV-1"})
    _, shown = talk("GET", f"issue/{made[1]['key']}")
    refused = [
        talk.create(type_="Sub-task")[1]["errors"],
        talk.create(type_="Sub-task", parent="GOV-1")[1]["errors"],
        talk.create(type_="Sub-task", parent={"key": "GOV-9"})[1]["errors"],
        talk.create(type_="Sub-task", parent={"key": "STEP-1"})[1]["errors"],
        talk.create(type_="Sub-task", parent={"key": made[1]["key"]})[1]["errors"],
        talk.create(parent={"key": "GOV-1"})[1]["errors"],
    ]

    assert made[0] == 201
    assert shown["fields"]["parent"]["key"] == "GOV-1"
    assert shown["fields"]["issuetype"]["subtask"] is True
    assert [set(one) for one in refused] == [
        {"issuetype"},
        {"parent"},
        {"parent"},
        {"pid"},
        {"parentIssueId"},
        {"parentId"},
    ]


def test_the_create_screen_of_a_sub_task_wants_a_parent(talk: Talk) -> None:
    _, types = talk("GET", "issue/createmeta/GOV/issuetypes")
    screens = {
        type_["name"]: talk("GET", f"issue/createmeta/GOV/issuetypes/{type_['id']}")[1]["fields"]
        for type_ in types["issueTypes"]
    }

    wanted = {name: [field["fieldId"] for field in fields if field["required"]] for name, fields in screens.items()}
    assert "parent" not in wanted["Task"]
    assert "parent" in wanted["Sub-task"]


def test_a_link_is_kept_once_and_each_side_shows_the_other(site: JiraSandbox, talk: Talk) -> None:
    talk.create()
    talk.create()
    link = {"type": {"name": "Blocks"}, "inwardIssue": {"key": "GOV-1"}, "outwardIssue": {"key": "GOV-2"}}

    made = [talk("POST", "issueLink", link) for _ in range(2)]
    sides = [talk("GET", f"issue/{key}")[1]["fields"]["issuelinks"] for key in ("GOV-1", "GOV-2")]
    unknown = talk("POST", "issueLink", {**link, "type": {"name": "blocks"}})
    gone = talk("POST", "issueLink", {**link, "outwardIssue": {"key": "GOV-9"}})
    site.site.denied = frozenset({"LINK_ISSUES"})
    denied = talk("POST", "issueLink", link)

    assert made == [(201, None), (201, None)]
    assert [[one["outwardIssue"]["key"] for one in sides[0]], [one["inwardIssue"]["key"] for one in sides[1]]] == [
        ["GOV-2"],
        ["GOV-1"],
    ]
    assert (unknown[0], gone[0], denied[0]) == (404, 404, 403)


def test_a_project_that_the_account_may_not_see_is_not_there(site: JiraSandbox, talk: Talk) -> None:
    talk.create()
    site.site.unseen_projects = frozenset({"GOV"})

    assert [talk("GET", path)[0] for path in ("project/GOV", "issue/GOV-1", "project/STEP")] == [404, 404, 200]


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        ({"read:jira-work", "write:jira-work", "read:jira-user"}, [200, 200, 201]),
        ({"read:jira-work"}, [401, 200, 401]),
        (set(), [401, 401, 401]),
    ],
)
def test_a_scoped_token_works_behind_the_gateway_alone_and_for_its_scopes(
    site: JiraSandbox, talk: Talk, scopes: set[str], statuses: list[int]
) -> None:
    site.scopes = frozenset(scopes)
    fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "One"}
    calls = (("GET", "myself", None), ("GET", "project/GOV", None), ("POST", "issue", {"fields": fields}))

    behind = [talk(method, path, body, base=f"/ex/jira/{CLOUD_ID}")[0] for method, path, body in calls]
    directly = [talk(method, path, body)[0] for method, path, body in calls]

    assert behind == statuses
    assert directly == [401, 401, 401]


def test_an_expired_token_gets_empty_answers_from_some_calls_and_401_from_others(site: JiraSandbox, talk: Talk) -> None:
    talk.create()
    site.token_expired = True

    found = talk("GET", "search/jql?jql=project%20%3D%20GOV")
    there = talk("GET", "issue/GOV-1")

    assert (found[0], found[1]["issues"]) == (200, [])
    assert there[0] == 401


def test_a_quota_is_one_for_all_calls(site: JiraSandbox, talk: Talk) -> None:
    site.quota = 2

    assert [talk("GET", path)[0] for path in ("myself", "project/GOV", "project/STEP", "myself")] == [
        200,
        200,
        429,
        429,
    ]
