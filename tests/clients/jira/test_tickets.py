"""The TicketSystem on the real `jira` library against the local Jira, as Cloud and as Data Center."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, request

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card, Fact, Link, Table
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import Permanent, Rejected, Temporary
from bot.ports import TicketHint
from bot.sandbox.jira import Category, Deployment, JiraSandbox, Project, Status, Transition, Workflow
from bot.sandbox.serving import serving

PLAN = TicketPlan("GOV", "Task", approved="Done", rejected="Won't Do")
KEY = "countersign-0190"
CARD = Card(
    title="bike-demand 7 to @champion",
    summary="Ben asks to move bike-demand 7 to @champion.",
    facts=(Fact("Version", Link("bike-demand 7", "http://mlflow.example/#/models/bike-demand/versions/7")),),
    tables=(Table("Metrics", ("metric", "this version", "champion"), (("mae", "38.2", "41.7"), ("r2", "0.91", ""))),),
    paragraphs=("Fresher weather features.\nLower error on rainy days.",),
    footer="request 0190",
)
HOSTILE = "*b* _i_ -s- [~ana] [x|http://evil.example] http://evil.example !x.png! {code}|| <b> &amp; h1. GOV-1 \\\\ :) (!) --- ??x??"


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param)


@pytest.fixture
def url(site: JiraSandbox) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture
def tickets(site: JiraSandbox, url: str) -> JiraTickets:
    return tickets_of(site, url)


def tickets_of(site: JiraSandbox, url: str, webhook_secrets: tuple[str, ...] = ()) -> JiraTickets:
    if site.site.deployment is Deployment.CLOUD:
        return JiraTickets(url, email=site.email, api_token=site.api_token, webhook_secrets=webhook_secrets)
    return JiraTickets(url, token=site.token, webhook_secrets=webhook_secrets)


def opened(tickets: JiraTickets) -> TicketRef:
    return tickets.open_ticket(PLAN, CARD, KEY).ref


def test_nothing_is_opened_before_the_first_call(site: JiraSandbox, tickets: JiraTickets) -> None:
    assert list(site.calls) == []


def test_a_ticket_carries_title_labels_and_the_whole_card(site: JiraSandbox, url: str, tickets: JiraTickets) -> None:
    ref = opened(tickets)

    issue = site.issue(ref.key)
    assert ref == TicketRef(issue.id, "GOV-1", f"{url}/browse/GOV-1")
    assert (issue.summary, issue.issue_type, issue.labels) == (CARD.title, "Task", ("countersign", KEY))
    html = issue.description.as_html() if issue.description else ""
    assert 'href="http://mlflow.example/#/models/bike-demand/versions/7"' in html
    assert "<th>" in html
    for text in ("Ben asks to move", "this version", "41.7", "Fresher weather", "request 0190"):
        assert text in html


def test_a_ticket_is_found_by_its_key_and_no_other(tickets: JiraTickets) -> None:
    ref = opened(tickets)

    found = tickets.find_ticket(PLAN, KEY)

    assert found is not None
    assert (found.ref, found.status) == (ref, "To Do")
    assert tickets.find_ticket(PLAN, "countersign-0191") is None


def test_a_ticket_that_somebody_else_made_with_our_label_is_not_adopted(
    site: JiraSandbox, tickets: JiraTickets
) -> None:
    ours = site.issue(opened(tickets).key)
    somebody = next(person for person in site.site.people if person != site.bot)
    site.site.create(replace(ours, reporter=somebody, labels=("countersign", "countersign-0191")))

    assert tickets.find_ticket(PLAN, "countersign-0191") is None
    assert tickets.find_ticket(PLAN, KEY) is not None


def test_should_there_ever_be_two_the_oldest_is_adopted(tickets: JiraTickets) -> None:
    first = opened(tickets)
    opened(tickets)

    found = tickets.find_ticket(PLAN, KEY)

    assert found is not None
    assert found.ref == first


def test_a_lagging_search_does_not_find_what_was_just_made(site: JiraSandbox, tickets: JiraTickets) -> None:
    site.search_lag = 3600

    opened(tickets)

    assert tickets.find_ticket(PLAN, KEY) is None
    assert tickets.search_settles > 0


def test_a_link_with_the_same_key_is_replaced(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)

    tickets.link(ref, "card:0190", "Slack: the card", "https://slack.example/p1")
    tickets.link(ref, "card:0190", "Slack: the card", "https://slack.example/p2")
    tickets.link(ref, "version:0190", "MLflow", "https://mlflow.example/7")

    assert [link.url for link in site.remote_links(ref.key)] == ["https://slack.example/p2", "https://mlflow.example/7"]


def test_a_link_that_is_no_web_address_is_refused(tickets: JiraTickets) -> None:
    with pytest.raises(Permanent, match="not a web address"):
        tickets.link(TicketRef("1", "GOV-1", ""), "k", "x", "javascript:alert(1)")


def test_a_comment_is_added_once_for_each_key(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)

    for key in ("decision:0190:approved", "decision:0190:approved", "decision:0190:applied"):
        tickets.comment(ref, key, "Approved by Ana Ruiz.\n\nMeaning: it may ship.")

    assert len(site.comments(ref.key)) == 2
    assert all("Meaning: it may ship." in comment.text for comment in site.comments(ref.key))


def test_a_comment_is_recognised_among_hundreds_of_others(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    for number in range(120):
        site.comment(ref.key, f"chatter {number}", "ana")
    tickets.comment(ref, "decision:0190:approved", "Approved.")

    tickets.comment(ref, "decision:0190:approved", "Approved.")

    assert len(site.comments(ref.key)) == 121


def test_comments_that_are_made_together_are_one_and_each_is_recognised_later(
    site: JiraSandbox, tickets: JiraTickets
) -> None:
    ref = opened(tickets)

    tickets.comment(ref, "decision:0190", "Approved.", also={"outcome:0190": "It is the champion."})
    for key in ("decision:0190", "outcome:0190"):
        tickets.comment(ref, key, "Said again.")
    tickets.comment(ref, "outcome:0190", "Said again.", also={"later:0190": "Something more."})

    first, second = site.comments(ref.key)
    assert all(said in first.text for said in ("Approved.", "It is the champion."))
    assert "Something more." in second.text
    assert "Said again." not in first.text + second.text


def test_a_comment_that_is_certainly_new_costs_one_call(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    before = len(list(site.calls))

    tickets.comment(ref, "decision:0190", "Approved.", is_new=True)

    assert len(list(site.calls)) - before == 1
    tickets.comment(ref, "decision:0190", "Approved.")
    assert len(site.comments(ref.key)) == 1


def test_a_comment_of_a_release_that_marked_one_key_alone_is_recognised(
    site: JiraSandbox, tickets: JiraTickets
) -> None:
    ref = opened(tickets)
    tickets.comment(ref, "decision:0190", "Approved.")
    (comment,) = site.comments(ref.key)
    issue = site.issue(ref.key)
    if comment.properties:
        site.site.put_comment(issue, replace(comment, properties={"countersign": {"key": "decision:0190"}}), site.bot)

    tickets.comment(ref, "decision:0190", "Approved.")

    assert len(site.comments(ref.key)) == 1


def test_nobody_elses_comment_passes_for_ours(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.comment(ref.key, "Approved.\n\ncountersign:decision:0190:approved", "ana")

    tickets.comment(ref, "decision:0190:approved", "Rejected by Cy.\ncountersign:decision:0190:applied")
    tickets.comment(ref, "decision:0190:applied", "Put back.")

    assert [comment.author.display_name for comment in site.comments(ref.key)] == [
        "Ana Ruiz",
        "Countersign",
        "Countersign",
    ]


def test_no_text_comes_alive_in_a_comment_or_a_description(site: JiraSandbox, tickets: JiraTickets) -> None:
    card = Card(HOSTILE, HOSTILE, (Fact(HOSTILE, HOSTILE),), (Table(HOSTILE, (HOSTILE,), ((HOSTILE,),)),), (HOSTILE,))

    ref = tickets.open_ticket(PLAN, card, KEY).ref
    tickets.comment(ref, "decision:0190:approved", HOSTILE)

    description = site.issue(ref.key).description
    for body in (site.comments(ref.key)[0].body, description):
        html = body.as_html() if body else ""
        assert not [live for live in ("<strong", "<em", "<del", "<a ", "<b>", "chip", "<code", "macro") if live in html]
        assert "[~ana]" in html.replace("&#91;", "[").replace("&#126;", "~").replace("&#93;", "]")


def test_a_link_of_a_card_to_anything_but_the_web_is_only_text(site: JiraSandbox, tickets: JiraTickets) -> None:
    card = Card("x", "x", (Fact("Run", Link("the run", "javascript:alert(1)")),))

    ref = tickets.open_ticket(PLAN, card, KEY).ref

    description = site.issue(ref.key).description
    assert description is not None
    assert "the run" in description.as_html()
    assert "<a " not in description.as_html()


def test_a_huge_card_is_shortened_until_jira_takes_it(site: JiraSandbox, tickets: JiraTickets) -> None:
    rows = tuple((f"metric-{number}", "|" * 300, "[x]" * 100) for number in range(3000))
    card = Card("t" * 400, "s" * 9000, tables=(Table("Metrics", ("a", "b", "c"), rows),), paragraphs=("p" * 50_000,))

    key = tickets.open_ticket(PLAN, card, KEY).ref.key

    assert len(site.issue(key).summary) == 255
    assert "rows)" in site.issue(key).description_text


@pytest.mark.parametrize("to", ["21", "approve", "DONE"])
def test_a_ticket_moves_by_id_by_name_or_by_target_status(site: JiraSandbox, tickets: JiraTickets, to: str) -> None:
    ref = opened(tickets)

    tickets.move(ref, to)
    tickets.move(ref, to)

    assert site.issue(ref.key).status.name == "Done"
    assert [path for path in site.calls if path.startswith("POST") and path.endswith("/transitions")] == [
        f"POST /rest/api/{3 if site.site.deployment is Deployment.CLOUD else 2}/issue/{ref.id}/transitions"
    ]


def test_a_screens_resolution_is_filled_in(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)

    tickets.move(ref, "Won't Do")

    assert (site.issue(ref.key).status.name, site.issue(ref.key).resolution) == ("Won't Do", "Won't Do")


def test_a_ticket_that_somebody_moved_there_already_is_left_alone(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.transition(ref.key, "Approve", "ana")

    tickets.move(ref, "done")

    assert [change.author.display_name for change in site.issue(ref.key).history] == ["Ana Ruiz"]


def test_a_missing_road_lists_the_roads_there_are(tickets: JiraTickets) -> None:
    ref = opened(tickets)

    with pytest.raises(Permanent) as refused:
        tickets.move(ref, "Shipped")

    assert '"Approve" (id 21) to Done' in str(refused.value)
    assert '"Decline" (id 31) to Won\'t Do, asks for resolution' in str(refused.value)


def test_a_screen_that_cannot_be_filled_is_told_not_guessed() -> None:
    waiting, shipped = Status("1", "Waiting", Category.TO_DO), Status("2", "Shipped", Category.DONE)
    road = Transition("5", "Ship", shipped, sources=(waiting,), screen=("resolution", "approver"))
    site = JiraSandbox(projects=(Project("GOV", "Governance", workflow=Workflow((waiting, shipped), (road,))),))

    with serving(site) as url:
        tickets = tickets_of(site, url)
        ref = opened(tickets)
        with pytest.raises(Permanent) as refused:
            tickets.move(ref, "Shipped")

    assert "asks for what Countersign cannot know" in str(refused.value)
    assert "approver: any approver" in str(refused.value)


def test_without_the_permission_to_transition_the_message_says_so(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.denied_permissions = frozenset({"TRANSITION_ISSUES"})

    with pytest.raises(Permanent, match="permission Transition issues"):
        tickets.move(ref, "Done")


def test_the_status_of_a_ticket_is_read_by_its_id(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.transition(ref.key, "Start review", "ben")

    assert tickets.get_ticket(ref).status == "In Progress"


def test_a_deleted_ticket_is_permanent(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.delete(ref.key)

    with pytest.raises(Permanent, match=r"GOV-1 .*deleted"):
        tickets.get_ticket(ref)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (TicketPlan("NOPE", "Task", "Done", "Done"), "opening a Task in NOPE"),
        (TicketPlan("GOV", "Epic", "Done", "Done"), "valid issue type"),
    ],
)
def test_a_plan_that_does_not_fit_the_site_is_permanent_and_says_what_to_check(
    tickets: JiraTickets, plan: TicketPlan, words: str
) -> None:
    with pytest.raises(Permanent, match=words) as refused:
        tickets.open_ticket(plan, CARD, KEY)

    assert "ticket section" in str(refused.value)


def test_wrong_credentials_are_permanent_and_name_the_variables(site: JiraSandbox, url: str) -> None:
    cloud = site.site.deployment is Deployment.CLOUD
    tickets = JiraTickets(url, email=site.email, api_token="wrong") if cloud else JiraTickets(url, token="wrong")

    with pytest.raises(Permanent, match="JIRA_API_TOKEN" if cloud else "JIRA_TOKEN"):
        tickets.find_ticket(PLAN, KEY)


def test_a_missing_permission_is_permanent(site: JiraSandbox, tickets: JiraTickets) -> None:
    site.denied_permissions = frozenset({"CREATE_ISSUES"})

    with pytest.raises(Permanent, match="permission"):
        opened(tickets)


def test_the_per_issue_limit_is_temporary_with_its_wait(site: JiraSandbox, tickets: JiraTickets) -> None:
    ref = opened(tickets)
    site.limit_writes = True
    for number in range(20):
        tickets.link(ref, f"k{number}", "x", "https://mlflow.example/")

    with pytest.raises(Temporary) as limited:
        tickets.link(ref, "one more", "x", "https://mlflow.example/")

    assert limited.value.retry_after >= 1


def test_a_webhook_from_jira_is_believed_as_far_as_the_tickets_id(site: JiraSandbox, url: str) -> None:
    believed: queue.SimpleQueue[TicketHint] = queue.SimpleQueue()
    tickets = tickets_of(site, url, webhook_secrets=("newer-secret", "sandbox-jira-webhook-secret"))
    receiver = Flask(__name__)

    @receiver.post("/")
    def take() -> str:
        believed.put(tickets.read_webhook(dict(request.headers), request.get_data()))
        return ""

    ref = opened(tickets)
    with serving(receiver) as address:
        site.webhook_url = address
        site.transition(ref.key, "Approve", "ana")
        hint = believed.get(timeout=10)

    assert hint.ticket_id == ref.id


def test_without_a_secret_no_webhook_is_believed(tickets: JiraTickets) -> None:
    with pytest.raises(Rejected, match="JIRA_WEBHOOK_SECRET"):
        tickets.read_webhook({}, b"{}")
