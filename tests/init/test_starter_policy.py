"""The starter policy is valid and strict, whatever names a registry, a Slack and a Jira hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.model import AuthorSource, FastTrackMode
from bot.domain.policy.rules import Observed, UnknownRequester
from bot.init.draft import GroupDraft, MeasuresDraft, PersonDraft, PolicyDraft, ThresholdDraft, TicketDraft
from bot.init.existing import answers_in, completed
from bot.init.given import PolicyAnswers
from bot.init.starter_policy import starter_policy
from config.policy import notices, read_policy

TICKET = TicketDraft("GOV", "Task", "Done", "Won't Do")
DRAFT = PolicyDraft(
    models=("bike-*",),
    target="champion",
    ask="candidate",
    channel="#model-approvals",
    groups=(
        GroupDraft("ml-leads", slack_group="ml-leads", size=3),
        GroupDraft("risk", people=("cy@example.com",), size=1),
    ),
    people=(PersonDraft("Ana Ruiz", "ana@example.com", "ana"), PersonDraft("Cy Lindqvist", "cy@example.com")),
    unknown_users=("root",),
    thresholds=(ThresholdDraft("mae", 31.5, greater_is_better=False),),
    undirected=("rows",),
    measured_on="bike-demand v3",
    stores=("mlflow-artifacts:", "s3://models/"),
    ticket=TICKET,
)
HOSTILE = 'a"b: #{c} - \\d é, *&!|>%@`'
VARIANTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "no ticket": {"ticket": None},
    "one final status": {"ticket": replace(TICKET, rejected="Done", resolutions=("Done", "Won't Do"))},
    "no metric": {"thresholds": (), "measured_on": ""},
    "figures of all sizes": {
        "thresholds": tuple(
            ThresholdDraft(f"m{place}", value, greater_is_better=True)
            for place, value in enumerate((0.0, 1e-9, -2.5, 1e6, 1.5e20))
        )
    },
    "no people": {"people": (), "unknown_users": tuple(f"user-{number}" for number in range(40))},
    "several models": {"models": ("a", "b", "odd[[]1]")},
    "hostile names": {
        "people": (PersonDraft(HOSTILE, "x@example.com", HOSTILE),),
        "unknown_users": (f"{HOSTILE}\nrules: []\u2028x",),
        "undirected": (HOSTILE,),
        "measured_on": "bike v1",
        "thresholds": (ThresholdDraft("val/mae: #1", 3.0, greater_is_better=False),),
        "ticket": replace(TICKET, type=HOSTILE, approved=HOSTILE, rejected="no"),
    },
    "words of YAML": {
        "target": "on",
        "ask": "null",
        "ticket": replace(TICKET, project="NO", type="yes", approved="true", rejected="1"),
    },
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_it_is_valid_and_says_nothing_to_notice(changes: dict[str, Any]) -> None:
    text = starter_policy(replace(DRAFT, **changes))

    policy = read_policy(text)
    assert [rule.models for rule in policy.rules] == list(changes.get("models", DRAFT.models))
    assert [notice.sentence for notice in notices(text)] == []


def test_it_keeps_the_strict_defaults() -> None:
    policy = read_policy(starter_policy(DRAFT))

    (rule,) = policy.rules
    assert rule.fast_track is not None
    assert rule.fast_track.mode is FastTrackMode.SHADOW
    assert rule.approve.unknown_requester is UnknownRequester.ONE_MORE
    assert rule.observed is Observed.ASK
    assert set(policy.authors_from) == {AuthorSource.RUN, AuthorSource.COMMIT_TAG}
    assert {one.group for one in rule.approve.all_of} == {"ml-leads", "risk"}


def test_editors_find_its_schema_beside_it() -> None:
    assert starter_policy(DRAFT).splitlines()[0] == "# yaml-language-server: $schema=policy.schema.json"


@pytest.mark.parametrize("changes", [VARIANTS["as usual"], VARIANTS["no ticket"], VARIANTS["words of YAML"]])
def test_a_second_run_knows_what_the_policy_answers(changes: dict[str, Any]) -> None:
    draft = replace(DRAFT, **changes)
    policy = read_policy(starter_policy(draft))

    answers = completed(PolicyAnswers(channel="#other", people={"root": "bea@example.com"}), policy)

    assert answers == replace(
        answers_in(policy), channel="#other", people={"ana": "ana@example.com", "root": "bea@example.com"}
    )
    assert answers.approvers == ("ml-leads=@ml-leads", "risk=cy@example.com")
    assert (answers.models, answers.target, answers.ask) == (draft.models, draft.target, draft.ask)
    assert answers.project == (draft.ticket.project if draft.ticket else "")


def test_each_rule_has_thresholds_of_its_own_model_alone() -> None:
    own = MeasuresDraft((ThresholdDraft("f1", 0.8, greater_is_better=True),), (), "churn v1")
    others = {"churn": own, "idle": MeasuresDraft((), (), "")}

    policy = read_policy(starter_policy(replace(DRAFT, models=("bike-*", "churn", "idle"), own_measures=others)))

    assert [[one.metric for one in rule.fast_track.metrics] if rule.fast_track else [] for rule in policy.rules] == [
        ["mae"],
        ["f1"],
        [],
    ]
