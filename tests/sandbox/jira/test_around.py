"""Around the local Jira's REST: faults on demand, signed webhooks, the pages and the routes behind their buttons."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from flask import Flask, request
from jira import JIRA, JIRAError
from werkzeug.datastructures import Headers

from bot.sandbox.jira import Deployment, JiraSandbox, Project, Refusal
from bot.sandbox.jira.bodies import Body
from bot.sandbox.serving import serving

Arrived = tuple[Headers, bytes]


@pytest.fixture
def site() -> JiraSandbox:
    return JiraSandbox(deployment=Deployment.SERVER, webhook_pauses=(0.0, 0.0))


@pytest.fixture
def url(site: JiraSandbox) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture
def client(site: JiraSandbox, url: str) -> JIRA:
    return JIRA(url, token_auth=site.token, max_retries=0, timeout=5)


def create(client: JIRA, **fields: object) -> str:
    asked = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Promote bike-demand 7"} | fields
    return str(client.create_issue(fields=asked, prefetch=False).key)


class Receiver:
    """Takes webhooks, answering with the given statuses first and 200 after them."""

    def __init__(self, *statuses: int) -> None:
        self.arrived: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        self.statuses = list(statuses)
        self.app = Flask(__name__)
        self.app.add_url_rule("/", view_func=self.take, methods=["POST"])

    def take(self) -> tuple[str, int]:
        self.arrived.put((request.headers, request.get_data()))
        return "", self.statuses.pop(0) if self.statuses else 200

    def next(self) -> Arrived:
        return self.arrived.get(timeout=10)


@pytest.mark.parametrize(("kind", "created"), [("cut", 1), ("malformed", 1), ("down", 0), ("status", 0)])
def test_a_fault_decides_whether_the_issue_was_made_although_the_client_fails(
    site: JiraSandbox, client: JIRA, kind: str, created: int
) -> None:
    site.faults.add(kind, "/issue$", method="POST")

    with pytest.raises((JIRAError, requests.RequestException)):
        create(client)

    assert len(site.issues()) == created
    assert site.calls.count("POST /rest/api/2/issue") == 1


def test_a_webhook_is_signed_and_tells_what_changed(site: JiraSandbox, client: JIRA) -> None:
    receiver = Receiver()
    key = create(client)

    with serving(receiver.app) as address:
        site.webhook_url = address
        site.transition(key, "Approve", "ana@example.com")
        headers, body = receiver.next()

    signature = hmac.new(b"sandbox-jira-webhook-secret", body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert headers["X-Hub-Signature"] == f"sha256={signature}"
    assert headers["X-Atlassian-Webhook-Identifier"]
    assert (told["webhookEvent"], told["issue"]["key"], told["user"]["name"]) == ("jira:issue_updated", key, "ana")
    assert ("status", "To Do", "Done") in [
        (i["field"], i["fromString"], i["toString"]) for i in told["changelog"]["items"]
    ]


def test_comments_and_deletions_are_told_in_the_order_in_which_they_happened(site: JiraSandbox, client: JIRA) -> None:
    receiver = Receiver()

    with serving(receiver.app) as address:
        site.webhook_url = address
        key = create(client)
        site.comment(key, "Looks fine", "ben")
        site.delete(key, "cy")
        told = [json.loads(receiver.next()[1])["webhookEvent"] for _ in range(3)]

    assert told == ["jira:issue_created", "comment_created", "jira:issue_deleted"]


def test_a_webhook_is_tried_again_under_the_same_identifier_but_not_for_ever(site: JiraSandbox, client: JIRA) -> None:
    receiver = Receiver(503, 503, 503)

    with serving(receiver.app) as address:
        site.webhook_url = address
        create(client)
        tries = [receiver.next()[0] for _ in range(3)]
        create(client)
        after = receiver.next()[0]

    assert len({headers["X-Atlassian-Webhook-Identifier"] for headers in tries}) == 1
    assert [headers.get("X-Atlassian-Webhook-Retry") for headers in (*tries, after)] == [None, "1", "2", None]


def test_a_refused_webhook_is_not_tried_again(site: JiraSandbox, client: JIRA) -> None:
    receiver = Receiver(401)

    with serving(receiver.app) as address:
        site.webhook_url = address
        first, second = create(client), create(client)
        told = [json.loads(receiver.next()[1])["issue"]["key"] for _ in range(2)]

    assert told == [first, second]


def test_the_board_and_the_ticket_show_texts_as_texts(client: JIRA, site: JiraSandbox, url: str) -> None:
    key = create(client, summary="<b>Promote</b>", description="<script>alert(1)</script> *strong*")
    client.add_simple_link(key, {"url": "javascript:alert(1)", "title": "a link"})

    board, ticket = requests.get(url, timeout=5), requests.get(f"{url}/browse/{key}", timeout=5)

    assert "&lt;b&gt;Promote&lt;/b&gt;" in board.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <strong>strong</strong>" in ticket.text
    assert "javascript:alert" not in ticket.text
    assert ticket.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_ticket_that_is_gone_has_a_page_that_says_so(url: str) -> None:
    answer = requests.get(f"{url}/browse/GOV-9", timeout=5)

    assert answer.status_code == 404
    assert "GOV-9 is not here" in answer.text


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("*strong* _em_ {{mono}}", "<strong>strong</strong> <em>em</em> <code>mono</code>"),
        (r"\*plain\* &#91;~ana]", "*plain* &#91;~ana]"),
        ("bike-demand and snake_case_name", "bike-demand and snake_case_name"),
        ("[~ana]", '<span class="chip mention">@ana</span>'),
        (
            "[here|https://a.example/x]",
            '<a href="https://a.example/x" rel="noopener noreferrer nofollow">here</a>',
        ),
        ("[here|javascript:x]", "here"),
        ("!https://a.example/x.png!", '<span class="chip image">https://a.example/x.png</span>'),
    ],
)
def test_wiki_markup_comes_alive_and_escapes_do_not(markup: str, html: str) -> None:
    assert Body(markup=markup).as_html() == f"<p>{html}</p>"


def test_the_buttons_routes_do_what_the_buttons_say(client: JIRA, site: JiraSandbox, url: str) -> None:
    key = create(client)
    road = {"name": "Decline", "person": "ana", "resolution": "Duplicate"}

    moved = requests.post(f"{url}/_sandbox/issues/{key}/transition", json=road, timeout=5).json()
    requests.post(f"{url}/_sandbox/issues/{key}/comments", json={"text": "No.", "person": "ben"}, timeout=5)
    again = requests.post(f"{url}/_sandbox/issues/{key}/transition", json=road, timeout=5)
    form = requests.post(f"{url}/_sandbox/issues/{key}/comments", data={"text": "x", "person": "ben"}, timeout=5)

    assert moved["fields"]["status"]["name"] == "Won't Do"
    assert (site.issue(key).resolution, site.issue(key).history[-1].author.display_name) == ("Duplicate", "Ana Ruiz")
    assert [(comment.author.display_name, comment.text) for comment in site.comments(key)] == [("Ben Okafor", "No.")]
    assert (again.status_code, form.status_code) == (400, 400)


def test_nothing_is_lost_when_many_write_at_once(client: JIRA, site: JiraSandbox, url: str) -> None:
    key = create(client)
    headers = {"Authorization": f"Bearer {site.token}"}

    def write(number: int) -> None:
        base = f"{url}/rest/api/2/issue/{key}"
        link = {"globalId": f"link-{number}", "object": {"url": "https://mlflow.example", "title": "MLflow"}}
        requests.post(f"{base}/comment", json={"body": f"comment {number}"}, headers=headers, timeout=5)
        requests.put(base, json={"update": {"labels": [{"add": f"label-{number}"}]}}, headers=headers, timeout=5)
        requests.post(f"{base}/remotelink", json=link, headers=headers, timeout=5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))

    issue = site.issue(key)
    assert (len(issue.comments), len(issue.labels), len(issue.remote_links)) == (24, 24, 24)


def test_nobody_acts_under_an_unknown_name(client: JIRA, site: JiraSandbox) -> None:
    key = create(client)

    with pytest.raises(Refusal, match="nobody called 'mallory'"):
        site.transition(key, "Approve", "mallory")


def found_projects(deployment: Deployment, **unusual: object) -> requests.Response:
    site = JiraSandbox(deployment=deployment)
    site.site.projects = (*(Project(f"P{number}", "One") for number in range(60)), *site.site.projects)
    for name, value in unusual.items():
        setattr(site.site, name, value)
    auth = (site.email, site.api_token) if deployment is Deployment.CLOUD else None
    headers = {} if auth else {"Authorization": f"Bearer {site.token}"}
    with serving(site) as address:
        asked = {"startAt": "50", "maxResults": "100"}
        return requests.get(f"{address}/rest/api/2/project/search", asked, auth=auth, headers=headers, timeout=5)


def test_cloud_lists_projects_in_pages_of_fifty_and_only_what_the_account_may_browse() -> None:
    page = found_projects(Deployment.CLOUD).json()
    seen = found_projects(Deployment.CLOUD, unseen_projects=frozenset({"GOV"})).json()

    assert (page["maxResults"], page["total"], page["isLast"]) == (50, 61, True)
    assert [project["key"] for project in page["values"]][-1] == "GOV"
    assert seen["total"] == 60


def test_data_center_has_no_such_list() -> None:
    assert found_projects(Deployment.SERVER).status_code == 404
