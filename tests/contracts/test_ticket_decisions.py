"""What a ticket's history says about decisions, on the real `jira` library against the local Jira, as Cloud and as Data Center."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.clients.jira.decisions import JiraDecisions
from bot.clients.jira.history import plain
from bot.clients.jira.seals import Seals
from bot.clients.jira.tickets import JiraTickets
from bot.domain.card.card import Card
from bot.domain.grounds import SignedBy
from bot.domain.model import Verdict
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import Permanent, Rejected
from bot.ports import Account, AccountKind
from bot.ports.ticket_decisions import NO_DECISIONS, CastInTicket
from bot.sandbox.jira import Deployment, JiraSandbox, Project, SandboxUser
from bot.sandbox.serving import serving

PLAN = TicketPlan("GOV", "Task", "Done", "Won't Do")
CARD = Card("bike-demand 7 to @champion", "May it?", footer="shows sha256:ab")
PEOPLE = (
    SandboxUser("ana", "Ana Ruiz", "ana@example.com"),
    SandboxUser("shy", "Shy Sam", "sam@example.com", shows_email=False),
    SandboxUser("gone", "Gone Gil", "gil@example.com", active=False),
    SandboxUser("app", "An App", "app@example.com", account_type="app"),
    SandboxUser("cust", "A Customer", "cust@example.com", account_type="customer"),
)
PROJECTS = (Project("GOV", "Governance", service_desk=True), Project("OPS", "Operations"))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=list(Deployment))
def site(request: pytest.FixtureRequest) -> JiraSandbox:
    return JiraSandbox(deployment=request.param, people=PEOPLE, projects=PROJECTS)


@pytest.fixture
def tickets(site: JiraSandbox) -> Iterator[JiraTickets]:
    with serving(site) as url:
        if site.site.deployment is Deployment.CLOUD:
            yield JiraTickets(url, email=site.email, api_token=site.api_token)
        else:
            yield JiraTickets(url, token=site.token)


@pytest.fixture
def ref(tickets: JiraTickets) -> TicketRef:
    return tickets.open_ticket(PLAN, CARD, "countersign-1").ref


@pytest.fixture
def decisions(tickets: JiraTickets) -> JiraDecisions:
    return tickets.decisions


def test_the_history_says_who_moved_the_ticket_from_where_to_where(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.transition(ref.key, "Start review", "ana")
    site.transition(ref.key, "Approve", "shy")

    history = decisions.history_of(ref)

    assert [(act.account, act.before, act.after) for act in history.acts] == [
        ("ana", "To Do", "In Progress"),
        ("shy", "In Progress", "Done"),
    ]
    assert history.ours == "countersign"


def test_a_history_of_many_pages_is_read_whole_and_in_order(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    for _ in range(60):
        site.transition(ref.key, "Approve", "ana")
        site.transition(ref.key, "Reopen", "ana")

    acts = decisions.history_of(ref).acts

    assert len(acts) == 120
    assert [int(act.id) for act in acts] == sorted(int(act.id) for act in acts)
    assert {act.after for act in acts[::2]} == {"Done"}


def test_edits_of_title_and_text_are_in_it_and_other_changes_are_not(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.edit(ref.key, "ana", summary="another title")
    site.comment(ref.key, "a comment", "ana")
    decisions.describe(ref, CARD)

    acts = decisions.history_of(ref).acts

    assert [(act.account, act.edits, act.may_decide) for act in acts] == [
        ("ana", True, False),
        ("countersign", True, False),
    ]
    assert site.issue(ref.key).summary == CARD.title


def test_writing_the_same_text_again_makes_no_entry(decisions: JiraDecisions, ref: TicketRef) -> None:
    decisions.describe(ref, CARD)

    assert decisions.history_of(ref).acts == ()


def test_a_ticket_in_another_project_is_read_by_its_id(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.move(ref.key, "OPS", "ana")
    site.transition("OPS-1", "Approve", "ana")

    assert [act.after for act in decisions.history_of(ref).acts] == ["Done"]


def test_a_deleted_ticket_is_said_to_be_gone(site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef) -> None:
    site.delete(ref.key)

    with pytest.raises(Permanent, match="deleted"):
        decisions.history_of(ref)


@pytest.mark.parametrize(
    ("account", "email", "kind"),
    [
        ("ana", "ana@example.com", AccountKind.MEMBER),
        ("shy", "", AccountKind.MEMBER),
        ("gone", "gil@example.com", AccountKind.DEACTIVATED),
    ],
)
def test_an_account_is_known_by_its_address_unless_it_hides_it(
    decisions: JiraDecisions, account: str, email: str, kind: AccountKind
) -> None:
    found = decisions.account(account)

    assert (found.id, found.email, found.kind) == (account, email, kind)


@pytest.mark.parametrize(("account", "kind"), [("app", AccountKind.BOT), ("cust", AccountKind.GUEST)])
def test_on_cloud_an_app_and_a_customer_are_no_members(
    site: JiraSandbox, decisions: JiraDecisions, account: str, kind: AccountKind
) -> None:
    found: Account = decisions.account(account)

    assert found.kind is (kind if site.site.deployment is Deployment.CLOUD else AccountKind.MEMBER)


def test_an_unknown_account_and_a_missing_permission_are_refused_with_what_to_do(
    site: JiraSandbox, decisions: JiraDecisions
) -> None:
    with pytest.raises(Permanent, match="404"):
        decisions.account("nobody-here")
    site.denied_permissions = frozenset({"USER_PICKER"})
    with pytest.raises(Permanent, match="permission"):
        decisions.account("ana")


def test_the_words_with_a_move_are_its_authors_own_near_it(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.comment(ref.key, "looks good to me", "shy")
    site.transition(ref.key, "Decline", "ana", "Won't Do", comment="worse on *rainy* days")
    (act,) = decisions.history_of(ref).acts

    assert "rainy" in decisions.words_with(ref, act)
    assert decisions.words_with(ref, replace(act, account="gone")) == ""
    assert decisions.words_with(ref, replace(act, at=NOON)) == ""


def test_the_search_finds_what_changed_lately_in_one_project(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.open("GOV", "a ticket of somebody else", "ana")

    assert decisions.changed_since("GOV", 5) == (ref.id,)
    assert decisions.changed_since("OPS", 5) == ()
    with pytest.raises(Permanent, match="NONE"):
        decisions.changed_since("NONE", 5)


def test_approvers_answers_are_read_where_the_project_is_a_service_desk(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    approval = site.ask_approval(ref.key, "ana", "shy", needed=2)
    site.answer_approval(ref.key, approval, "ana", "approved")

    (answer,) = decisions.history_of(ref, approvals=True).acts
    assert (answer.account, answer.answer, answer.id) == ("ana", Verdict.APPROVE, f"approval-{approval}-ana")

    site.answer_approval(ref.key, approval, "shy", "declined")
    acts = decisions.history_of(ref, approvals=True).acts
    assert [(act.account, act.after, act.answer) for act in acts] == [
        ("shy", "Won't Do", None),
        ("ana", "", Verdict.APPROVE),
        ("shy", "", Verdict.REJECT),
    ]


def test_a_project_without_approvals_has_none(site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef) -> None:
    site.move(ref.key, "OPS", "ana")

    found = decisions.history_of(ref, approvals=True)

    assert (found.acts, found.has_answers) == ((), False)


def test_members_with_an_address_are_found_and_no_one_else(site: JiraSandbox, decisions: JiraDecisions) -> None:
    site.site.people += (
        SandboxUser("ana2", "ana@example.com", "other@example.com"),
        SandboxUser("ana3", "Ana Left", "ana@example.com", active=False),
    )

    assert [one.id for one in decisions.accounts_with("Ana@example.com")] == ["ana"]
    assert decisions.accounts_with("sam@example.com") == ()
    assert decisions.verifies_addresses() is (site.site.deployment is Deployment.CLOUD)


def test_a_seal_holds_for_what_was_read_and_for_nothing_else(
    site: JiraSandbox, decisions: JiraDecisions, ref: TicketRef
) -> None:
    site.transition(ref.key, "Approve", "ana")
    (act,) = decisions.history_of(ref).acts
    cast = CastInTicket("req-1", ref.id, act, Verdict.APPROVE, "fine", "ab")

    kept = decisions.seal(cast, NOON)

    assert kept.signed_by is SignedBy.TICKETS
    assert decisions.read_sealed(kept) == cast
    for forged in (
        replace(kept, body=kept.body.replace('"ana"', '"shy"')),
        replace(kept, timestamp="1"),
        replace(kept, signed_by=SignedBy.BOT),
    ):
        with pytest.raises(Rejected, match="seal"):
            decisions.read_sealed(forged)
    with pytest.raises(Rejected, match="another token"):
        Seals("another token").read(kept)


def test_text_of_a_document_and_of_markup_is_read_alike() -> None:
    text = {"type": "text", "text": "worse on"}
    mention = {"type": "mention", "attrs": {"id": "1", "text": "@Ana"}}
    document = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [text, mention]}]}

    assert plain(document) == "worse on@Ana"
    assert plain(" worse on ") == "worse on"


def test_a_system_without_a_history_decides_nothing(ref: TicketRef) -> None:
    assert NO_DECISIONS.history_of(ref).acts == ()
    assert NO_DECISIONS.changed_since("GOV", 5) == ()
    assert (NO_DECISIONS.verifies_addresses(), NO_DECISIONS.accounts_with("ana@example.com")) == (False, ())
    with pytest.raises(Permanent, match="no history"):
        NO_DECISIONS.account("ana")
