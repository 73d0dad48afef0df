"""Which rule holds, for whom, and what binds a decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.model import Ask, AskKind, Target, TargetKind
from bot.domain.policy.rules import (
    Approve,
    Escalate,
    Group,
    LineageDemand,
    Observed,
    PersonEntry,
    Policy,
    Poll,
    ReasonDemand,
    Requirement,
    RollbackBy,
    Rule,
    UnknownRequester,
    Unruled,
)
from bot.domain.references import TicketPlan
from tests.builders import a_policy, a_rule

CHAMPION = Target(TargetKind.ALIAS, "champion")
SHADOW = Target(TargetKind.ALIAS, "shadow")
PRODUCTION = Target(TargetKind.MODEL, "prod.{name}")


def rule_of(
    models: str = "bike-*", target: Target = CHAMPION, workspace: str = "default", group: str = "leads"
) -> Rule:
    return Rule(
        models=models,
        workspace=workspace,
        target=target,
        ask_on=(Ask(AskKind.ALIAS, "candidate"),),
        observed=Observed.ASK,
        channel="#models",
        ticket=TicketPlan("GOV", "Task", "Done", "Won't Do"),
        approve=Approve((Requirement(group, 1),), ReasonDemand.ON_REJECT, UnknownRequester.ONE_MORE),
        expire_after=timedelta(days=3),
    )


def policy_of(*rules: Rule) -> Policy:
    return Policy(
        poll=Poll(timedelta(seconds=30), timedelta(seconds=60)),
        people=(
            PersonEntry("Ana Ruiz", "ana@example.com", "ana"),
            PersonEntry("Ben Okafor", "ben@example.com"),
        ),
        groups=(Group("leads", None, ("ana@example.com", "ben@example.com")), Group("risk", "risk", ())),
        rules=rules,
        default=Unruled.REPORT,
    )


def test_the_first_rule_that_matches_holds() -> None:
    narrow, wide = rule_of("bike-small"), rule_of("bike-*")

    policy = policy_of(narrow, wide)

    assert policy.rule_for("default", "bike-small", CHAMPION) is narrow
    assert policy.rule_for("default", "bike-large", CHAMPION) is wide


@pytest.mark.parametrize(
    ("workspace", "model", "target"),
    [
        ("default", "car-1", CHAMPION),
        ("lab", "bike-1", CHAMPION),
        ("default", "bike-1", SHADOW),
        ("default", "Bike-1", CHAMPION),
    ],
)
def test_a_rule_speaks_only_of_its_workspace_its_models_and_its_target(
    workspace: str, model: str, target: Target
) -> None:
    policy = policy_of(rule_of())

    assert policy.rule_for(workspace, model, target) is None


def test_a_model_has_one_rule_for_each_target() -> None:
    champion, shadow, hidden = rule_of(), rule_of(target=SHADOW), rule_of("*")

    policy = policy_of(champion, shadow, hidden)

    assert policy.rules_for("default", "bike-1") == (champion, shadow)
    assert policy.rules_for("default", "car-1") == (hidden,)
    assert policy.rules_for("lab", "bike-1") == ()


def test_the_name_in_a_target_model_is_the_models_own() -> None:
    rule = rule_of(target=PRODUCTION)

    policy = policy_of(rule)

    assert rule.target_for("bike-1") == Target(TargetKind.MODEL, "prod.bike-1")
    assert policy.rule_for("default", "bike-1", Target(TargetKind.MODEL, "prod.bike-1")) is rule
    assert policy.rule_for("default", "bike-1", Target(TargetKind.MODEL, "prod.bike-2")) is None


@pytest.mark.parametrize(
    ("template", "models", "target_model", "covered"),
    [
        ("prod.{name}", "bike-*", "prod.bike-1", True),
        ("{name}-prod", "bike-*", "bike-1-prod", True),
        ("a.{name}.b", "bike-*", "a.bike-1.b", True),
        ("prod", "bike-*", "prod", True),
        ("prod.{name}", "bike-*", "prod.car-1", False),
        ("prod.{name}", "*", "prod.", False),
        ("prod.{name}", "*", "bike-1", False),
        ("aba{name}aba", "*", "aba", False),
        ("ab{name}ba", "*", "aba", False),
        ("prod", "bike-*", "prod2", False),
    ],
)
def test_a_version_that_appeared_in_a_target_model_is_led_back_to_its_rule(
    template: str, models: str, target_model: str, covered: bool
) -> None:
    rule = rule_of(models, Target(TargetKind.MODEL, template))

    policy = policy_of(rule)

    assert policy.rule_for_copies_into("default", target_model) == (rule if covered else None)
    assert policy.rule_for("default", target_model, Target(TargetKind.MODEL, target_model)) == (
        rule if covered else None
    )
    assert policy.rule_for_copies_into("lab", target_model) is None


@given(st.text("ab.-", max_size=4), st.text("ab.-", max_size=4), st.text("ab.-", min_size=1, max_size=5))
def test_every_copy_that_a_rule_can_make_is_led_back_to_it(before: str, after: str, model: str) -> None:
    rule = rule_of("*", Target(TargetKind.MODEL, before + "{name}" + after))

    assert rule.covers_copies_into("default", rule.target_for(model).name)


def test_an_alias_rule_says_nothing_of_copies() -> None:
    assert not rule_of("*").covers_copies_into("default", "champion")


def test_a_person_is_found_by_e_mail_in_any_case() -> None:
    policy = policy_of(rule_of())

    assert policy.person_by_email("ANA@example.com") == policy.people[0]
    assert policy.person_by_email("nobody@example.com") is None


@pytest.mark.parametrize(("user", "place"), [("ana", 0), ("ana@example.com", 0), ("ben@example.com", 1)])
def test_a_run_names_its_author_by_user_or_e_mail(user: str, place: int) -> None:
    policy = policy_of(rule_of())

    assert policy.person_by_mlflow_user(user) == policy.people[place]


@pytest.mark.parametrize("user", ["", "root", "Ana Ruiz"])
def test_an_author_whom_the_policy_does_not_know_stays_unknown(user: str) -> None:
    assert policy_of(rule_of()).person_by_mlflow_user(user) is None


def test_the_groups_of_a_rule_are_those_of_its_requirements_in_their_order() -> None:
    both = (Requirement("risk", 1), Requirement("leads", 2))
    rule = replace(rule_of(), approve=replace(rule_of().approve, all_of=both))

    groups = policy_of(rule).groups_of(rule)

    assert [group.name for group in groups] == ["risk", "leads"]


def test_adding_a_person_elsewhere_leaves_the_hash_of_a_rule() -> None:
    rule = rule_of()
    before = policy_of(rule)
    leads, risk = before.groups

    after = replace(
        before,
        people=(*before.people, PersonEntry("Cy Lindqvist", "cy@example.com")),
        groups=(leads, replace(risk, slack_group="risk-officers"), Group("legal", "legal", ())),
        rules=(rule, rule_of("car-*")),
        default=Unruled.IGNORE,
    )

    assert after.rule_hash(rule) == before.rule_hash(rule)


@pytest.mark.parametrize(
    "other",
    [
        rule_of("bike-?"),
        rule_of(target=SHADOW),
        rule_of(group="risk"),
        replace(rule_of(), observed=Observed.REVERT),
        replace(rule_of(), ask_on=()),
        replace(rule_of(), freezes=("year-end",)),
        replace(rule_of(), rollback=RollbackBy.VOTES),
        replace(rule_of(), lineage=LineageDemand(block=("L01",))),
        replace(rule_of(), expire_after=timedelta(days=4)),
        replace(rule_of(), approve=replace(rule_of().approve, all_of=(Requirement("leads", 2),))),
    ],
)
def test_any_change_of_what_decides_changes_the_hash_of_a_rule(other: Rule) -> None:
    policy = policy_of(rule_of())

    assert policy.rule_hash(other) != policy.rule_hash(rule_of())


NOTICES = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["#others", "#models-2"]),
        "ticket": st.sampled_from([None, TicketPlan("RISK", "Story", "Accepted", "Declined")]),
        "remind_after": st.sampled_from([None, timedelta(hours=4)]),
        "escalate": st.sampled_from([None, Escalate(timedelta(hours=8), "risk")]),
        "approval_valid_for": st.sampled_from([None, timedelta(days=90)]),
    },
)


@given(NOTICES, st.booleans())
def test_who_is_told_and_when_is_no_part_of_what_a_vote_is_bound_to(
    changes: dict[str, Any], other_stand_ins: bool
) -> None:
    before, told_otherwise = policy_of(rule_of()), replace(rule_of(), **changes)

    leads, risk = before.groups
    stand_ins = replace(risk, slack_group="officers") if other_stand_ins else risk
    after = replace(policy_of(told_otherwise), groups=(leads, stand_ins))

    assert after.rule_hash(told_otherwise) == before.rule_hash(rule_of())


@pytest.mark.parametrize(
    ("changes", "former"),
    [
        ({}, "sha256:11e1f1b95ff1066755c1cf052a8677bed60d27c2f50835a79438d70cf1bbe0ff"),
        (
            {"remind_after": timedelta(hours=4), "escalate": Escalate(timedelta(hours=8), "risk")},
            "sha256:5352dbdaf501917e465cc6dd206e082621fe41ab1c88fb5c5d9dfc211f2040a7",
        ),
    ],
)
def test_votes_of_the_first_release_are_recognised_by_the_hash_that_it_gave_the_rule(
    changes: dict[str, Any], former: str
) -> None:
    rule = a_rule(**changes)

    assert a_policy(rule).hashes(rule) == (a_policy(rule).rule_hash(rule), former)


@given(st.sampled_from(["*", "*x", "prod*", "bike-*", "?*"]), st.sampled_from(["prod.{name}", "{name}-prod", "prod"]))
def test_no_rule_feeds_on_its_own_copies(models: str, into: str) -> None:
    rule = rule_of(models, Target(TargetKind.MODEL, into))
    policy, name = policy_of(rule), "bike-x"

    for _ in range(4):
        copied_into = rule.target_for(name).name
        if rule.covers_copies_into("default", copied_into):
            assert policy.rules_for("default", copied_into) == ()
            assert policy.rule_for("default", copied_into, rule.target_for(copied_into)) in (None, rule)
        name = copied_into


def test_a_change_of_its_group_changes_the_hash_of_a_rule() -> None:
    rule = rule_of()
    before = policy_of(rule)
    leads, risk = before.groups

    after = replace(before, groups=(replace(leads, people=("ana@example.com",)), risk))

    assert after.rule_hash(rule) != before.rule_hash(rule)


def test_each_channel_is_named_once() -> None:
    rules = (rule_of(), replace(rule_of("car-*"), channel="#cars"), rule_of("*"))

    assert policy_of(*rules).channels() == ("#models", "#cars")


@pytest.mark.parametrize(
    ("demand", "to_approve", "to_reject"),
    [(ReasonDemand.ON_REJECT, False, True), (ReasonDemand.ON_APPROVE, True, False), (ReasonDemand.ALWAYS, True, True)],
)
def test_a_reason_is_wanted_when_the_rule_says_so(demand: ReasonDemand, to_approve: bool, to_reject: bool) -> None:
    approve = replace(rule_of().approve, reason=demand)

    assert (approve.wants_reason_to_approve(), approve.wants_reason_to_reject()) == (to_approve, to_reject)
