"""`countersign doctor` with one thing wrong at a time in Slack or Jira."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.doctor.findings import Status, World
from bot.doctor.slack import people_can_sign_in
from bot.sandbox.jira import Deployment, Field, Project
from bot.sandbox.serving import serving
from bot.sandbox.slack import SlackSandbox
from config.policy import read_policy
from config.settings import Settings
from tests.fixtures.doctor_world import POLICY, Installation

# Slack


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ("usergroups:read", "slack group @ml-leads"),
        ("channels:history", "slack channel #model-approvals"),
        ("channels:read", "slack channels"),
        ("users:read.email", "slack people"),
    ],
)
def test_a_missing_scope_is_named_and_so_is_what_needs_it(installed: Installation, scope: str, what: str) -> None:
    installed.slack.app.scopes -= {scope}

    troubles = installed.troubles()

    assert troubles["slack scopes"].why == f"the app lacks {scope}"
    assert scope in troubles[what].why


def test_a_token_that_slack_revoked_is_a_failure_and_jira_is_still_looked_at(installed: Installation) -> None:
    installed.slack.app.revoked = True

    found = {finding.what: finding for finding in installed.examine()}

    assert "SLACK_BOT_TOKEN" in found["slack"].why
    assert found["jira"].status is Status.OK


def test_every_card_and_form_is_shown_to_slack_before_it_is_needed(installed: Installation) -> None:
    installed.rewrite_policy("rules:", 'digest: {cron: "0 9 * * mon", notify: {slack: "#compliance"}}\nrules:')

    found = {finding.what: finding for finding in installed.examine()}

    assert found["slack cards"].status is Status.OK
    assert "cards and messages that were tried, and the forms" in found["slack cards"].why


@pytest.mark.parametrize(
    ("changed", "status", "why"),
    [
        ({"SLACK_CLIENT_ID": "1.2"}, Status.FAIL, "SLACK_CLIENT_ID is not the app's"),
        ({"SLACK_CLIENT_SECRET": "of-another-app"}, Status.FAIL, "SLACK_CLIENT_SECRET is not the app's"),
        ({"SLACK_CLIENT_ID": "", "SLACK_CLIENT_SECRET": ""}, Status.WARN, "sign-in is off: SLACK_CLIENT_ID"),
        ({"COUNTERSIGN_URL": ""}, Status.WARN, "sign-in is off: COUNTERSIGN_URL"),
        ({"COUNTERSIGN_URL": "", "SLACK_CLIENT_ID": ""}, Status.SKIP, "sign-in is off: SLACK_CLIENT_ID"),
        ({"COUNTERSIGN_URL": "http://countersign.example.com"}, Status.WARN, "is not https"),
        ({"COUNTERSIGN_URL": "https://example.com/countersign"}, Status.FAIL, "has a path"),
    ],
)
def test_what_keeps_people_from_signing_in_is_named(changed: dict[str, str], status: Status, why: str) -> None:
    slack = SlackSandbox()
    with serving(slack) as url:
        slack.public_url = url
        settings = Settings.model_validate(
            {name: value for name, value in {**signing_in(slack, url), **changed}.items() if value}
        )

        found = list(people_can_sign_in(World(settings, read_policy(POLICY.format(model="bike")), "")))

    assert (found[-1].status, why in found[-1].why) == (status, True)


def signing_in(slack: SlackSandbox, url: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_URL": "https://countersign.example.com",
        "SLACK_CLIENT_ID": slack.app.client_id,
        "SLACK_CLIENT_SECRET": slack.app.client_secret,
        "SLACK_API_URL": f"{url}/api/",
    }


@pytest.mark.parametrize("code", ["invalid_message", "invalid_blocks", "msg_blocks_too_long"])
def test_a_card_that_slack_would_refuse_is_a_failure_by_its_name(installed: Installation, code: str) -> None:
    installed.slack.faults.add("refused", "/api/blocks.validate", error=code)

    trouble = installed.troubles()["slack cards"]

    assert trouble.status is Status.FAIL
    assert trouble.why.startswith("the card of a request")
    assert code in trouble.why


@pytest.mark.parametrize(
    ("code", "why"), [("unknown_method", "has no blocks.validate"), ("ratelimited", "not all could be asked about")]
)
def test_a_slack_that_cannot_be_asked_about_cards_is_a_warning(installed: Installation, code: str, why: str) -> None:
    installed.slack.faults.add("refused", "/api/blocks.validate", error=code)

    trouble = installed.troubles()["slack cards"]

    assert (trouble.status, why in trouble.why) == (Status.WARN, True)


def test_a_workspace_on_the_free_plan_has_no_user_groups_and_is_told_what_to_write_instead(
    installed: Installation,
) -> None:
    installed.slack.app.is_free_plan = True

    assert "`people: [...]` in place of `slack_group:`" in installed.troubles()["slack group @ml-leads"].why


def test_an_app_of_a_whole_organisation_is_well(installed: Installation) -> None:
    installed.slack.app.enterprise = "E0ORG000001"
    installed.slack.workspace.groups["ml-leads"] = ("U0ANA000001", "U0BEN000002", "U0CY0000003")

    found = {finding.what: finding for finding in installed.examine()}

    assert "for the whole organisation" in found["slack"].why
    assert {found[what].status for what in ("slack group @ml-leads", "slack channel #model-approvals")} == {Status.OK}


def test_an_unknown_channel_is_a_failure(installed: Installation) -> None:
    installed.rewrite_policy("#model-approvals", "#model-aprovals")

    assert installed.troubles()["slack channel #model-aprovals"].why == "the bot sees no such channel"


def test_a_channel_without_the_bot_is_a_failure(installed: Installation) -> None:
    installed.slack.workspace.channel("model-approvals").bot_is_member = False

    assert installed.troubles()["slack channel #model-approvals"].fix == "write `/invite @Countersign` there"


def test_an_archived_channel_is_a_failure(installed: Installation) -> None:
    installed.slack.workspace.channel("model-approvals").is_archived = True

    assert installed.troubles()["slack channel #model-approvals"].why == "is archived"


def test_an_unknown_group_is_a_failure_that_names_those_that_there_are(installed: Installation) -> None:
    installed.rewrite_policy("slack_group: ml-leads", "slack_group: ml-heads")

    assert "@ml-leads, @risk" in installed.troubles()["slack group @ml-heads"].why


@pytest.mark.parametrize(("members", "why"), [((), "nobody can approve"), (("U0ANA000001",), "wants 2 approvals")])
def test_a_group_that_is_too_small_is_a_failure(installed: Installation, members: tuple[str, ...], why: str) -> None:
    installed.slack.workspace.groups["ml-leads"] = members

    assert why in installed.troubles()["slack group @ml-leads"].why


def test_of_a_group_whose_members_must_all_approve_it_is_said_what_cannot_be_approved(installed: Installation) -> None:
    installed.slack.workspace.groups["ml-leads"] = ("U0ANA000001", "U0BEN000002")

    (found,) = [one for one in installed.examine() if one.what == "slack group @ml-leads"]

    assert found.status is Status.OK
    assert "what one of them asks for or trains cannot be approved" in found.why


def test_a_person_whom_slack_does_not_know_is_a_warning(installed: Installation) -> None:
    installed.rewrite_policy("cy@example.com", "gil@partner.example")
    installed.rewrite_policy("ben@example.com", "nobody@example.com")

    troubles = installed.troubles()

    assert troubles["slack person nobody@example.com"].status is Status.WARN
    assert "guest" in troubles["slack person gil@partner.example"].why


def test_an_app_token_that_slack_does_not_know_is_a_failure(installed: Installation) -> None:
    installed.environ["SLACK_APP_TOKEN"] = "xapp-canary"

    assert "apps.connections.open" in installed.troubles()["slack way in"].why


def test_a_signing_secret_of_another_form_is_a_warning(installed: Installation) -> None:
    installed.environ["SLACK_SIGNING_SECRET"] = "a-verification-token"

    assert installed.troubles()["slack signing secret"].status is Status.WARN


# Jira


def test_a_wrong_jira_token_is_a_failure(installed: Installation) -> None:
    installed.environ["JIRA_API_TOKEN"] = "canary-token"

    trouble = installed.troubles()["jira"]

    assert "JIRA_EMAIL and JIRA_API_TOKEN" in trouble.why
    assert "canary-token" not in str(trouble)


def test_a_data_center_token_for_jira_cloud_is_told(installed: Installation) -> None:
    installed.environ |= {"JIRA_EMAIL": "", "JIRA_API_TOKEN": "", "JIRA_TOKEN": installed.jira.token}

    assert installed.troubles()["jira"].fix == "set JIRA_EMAIL and JIRA_API_TOKEN, and remove JIRA_TOKEN"


def test_a_cloud_token_for_jira_data_center_is_told(install: Callable[..., Installation]) -> None:
    installed = install(Deployment.SERVER)
    installed.environ |= {"JIRA_EMAIL": "bot@example.com", "JIRA_API_TOKEN": "of-the-cloud", "JIRA_TOKEN": ""}

    assert installed.troubles()["jira"].why.endswith("is a Jira Data Center")


def test_an_unknown_project_is_a_failure(installed: Installation) -> None:
    installed.rewrite_policy("project: GOV", "project: GVO")

    assert "`project`" in installed.troubles()["jira project GVO"].fix


def test_an_unknown_issue_type_is_a_failure_that_names_those_that_there_are(installed: Installation) -> None:
    installed.rewrite_policy("type: Task", "type: Approval")

    assert "there are: Task, Bug" in installed.troubles()["jira type Approval in GOV"].why


def test_the_issue_type_of_break_glass_is_looked_up_too(installed: Installation) -> None:
    installed.rewrite_policy("type: Task", "type: Task, break_glass_type: Incident")

    assert "there are: Task, Bug" in installed.troubles()["jira type Incident in GOV"].why


def test_missing_permissions_are_named_with_what_they_are_for(installed: Installation) -> None:
    installed.jira.denied_permissions = frozenset({"ADD_COMMENTS", "TRANSITION_ISSUES"})

    why = installed.troubles()["jira permissions in GOV"].why

    assert "ADD_COMMENTS (to write the decision); TRANSITION_ISSUES (to close them)" in why


def test_a_transitions_name_cannot_be_checked_without_a_ticket_and_is_said_so(installed: Installation) -> None:
    installed.rewrite_policy("approved: Done", "approved: Approve")

    trouble = installed.troubles()["jira approved"]

    assert trouble.status is Status.WARN
    assert "on a ticket only" in trouble.fix


def test_jira_is_not_asked_when_the_policy_opens_no_tickets(installed: Installation) -> None:
    ticket = next(line for line in installed.policy_path.read_text().splitlines(keepends=True) if "ticket:" in line)
    installed.rewrite_policy(ticket, "")
    installed.environ["JIRA_URL"] = ""

    found = {finding.what: finding for finding in installed.examine()}

    assert found["jira"].why == "not needed: the policy opens no tickets"


RISK = Field("customfield_10001", "Risk", "option", options=("Low", "High"), required=True)


def test_a_required_field_is_named_with_what_it_takes_and_how_the_policy_says_it(installed: Installation) -> None:
    installed.jira.site.projects = (Project("GOV", "Governance", fields=(RISK,)),)

    trouble = installed.troubles()["jira type Task in GOV"]

    assert '"Risk" (customfield_10001): Low (id 10500), High (id 10501)' in trouble.why
    assert 'fields: {"Risk": VALUE}' in trouble.fix


@pytest.mark.parametrize(
    ("given", "what", "words"),
    [
        ("Risk: Low", "", ""),
        ("Risk: Medium", "jira type Task in GOV", 'does not take "Medium"'),
        ("Risk: Low, Team: ML", "jira field Team", "is not on the create screen"),
    ],
)
def test_the_fields_of_the_policy_are_held_against_the_create_screen(
    installed: Installation, given: str, what: str, words: str
) -> None:
    installed.jira.site.projects = (Project("GOV", "Governance", fields=(RISK,)),)
    installed.rewrite_policy("type: Task,", f"type: Task, fields: {{{given}}},")

    found = {name: finding.why for name, finding in installed.troubles().items() if name.startswith("jira")}

    assert words in found.get(what, "")
    assert len(found) == bool(what)


def test_where_a_team_manages_its_project_the_fix_leads_to_its_access(installed: Installation) -> None:
    installed.jira.site.projects = (Project("GOV", "Governance", team_managed=True),)
    installed.jira.denied_permissions = frozenset({"ADD_COMMENTS"})

    assert "Project settings, Access" in installed.troubles()["jira permissions in GOV"].fix


@pytest.mark.parametrize(
    ("named", "what", "why"),
    [
        ("subtask: Sub-task", "jira sub-task Sub-task in GOV", ""),
        pytest.param(
            *("subtask: Task", "jira sub-task Task in GOV", "is no type of sub-tasks; there are: Sub-task"),
            marks=pytest.mark.proof,
        ),
        pytest.param(
            *("subtask: Subtask", "jira sub-task Subtask in GOV", "does not exist; there are: Sub-task"),
            marks=pytest.mark.proof,
        ),
        pytest.param(*("link: Relates", "jira link Relates", ""), marks=pytest.mark.proof),
        pytest.param(
            *("link: Relates, projects: [GOV, ML]", "jira project ML for links", "Jira refused"),
            marks=pytest.mark.proof,
        ),
        ("link: relates to", "jira link relates to", "does not exist; there are: Blocks, Relates"),
    ],
)
def test_what_becomes_of_a_named_ticket_is_held_against_what_jira_has(
    installed: Installation, named: str, what: str, why: str
) -> None:
    installed.jira.site.projects = (
        Project("GOV", "Governance", issue_types=("Task", "Sub-task"), subtask_types=("Sub-task",)),
    )
    installed.rewrite_policy("type: Task,", f"type: Task, named: {{{named}}},")

    found = {finding.what: finding for finding in installed.examine()}

    assert found[what].status is (Status.FAIL if why else Status.OK)
    assert found[what].why.startswith(why)


@pytest.mark.proof
def test_links_that_an_administrator_switched_off_are_a_failure(installed: Installation) -> None:
    installed.jira.site.link_types = None
    installed.rewrite_policy("type: Task,", "type: Task, named: {link: Relates},")

    assert "Issue linking is currently disabled" in installed.troubles()["jira link Relates"].why


# Decisions in Jira


def test_nothing_is_said_of_decisions_where_no_rule_lets_people_decide_in_jira(installed: Installation) -> None:
    assert not [one for one in installed.examine() if one.what.startswith("jira decisions")]


def test_statuses_and_people_are_checked_where_people_decide_in_jira(installed: Installation) -> None:
    installed.rewrite_policy('rejected: "Won\'t Do"', 'rejected: "Won\'t Do", decide: true')

    found = {one.what: one for one in installed.examine()}

    assert found["jira decisions, to approve"].status is Status.OK
    assert found["jira decisions, to reject"].status is Status.OK
    assert "jira decisions, people" in found


def test_what_a_decision_in_jira_lacks_is_named_with_what_to_do(installed: Installation) -> None:
    installed.rewrite_policy(
        'rejected: "Won\'t Do"', 'rejected: "Won\'t Do", decide: {approve: Approve, approvals: true}'
    )
    site = installed.jira.site
    site.people = tuple(replace(one, shows_email=False) for one in site.people)

    troubles = installed.troubles()

    assert "a ticket's history names statuses only" in troubles["jira decisions, to approve"].fix
    assert "is no service desk" in troubles["jira decisions, approvals"].why
    assert "--in-tickets" in troubles["jira decisions, people"].fix


def test_an_account_that_may_not_look_people_up_is_a_failure(installed: Installation) -> None:
    installed.rewrite_policy('rejected: "Won\'t Do"', 'rejected: "Won\'t Do", decide: true')
    installed.jira.denied_permissions = frozenset({"USER_PICKER"})

    assert "Browse users and groups" in installed.troubles()["jira decisions"].fix


def test_on_data_center_people_whose_accounts_no_one_has_bound_are_named(
    install: Callable[..., Installation],
) -> None:
    installed = install(Deployment.SERVER)
    installed.rewrite_policy('rejected: "Won\'t Do"', 'rejected: "Won\'t Do", decide: true')

    trouble = installed.troubles()["jira decisions, people"]

    assert "no account in Jira is bound to" in trouble.why
    assert "--in-tickets" in trouble.fix
