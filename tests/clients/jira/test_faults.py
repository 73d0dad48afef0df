"""Lost answers and passing trouble: what each does to the client, and that one ticket and one comment come out of it all the same."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.ports import Ticket
from bot.sandbox.jira import Deployment, JiraSandbox
from bot.sandbox.serving import serving

PLAN = TicketPlan("GOV", "Task", approved="Done", rejected="Won't Do")
CARD = Card(title="bike-demand 7 to @champion", summary="Ben asks.")
KEY = "countersign-0190"
CREATE = "/issue$"

# kind of fault -> (its options, what the client raises, whether Jira wrote)
FAULTS: dict[str, tuple[dict[str, object], type[OutsideError], bool]] = {
    "cut": ({"kind": "cut"}, OutcomeUnknown, True),
    "malformed": ({"kind": "malformed"}, OutcomeUnknown, True),
    "slow": ({"kind": "slow", "seconds": 3.0}, OutcomeUnknown, True),
    "down": ({"kind": "down"}, OutcomeUnknown, False),
    "500": ({"kind": "status", "status": 500}, OutcomeUnknown, False),
    "503": ({"kind": "status", "status": 503}, Temporary, False),
    "429": ({"kind": "status", "status": 429, "seconds": 7}, Temporary, False),
}


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param)


@pytest.fixture
def fault() -> str:
    """The tests that are about one choose it."""
    return ""


@pytest.fixture
def tickets(site: JiraSandbox, fault: str) -> Iterator[JiraTickets]:
    """On a loaded machine every answer is slow, so only who is about slow answers gives up soon."""
    patience = 1.5 if fault == "slow" else 60.0
    with serving(site) as url:
        if site.site.deployment is Deployment.CLOUD:
            yield JiraTickets(url, email=site.email, api_token=site.api_token, timeout=patience)
        else:
            yield JiraTickets(url, token=site.token, timeout=patience)


def look_up_then_open(tickets: JiraTickets) -> Ticket:
    """What the effect does on each try."""
    return tickets.find_ticket(PLAN, KEY) or tickets.open_ticket(PLAN, CARD, KEY)


def until_it_works(attempt: Callable[[], Ticket | None], tries: int = 4) -> Ticket | None:
    for _ in range(tries - 1):
        try:
            return attempt()
        except (Temporary, OutcomeUnknown):
            continue
    return attempt()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_on_create_ends_in_exactly_one_ticket(site: JiraSandbox, tickets: JiraTickets, fault: str) -> None:
    options, expected, wrote = FAULTS[fault]
    site.faults.add(path=CREATE, method="POST", **options)  # type: ignore[arg-type]  # the table's values fit

    with pytest.raises(expected):
        look_up_then_open(tickets)
    assert wait_for_issues(site, int(wrote)) == int(wrote)
    ticket = until_it_works(lambda: look_up_then_open(tickets))

    assert [issue.key for issue in site.issues()] == [ticket.ref.key if ticket else ""]


def wait_for_issues(site: JiraSandbox, expected: int) -> int:
    """A slow answer is written after the client gave up: a minute at the most."""
    deadline = time.monotonic() + 60
    while len(site.issues()) < expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(site.issues())


@pytest.mark.parametrize("fault", ["cut", "malformed", "down", "500", "429"])
def test_every_fault_on_a_comment_ends_in_exactly_one_comment(
    site: JiraSandbox, tickets: JiraTickets, fault: str
) -> None:
    options, expected, _ = FAULTS[fault]
    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    site.faults.add(path="/comment$", method="POST", **options)  # type: ignore[arg-type]  # the table's values fit

    with pytest.raises(expected):
        tickets.comment(ref, "decision:0190:approved", "Approved.")
    tickets.comment(ref, "decision:0190:approved", "Approved.")

    assert len(site.comments(ref.key)) == 1


@pytest.mark.parametrize("fault", ["cut", "malformed", "500"])
@pytest.mark.parametrize("to", ["Approve", "Done", "31"])
def test_a_move_whose_answer_was_lost_may_be_repeated(
    site: JiraSandbox, tickets: JiraTickets, fault: str, to: str
) -> None:
    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    site.faults.add(path="/transitions$", method="POST", **FAULTS[fault][0])  # type: ignore[arg-type]  # as above

    if fault != "malformed":  # half of an empty answer is an empty answer
        with pytest.raises(Temporary):
            tickets.move(ref, to)
    else:
        tickets.move(ref, to)
    tickets.move(ref, to)

    assert site.issue(ref.key).status.name == ("Won't Do" if to == "31" else "Done")
    assert sum(1 for change in site.issue(ref.key).history) == 1


def link(tickets: JiraTickets, ref: TicketRef) -> None:
    tickets.link(ref, "version:0190", "MLflow", "https://mlflow.example/7")


def get(tickets: JiraTickets, ref: TicketRef) -> None:
    tickets.get_ticket(ref)


@pytest.mark.parametrize("deed", [link, get])
@pytest.mark.parametrize("fault", ["cut", "down", "500", "503", "429", "slow"])
def test_what_may_be_repeated_is_temporary_and_works_the_next_time(
    site: JiraSandbox, tickets: JiraTickets, fault: str, deed: Callable[[JiraTickets, TicketRef], None]
) -> None:
    ref = tickets.open_ticket(PLAN, CARD, KEY).ref
    site.faults.add(path=f"/issue/{ref.id}", **FAULTS[fault][0])  # type: ignore[arg-type]  # as above

    with pytest.raises(Temporary) as failed:
        deed(tickets, ref)
    deed(tickets, ref)

    assert failed.value.retry_after == (7 if fault == "429" else 0)


def test_the_time_to_wait_is_what_jira_asked_for(site: JiraSandbox, tickets: JiraTickets) -> None:
    site.faults.add("status", CREATE, method="POST", status=429, seconds=7)

    with pytest.raises(Temporary) as limited:
        tickets.open_ticket(PLAN, CARD, KEY)

    assert limited.value.retry_after == 7


def test_a_jira_that_is_not_there_is_temporary_also_for_a_create() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        tickets = JiraTickets(f"http://127.0.0.1:{unused.getsockname()[1]}", token="x")

        with pytest.raises(Temporary, match="cannot be reached"):
            tickets.open_ticket(PLAN, CARD, KEY)


def test_a_jira_that_goes_away_after_connecting_is_temporary_for_a_create() -> None:
    site = JiraSandbox(deployment=Deployment.SERVER)
    with serving(site) as url:
        tickets = JiraTickets(url, token=site.token)
        tickets.find_ticket(PLAN, KEY)

    with pytest.raises((Temporary, OutcomeUnknown)):
        tickets.open_ticket(PLAN, CARD, KEY)
    with pytest.raises(Temporary, match="cannot be reached"):
        tickets.open_ticket(PLAN, CARD, KEY)


def test_in_an_outage_one_create_is_lost_and_the_others_are_not_sent(site: JiraSandbox, tickets: JiraTickets) -> None:
    """One that was not sent is opened as soon as Jira is back; one that was lost waits until the search would show it."""
    tickets.find_ticket(PLAN, KEY)
    site.faults.add("down", times=1_000)
    with pytest.raises(OutcomeUnknown):
        tickets.open_ticket(PLAN, CARD, KEY)

    for number in range(3):
        with pytest.raises(Temporary):
            tickets.open_ticket(PLAN, CARD, f"{KEY}-{number}")
    site.faults.clear()
    tickets.open_ticket(PLAN, CARD, f"{KEY}-0")
    site.faults.add("cut", path="/myself$", times=1_000)  # what it asks only after a lost answer

    tickets.open_ticket(PLAN, CARD, f"{KEY}-1")

    assert len(site.issues()) == 2


def test_a_failed_connection_is_tried_anew_by_the_next_call(site: JiraSandbox, tickets: JiraTickets) -> None:
    site.faults.add("status", "/serverInfo$", status=500)

    with pytest.raises(Temporary):
        tickets.find_ticket(PLAN, KEY)

    assert tickets.find_ticket(PLAN, KEY) is None


@pytest.mark.parametrize(
    ("deployment", "variable"), [(Deployment.CLOUD, "JIRA_API_TOKEN"), (Deployment.SERVER, "JIRA_TOKEN")]
)
def test_no_message_and_no_log_shows_the_token(
    deployment: Deployment, variable: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = JiraSandbox(deployment=deployment)
    secret = "a-very-secret-token"

    with serving(site) as url:
        cloud = deployment is Deployment.CLOUD
        tickets = JiraTickets(url, email=site.email, api_token=secret) if cloud else JiraTickets(url, token=secret)
        with pytest.raises(Permanent, match=variable) as refused:
            tickets.find_ticket(PLAN, KEY)

    assert secret not in str(refused.value) + caplog.text
