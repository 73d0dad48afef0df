"""Search on the local Jira: page tokens on Cloud, startAt on Data Center, the index that lags, and the JQL that is understood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from jira import JIRA, JIRAError

from bot.sandbox.jira import Deployment, JiraSandbox
from bot.sandbox.serving import serving


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param)


@pytest.fixture
def client(site: JiraSandbox) -> Iterator[JIRA]:
    with serving(site) as url:
        if site.site.deployment is Deployment.CLOUD:
            auth = (site.email, site.api_token)
            yield JIRA(url, options={"rest_api_version": "3"}, basic_auth=auth, max_retries=0, timeout=5)
        else:
            yield JIRA(url, token_auth=site.token, max_retries=0, timeout=5)


def create(client: JIRA, label: str, summary: str = "Promote bike-demand 7") -> str:
    fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": summary, "labels": [label]}
    return str(client.create_issue(fields=fields, prefetch=False).key)


def keys(client: JIRA, jql: str, size: int = 50) -> list[str]:
    return [str(issue.key) for issue in client.search_issues(jql, maxResults=size, fields="summary")]


def test_issues_are_found_by_label_newest_first(client: JIRA) -> None:
    first, other, second = create(client, "r1"), create(client, "r2"), create(client, "r1")

    assert keys(client, 'project = GOV AND labels = "r1" ORDER BY created DESC') == [second, first]
    assert keys(client, f'project = "GOV" AND labels IN (r2, "r3") AND key in ({first}, {other})') == [other]


def test_all_pages_are_fetched_by_either_way_of_paging(client: JIRA, site: JiraSandbox) -> None:
    made = [create(client, "many") for _ in range(5)]
    client._options["default_batch_size"] = dict.fromkeys(client._options["default_batch_size"], 2)

    found = keys(client, "labels = many ORDER BY key ASC", size=0)

    assert found == made


def test_the_pages_of_cloud_hang_together_by_token_without_a_total(client: JIRA, site: JiraSandbox) -> None:
    if site.site.deployment is Deployment.SERVER:
        pytest.skip("Data Center pages by startAt")
    for _ in range(3):
        create(client, "many")

    first = client.enhanced_search_issues("labels = many", maxResults=2, json_result=True)
    second = client.enhanced_search_issues(
        "labels = many", maxResults=2, json_result=True, nextPageToken=first["nextPageToken"]
    )

    assert "total" not in first
    assert (first["isLast"], second["isLast"]) == (False, True)
    assert "nextPageToken" not in second
    with pytest.raises(JIRAError, match="another query"):
        client.enhanced_search_issues("labels = few", nextPageToken=first["nextPageToken"])


def test_the_other_deployments_search_is_gone(client: JIRA, site: JiraSandbox) -> None:
    cloud = site.site.deployment is Deployment.CLOUD
    path = "search" if cloud else "search/jql"

    answer = requests.get(client._get_url(path), params={"jql": "project = GOV"}, auth=client._session.auth, timeout=5)

    assert answer.status_code == (410 if cloud else 404)
    assert not cloud or "/rest/api/3/search/jql" in answer.json()["errorMessages"][0]


def test_search_lags_behind_creation_change_and_deletion(client: JIRA, site: JiraSandbox) -> None:
    old = create(client, "old")
    site.search_lag = 3600

    new = create(client, "new")

    assert (keys(client, "project = GOV"), site.issue(new).key) == ([], new)
    site.search_lag = 0
    assert keys(client, "project = GOV") == [new, old]
    site.delete(new)
    assert keys(client, "project = GOV") == [old]


@pytest.mark.parametrize(
    ("jql", "words"),
    [
        ("project = NOPE", "'NOPE' does not exist"),
        ("key in (GOV-404)", "'GOV-404' does not exist"),
        ("colour = red", "'colour' does not exist"),
        ("project = GOV OR labels = x", "Expecting 'AND' but got 'OR'"),
        ("labels ~ x", "operator '~' is not supported"),
        ("project = GOV ORDER BY colour", "sort using field 'colour'"),
        ('labels = "open', "was not expected"),
        ("labels =", "ended too early"),
    ],
)
def test_a_query_that_is_not_understood_is_refused_with_the_word(client: JIRA, jql: str, words: str) -> None:
    with pytest.raises(JIRAError) as refused:
        client.search_issues(jql)

    assert refused.value.status_code == 400
    assert words in str(refused.value.text)


def test_quotes_and_backslashes_in_a_value_stay_a_value(client: JIRA) -> None:
    key = create(client, 'odd"\\label')

    assert keys(client, r'labels = "odd\"\\label" AND status = "To Do" AND summary ~ "bike-demand"') == [key]
