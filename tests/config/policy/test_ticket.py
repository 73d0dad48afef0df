"""What a rule's `ticket` can say beyond the project: fields, the path through a workflow, resolutions."""

from __future__ import annotations

import pytest

from bot.domain.policy.rules import Policy
from bot.domain.references import Relation, TicketField, TicketMove, TicketPlan
from bot.errors import InvalidPolicy
from config.policy import notices, read_policy

POLICY = """
version: 1
groups: {{risk: {{people: [cy@example.com]}}}}
rules:
  - models: "*"
    target: {{alias: champion}}
    notify: {{slack: "#models"}}
    ticket: {{project: GOV, type: Task, approved: Done, rejected: Rejected{more}}}
    approve: {{all_of: [{{group: risk, quorum: 1}}]}}
"""


def plan_with(more: str) -> TicketPlan:
    policy: Policy = read_policy(POLICY.format(more=more))
    assert policy.rules[0].ticket is not None
    return policy.rules[0].ticket


def test_a_ticket_without_more_is_as_it_was() -> None:
    assert plan_with("") == TicketPlan("GOV", "Task", "Done", "Rejected")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("fields: {components: [{name: ML}]}", TicketField("components", '[{"name": "ML"}]')),
        ('fields: {"Component/s": [ML]}', TicketField("Component/s", '["ML"]')),
        ("fields: {Cost centre: 4711}", TicketField("Cost centre", "4711")),
        ("fields: {customfield_10001: {value: Niedrig}}", TicketField("customfield_10001", '{"value": "Niedrig"}')),
        ("fields: {Sovereign: true}", TicketField("Sovereign", "true")),
    ],
)
def test_fields_are_taken_by_name_or_id_with_a_value_of_any_form(more: str, field: TicketField) -> None:
    assert plan_with(f", {more}").fields == (field,)


@pytest.mark.parametrize(
    ("more", "approval", "rejection"),
    [
        (
            "path: [Selected, In Review]",
            TicketMove("Done", ("Selected", "In Review"), avoid="Rejected"),
            TicketMove("Rejected", ("Selected", "In Review"), avoid="Done"),
        ),
        (
            "path: {approved: [In Review]}",
            TicketMove("Done", ("In Review",), avoid="Rejected"),
            TicketMove("Rejected", avoid="Done"),
        ),
        (
            'resolution: {approved: Erledigt, rejected: "10001"}',
            TicketMove("Done", resolution="Erledigt", avoid="Rejected"),
            TicketMove("Rejected", resolution="10001", avoid="Done"),
        ),
    ],
)
def test_each_decision_has_its_own_way(more: str, approval: TicketMove, rejection: TicketMove) -> None:
    plan = plan_with(f", {more}")

    assert (plan.on_approval(), plan.on_rejection()) == (approval, rejection)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("fields: {Summary: x}", 'cannot fill in "Summary", because the bot does'),
        ("fields: [components]", "must be a mapping"),
        ("path: [In Review, In Review]", "names In Review twice"),
        ("path: Review", "ticket.path must be a mapping"),
        ("path: {aproved: [Review]}", 'unknown key "aproved" in ticket.path. Did you mean "approved"?'),
        ("resolution: {aproved: Done}", 'unknown key "aproved" in ticket.resolution'),
        ("resolution: {approved: 10001}", "must be text, not 10001: put it in quotes"),
        ("feilds: {x: y}", 'unknown key "feilds"'),
    ],
)
def test_a_mistake_in_it_is_said_in_a_sentence(more: str, sentence: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        plan_with(f", {more}")

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("more", "relation"),
    [
        ("named: {subtask: Sub-task}", (Relation.SUBTASK, "Sub-task")),
        ("named: {link: Relates}", (Relation.LINK, "Relates")),
        ("fields: {}", (Relation.NONE, "")),
    ],
)
def test_a_named_ticket_becomes_the_parent_or_the_end_of_a_link(more: str, relation: tuple[Relation, str]) -> None:
    plan = plan_with(f", {more}")

    assert (plan.relation, plan.relation_type) == relation


WRONG_PROJECTS = (
    "named: {subtask: Sub-task, projects: [GOV]}",
    "named: {projects: [GOV]}",
    "named: {link: Relates, projects: GOV}",
    "named: {link: Relates, projects: [gov 1]}",
    "named: {link: Relates, projects: [GOV, GOV]}",
)


def test_tickets_of_other_projects_are_linked_to_only_where_the_policy_names_them() -> None:
    plans = [plan_with(f", named: {{link: Relates{more}}}") for more in ("", ", projects: [ML, OPS]")]

    assert [plan.relation_projects for plan in plans] == [(), ("ML", "OPS")]


@pytest.mark.parametrize(
    "more",
    ["named: {}", "named: {subtask: Sub-task, link: Relates}", "named: subtask", "named: {parent: x}", *WRONG_PROJECTS],
)
def test_what_becomes_of_a_named_ticket_is_one_thing(more: str) -> None:
    with pytest.raises(InvalidPolicy):
        plan_with(f", {more}")


@pytest.mark.parametrize(
    ("more", "decided"),
    [
        ("decide: false", ("", "", False)),
        ("decide: true", ("Done", "Rejected", False)),
        ("decide: {approve: Approved}", ("Approved", "Rejected", False)),
        ("decide: {approve: Yes please, reject: Not yet, approvals: true}", ("Yes please", "Not yet", True)),
    ],
)
def test_people_decide_by_the_statuses_that_are_named_or_by_those_of_the_decision(
    more: str, decided: tuple[str, str, bool]
) -> None:
    plan = plan_with(f", {more}")

    assert (plan.decide_approve, plan.decide_reject, plan.approvals) == decided
    assert plan.decides is (more != "decide: false")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("decide: {approve: rejected}", 'the same status, "rejected", for both answers'),
        ("decide: {accept: Done}", "accept"),
        ("decide: maybe", "line 8"),
    ],
)
def test_a_mistake_about_deciding_in_tickets_is_said_in_a_sentence(more: str, sentence: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        plan_with(f", {more}")

    assert sentence in str(refused.value)


def test_deciding_in_tickets_binds_no_decision_and_changes_no_rules_hash() -> None:
    plain, deciding = (read_policy(POLICY.format(more=more)) for more in ("", ", decide: true"))

    assert plain.rule_hash(plain.rules[0]) == deciding.rule_hash(deciding.rules[0])


def test_a_rule_that_takes_passkeys_is_warned_that_a_ticket_cannot() -> None:
    text = POLICY.format(more=", decide: true").replace("quorum: 1}", "quorum: 1, passkey: required}")

    assert any("People can only reject in the ticket" in notice.sentence for notice in notices(text))
