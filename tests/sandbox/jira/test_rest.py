"""The local Jira, talked to by the real `jira.JIRA` client, as Cloud and as Data Center: what it keeps and what it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from jira import JIRA, JIRAError

from bot.sandbox.jira import Deployment, JiraSandbox, Project
from bot.sandbox.serving import serving

PROJECTS = (Project("GOV", "Model governance"), Project("OPS", "Operations", issue_types=("Incident",)))


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param, projects=PROJECTS)


@pytest.fixture
def cloud_site() -> JiraSandbox:
    return JiraSandbox(projects=PROJECTS)


@pytest.fixture
def client(site: JiraSandbox) -> Iterator[JIRA]:
    with serving(site) as url:
        yield a_client(site, url)


@pytest.fixture
def cloud(cloud_site: JiraSandbox) -> Iterator[JIRA]:
    with serving(cloud_site) as url:
        yield a_client(cloud_site, url)


def a_client(site: JiraSandbox, url: str) -> JIRA:
    if site.site.deployment is Deployment.CLOUD:
        return JIRA(
            url,
            options={"rest_api_version": "3"},
            basic_auth=(site.email, site.api_token),
            max_retries=0,
            timeout=5,
        )
    return JIRA(url, token_auth=site.token, max_retries=0, timeout=5)


def a_text(client: JIRA, text: str) -> Any:
    """A paragraph as this client's API version wants it."""
    return adf(text) if client.deploymentType == "Cloud" else text


def adf(text: str) -> dict[str, object]:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def create(client: JIRA, **fields: object) -> str:
    asked = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Promote bike-demand 7"} | fields
    return str(client.create_issue(fields=asked, prefetch=False).key)


def refused(call: Callable[[], object]) -> requests.Response:
    """The answer with which Jira refuses the call."""
    with pytest.raises(JIRAError) as caught:
        call()
    assert caught.value.response is not None
    return caught.value.response


def test_the_client_knows_which_deployment_it_talks_to_and_as_whom(client: JIRA, site: JiraSandbox) -> None:
    me = client.myself()

    assert client.deploymentType == ("Cloud" if site.site.deployment is Deployment.CLOUD else "Server")
    assert me["emailAddress"] == site.email


def test_a_created_issue_can_be_read_back_with_its_text(client: JIRA, site: JiraSandbox) -> None:
    key = create(client, description=a_text(client, "Lower error"), labels=["countersign-1"])

    issue = client.issue(key, expand="transitions,changelog")

    assert issue.fields.summary == "Promote bike-demand 7"
    assert issue.raw["fields"]["description"] == a_text(client, "Lower error")
    assert issue.fields.status.name == "To Do"
    assert [road["name"] for road in issue.raw["transitions"]] == ["Start review", "Approve", "Decline"]
    assert site.issue(key).description_text == "Lower error"


@pytest.mark.parametrize(
    ("fields", "field", "what"),
    [
        ({"project": {"key": "NOPE"}}, "project", "valid project"),
        ({"issuetype": {"name": "Incident"}}, "issuetype", "valid issue type"),
        ({"summary": ""}, "summary", "specify a summary"),
        ({"summary": "x" * 256}, "summary", "less than 255"),
        ({"summary": "two\nlines"}, "summary", "newline"),
        ({"labels": ["two words"]}, "labels", "contains spaces"),
        ({"labels": ["x" * 256]}, "labels", "maximum length"),
        ({"customfield_1": "x"}, "customfield_1", "unknown"),
        ({"priority": {"name": "Urgent"}}, "priority", "invalid"),
        ({"assignee": {"accountId": "nobody"}}, "assignee", "does not exist"),
        ({"description": ["neither"]}, "description", "Operation value must be"),
    ],
)
def test_a_create_with_a_wrong_field_is_refused_by_that_fields_name(
    client: JIRA, fields: dict[str, object], field: str, what: str
) -> None:
    refusal = refused(lambda: create(client, **fields))

    assert refusal.status_code == 400
    assert what in refusal.json()["errors"][field]


def test_all_mistakes_of_a_create_are_told_at_once(client: JIRA) -> None:
    refusal = refused(lambda: create(client, project={"key": "NOPE"}, summary="", labels=["a b"]))

    assert refusal.json()["errors"].keys() == {"project", "summary", "labels"}


@pytest.mark.parametrize(
    "document",
    [
        "plain text",
        {"type": "doc", "version": 1, "content": [{"type": "text", "text": "not in a paragraph"}]},
        {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": ""}]}]},
        {"type": "doc", "version": 1, "content": [{"type": "heading", "attrs": {"level": 9}, "content": []}]},
        {"type": "doc", "version": 1, "content": [{"type": "bulletList", "content": []}]},
        {"type": "doc", "content": []},
    ],
)
def test_version_3_takes_only_a_valid_atlassian_document(cloud: JIRA, document: object) -> None:
    refusal = refused(lambda: create(cloud, description=document))

    assert "description" in refusal.json()["errors"]


def test_an_edit_changes_fields_and_labels_and_leaves_history(client: JIRA, site: JiraSandbox) -> None:
    key = create(client, labels=["one"])

    client.issue(key).update(fields={"summary": "Promote 8"}, update={"labels": [{"add": "two"}, {"remove": "one"}]})

    assert (site.issue(key).summary, site.issue(key).labels) == ("Promote 8", ("two",))
    changes = client.issue(key, expand="changelog").changelog.histories[0].items
    assert {item.field: item.toString for item in changes} == {"summary": "Promote 8", "labels": "two"}


def test_a_deleted_issue_is_not_found_in_jiras_words(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)
    client.issue(key).delete()  # type: ignore[no-untyped-call]

    refusal = refused(lambda: client.issue(key))

    assert refusal.status_code == 404
    assert refusal.json()["errorMessages"] == ["Issue does not exist or you do not have permission to see it."]
    assert site.issues() == []


def test_a_transition_leads_to_its_status_which_has_another_name(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)

    client.transition_issue(key, "Approve")

    assert (site.issue(key).status.name, site.issue(key).resolution) == ("Done", "Done")


def test_a_transition_with_a_screen_shows_its_fields_and_insists_on_them(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)
    decline = next(road for road in client.transitions(key, expand="transitions.fields") if road["name"] == "Decline")

    refusal = refused(lambda: client.transition_issue(key, "Decline"))
    client.transition_issue(key, "Decline", fields={"resolution": {"name": "Won't Do"}})

    assert decline["hasScreen"]
    assert "Won't Do" in [value["name"] for value in decline["fields"]["resolution"]["allowedValues"]]
    assert refusal.json()["errors"] == {"resolution": "Resolution is required."}
    assert (site.issue(key).status.name, site.issue(key).resolution) == ("Won't Do", "Won't Do")


@pytest.mark.parametrize(
    ("transition", "fields"), [("41", {}), ("999", {}), ("21", {"resolution": {"name": "Duplicate"}})]
)
def test_an_illegal_transition_or_a_field_that_is_on_no_screen_is_refused(
    client: JIRA, transition: str, fields: dict[str, object]
) -> None:
    key = create(client)

    refusal = refused(lambda: client.transition_issue(key, transition, fields=fields))

    assert refusal.status_code == 400


def test_comments_are_added_updated_and_listed(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)
    comment = client.add_comment(key, a_text(client, "first"))

    comment.update(body=a_text(client, "second"))

    assert [listed.id for listed in client.comments(key)] == [comment.id]
    assert [kept.text for kept in site.comments(key)] == ["second"]


def test_comment_properties_are_read_by_comment_ids_on_cloud(cloud: JIRA, cloud_site: JiraSandbox) -> None:
    key = create(cloud)
    base = f"{cloud.server_url}/rest/api/3"
    mark = {"key": "countersign", "value": {"key": "r1"}}
    cloud._session.post(f"{base}/issue/{key}/comment", data=json.dumps({"body": adf("Approved"), "properties": [mark]}))
    comment_id = cloud_site.comments(key)[0].id

    listed = cloud._session.post(f"{base}/comment/list?expand=properties", data=json.dumps({"ids": [int(comment_id)]}))

    assert listed.json()["values"][0]["properties"] == [mark]


def test_a_remote_link_with_the_same_global_id_is_replaced(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)

    for title in ("bike-demand 7", "bike-demand version 7"):
        client.add_remote_link(key, {"url": "https://mlflow.example/7", "title": title}, globalId="r1-mlflow")

    assert [(link.global_id, link.title) for link in site.remote_links(key)] == [("r1-mlflow", "bike-demand version 7")]
    assert [link.globalId for link in client.remote_links(key)] == ["r1-mlflow"]


def test_issue_properties_watchers_and_attachments_are_kept(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)

    client.add_issue_property(key, "countersign", {"request": "r1"})
    client.add_watcher(key, "ana")
    attached = client.add_attachment(key, io.BytesIO(b"{}"), filename="attestation.json")

    assert client.issue_property(key, "countersign").value.request == "r1"
    assert {person.displayName for person in client.watchers(key).watchers} == {"Countersign", "Ana Ruiz"}
    assert client.attachment(attached.id).get() == b"{}"  # type: ignore[no-untyped-call]
    assert site.issue(key).attachments[0].filename == "attestation.json"


def test_people_are_found_by_e_mail_and_by_id(client: JIRA) -> None:
    found = client.search_users(user="ben@example.com", query="ben@example.com")

    assert [person.displayName for person in found] == ["Ben Okafor"]
    assert client.user("cy").displayName == "Cy Lindqvist"
    assert [p.displayName for p in client.search_assignable_users_for_issues("ana", project="GOV")] == ["Ana Ruiz"]


def test_project_metadata_tells_types_statuses_and_required_fields(client: JIRA) -> None:
    base = client._get_url("issue/createmeta/GOV/issuetypes")

    types = client._session.get(base).json()
    listed = types.get("issueTypes") or types["values"]
    fields = client._session.get(f"{base}/{listed[0]['id']}").json()

    assert [kind["name"] for kind in listed] == ["Task", "Bug", "Story"]
    assert [field["fieldId"] for field in fields.get("fields") or fields["values"] if field["required"]] == [
        "summary",
        "project",
        "issuetype",
    ]
    assert [kind.name for kind in client.project("OPS").issueTypes] == ["Incident"]
    assert [status.name for status in client.issue_types_for_project("GOV")[0].statuses] == [
        "To Do",
        "In Progress",
        "Done",
        "Won't Do",
    ]


def test_cloud_still_has_the_old_create_metadata_and_data_center_9_has_not(site: JiraSandbox, client: JIRA) -> None:
    if site.site.deployment is Deployment.CLOUD:
        found = client.createmeta(projectKeys="GOV", expand="projects.issuetypes.fields")
        assert "summary" in found["projects"][0]["issuetypes"][0]["fields"]
    else:
        assert refused(lambda: client._session.get(client._get_url("issue/createmeta"))).status_code == 404


def test_a_permission_that_is_taken_away_shows_and_bites(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)
    site.denied_permissions = frozenset({"ADD_COMMENTS"})

    held: Any = client.my_permissions(projectKey="GOV", permissions="ADD_COMMENTS,CREATE_ISSUES")["permissions"]
    refusal = refused(lambda: client.add_comment(key, a_text(client, "hello")))

    assert {name: held[name]["havePermission"] for name in held} == {"ADD_COMMENTS": False, "CREATE_ISSUES": True}
    assert refusal.status_code == 403


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "Basic not-base64"])
def test_wrong_credentials_are_401_with_the_login_reason(site: JiraSandbox, client: JIRA, header: str) -> None:
    answer = requests.get(client._get_url("myself"), headers={"Authorization": header} if header else {}, timeout=5)

    assert answer.status_code == 401
    assert answer.headers["X-Seraph-LoginReason"] == ("AUTHENTICATED_FAILED" if header else "AUTHENTICATION_DENIED")


def test_the_21st_write_within_two_seconds_is_limited_when_that_is_on(cloud: JIRA, cloud_site: JiraSandbox) -> None:
    key = create(cloud)
    cloud_site.limit_writes = True
    for number in range(20):
        cloud.add_issue_property(key, "n", number)

    refusal = refused(lambda: cloud.add_issue_property(key, "n", 20))

    assert refusal.status_code == 429
    assert refusal.headers["RateLimit-Reason"] == "jira-per-issue-on-write"
    assert int(refusal.headers["Retry-After"]) >= 1
