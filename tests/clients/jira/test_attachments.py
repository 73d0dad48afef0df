"""Files on a ticket, on the real `jira` library against the local Jira, as Cloud and as Data Center."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import OutcomeUnknown, OutsideError, Permanent, Temporary
from bot.sandbox.jira import Deployment, JiraSandbox
from bot.sandbox.serving import serving
from tests.fixtures.attachments import an_attachment

PLAN = TicketPlan("GOV", "Task", approved="", rejected="")
REPORT = an_attachment("countersign-2026-W47.html", "text/html", b"<!doctype html><title>W47</title>")
TABLE = an_attachment("countersign-2026-W47.csv", "text/csv", "seq,at\n1,Zürich\n".encode())
FILES = (REPORT, TABLE)

# kind of fault -> (its options, what the client raises, whether Jira wrote)
FAULTS: dict[str, tuple[dict[str, object], type[OutsideError], bool]] = {
    "cut": ({"kind": "cut"}, OutcomeUnknown, True),
    "malformed": ({"kind": "malformed"}, OutcomeUnknown, True),
    "down": ({"kind": "down"}, OutcomeUnknown, False),
    "500": ({"kind": "status", "status": 500}, OutcomeUnknown, False),
    "503": ({"kind": "status", "status": 503}, Temporary, False),
    "429": ({"kind": "status", "status": 429, "seconds": 7}, Temporary, False),
}


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param)


@pytest.fixture
def tickets(site: JiraSandbox) -> Iterator[JiraTickets]:
    with serving(site) as url:
        if site.site.deployment is Deployment.CLOUD:
            yield JiraTickets(url, email=site.email, api_token=site.api_token)
        else:
            yield JiraTickets(url, token=site.token)


@pytest.fixture
def ref(tickets: JiraTickets) -> TicketRef:
    return tickets.open_ticket(PLAN, Card("Week 47", "The digest of week 47."), "countersign-digest-2026-W47").ref


def names(site: JiraSandbox, ref: TicketRef) -> list[str]:
    return [attached.filename for attached in site.issue(ref.key).attachments]


def test_files_hang_on_the_ticket_with_the_very_bytes(site: JiraSandbox, tickets: JiraTickets, ref: TicketRef) -> None:
    tickets.attach(ref, FILES)

    attached = site.issue(ref.key).attachments
    assert [(one.filename, one.mime_type, one.content) for one in attached] == [
        (file.name, file.media_type, file.path.read_bytes()) for file in FILES
    ]
    assert {one.author for one in attached} == {site.bot}


def test_what_hangs_there_already_is_left_alone(site: JiraSandbox, tickets: JiraTickets, ref: TicketRef) -> None:
    tickets.attach(ref, (REPORT,))

    tickets.attach(ref, FILES)
    tickets.attach(ref, FILES)

    assert names(site, ref) == [REPORT.name, TABLE.name]


def test_another_ones_file_of_that_name_keeps_ours_from_nobody(
    site: JiraSandbox, tickets: JiraTickets, ref: TicketRef
) -> None:
    ana = site.site.people[0]
    site.site.add_attachment(site.issue(ref.key), REPORT.name, "text/html", b"forged", ana)

    tickets.attach(ref, (REPORT,))

    assert [one.content for one in site.issue(ref.key).attachments] == [b"forged", REPORT.path.read_bytes()]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_in_each_file_once(
    site: JiraSandbox, tickets: JiraTickets, ref: TicketRef, fault: str
) -> None:
    options, expected, wrote = FAULTS[fault]
    site.faults.add(path="/attachments$", method="POST", **options)  # type: ignore[arg-type]  # the table's values fit

    with pytest.raises(expected):
        tickets.attach(ref, FILES)
    assert names(site, ref) == ([REPORT.name] if wrote else [])
    tickets.attach(ref, FILES)

    assert names(site, ref) == [REPORT.name, TABLE.name]


def test_a_file_that_is_too_large_is_named_and_keeps_the_others_from_nothing(
    site: JiraSandbox, tickets: JiraTickets, ref: TicketRef
) -> None:
    site.attachment_limit = len(TABLE.path.read_bytes())

    with pytest.raises(Permanent, match=r"attaching countersign-2026-W47.html to GOV-1 \(HTTP 413\).*raise the limit"):
        tickets.attach(ref, FILES)

    assert names(site, ref) == [TABLE.name]


def test_an_account_that_may_not_attach_says_so(site: JiraSandbox, tickets: JiraTickets, ref: TicketRef) -> None:
    site.denied_permissions = frozenset({"CREATE_ATTACHMENTS"})

    with pytest.raises(Permanent, match=r"HTTP 403.*permission"):
        tickets.attach(ref, FILES)


def test_a_ticket_that_was_deleted_says_so(site: JiraSandbox, tickets: JiraTickets, ref: TicketRef) -> None:
    site.delete(ref.key)

    with pytest.raises(Permanent, match="deleted"):
        tickets.attach(ref, FILES)
