"""`registries:` of the policy, and rules for them."""

from __future__ import annotations

import pytest

from bot.domain.workspaces import Registry
from config.policy import PolicyMistakes, notices, read_policy
from tests.builders.policies import ENOUGH, SMALL, replaced

EU = 'registries:\n  eu: {uri: "https://eu.example.com/", workspaces: [default, team-a]}\n'


def mistakes(policy: str) -> str:
    with pytest.raises(PolicyMistakes) as refused:
        read_policy(policy)
    return str(refused.value)


def for_place(keys: str, policy: str = SMALL + EU) -> str:
    return replaced(policy, "target:", f"{keys}\n    target:")


def test_without_registries_only_the_default_place_is_watched() -> None:
    policy = read_policy(SMALL)

    assert (policy.registries, policy.places, policy.rules[0].workspace) == ((), ("default",), "default")


def test_registries_and_their_workspaces_are_watched_beside_the_default_one() -> None:
    policy = read_policy(SMALL + EU + "  default: {workspaces: [default, lab]}\n")

    assert policy.registries[0] == Registry("eu", ("default", "team-a"), "https://eu.example.com")
    assert policy.places == ("default", "default/lab", "eu/default", "eu/team-a")


@pytest.mark.parametrize(
    ("keys", "place", "model"),
    [
        ("registry: eu", "eu/default", True),
        ("registry: eu", "default", False),
        ('registry: "*"', "eu/default", True),
        ('registry: "*"', "default", True),
        ("registry: eu\n    workspaces: [team-a, default]", "eu/team-a", True),
        ('registry: eu\n    workspace: "team-*"', "eu/team-a", True),
        ('registry: eu\n    workspace: "team-*"', "default/team-a", False),
        ("", "eu/default", False),
    ],
)
def test_a_rule_holds_in_the_places_that_it_names(keys: str, place: str, model: bool) -> None:
    rule = read_policy(for_place(keys) if keys else SMALL + EU).rules[0]

    assert rule.matches(place, "bike-demand") is model


@pytest.mark.parametrize(
    ("registries", "said"),
    [
        ("eu: {workspaces: [default]}", 'registry "eu" has no uri'),
        ('default: {uri: "https://x.example.com"}', 'registry "default" has its uri from MLFLOW_TRACKING_URI'),
        ('default: {public_url: "https://x.example.com"}', "has its public_url from MLFLOW_PUBLIC_URL"),
        ('eu: {uri: "databricks"}', "names a Databricks workspace, which is not supported"),
        ('eu: {uri: "https://x.cloud.databricks.com"}', "names a Databricks workspace, which is not supported"),
        ('eu: {uri: "databricks-uc"}', "names Unity Catalog, which is not supported"),
        ('eu: {uri: "azureml://x"}', "names an Azure Machine Learning workspace, which is not supported"),
        ('eu: {uri: "arn:aws:sagemaker:x"}', "names SageMaker, which is not supported"),
        ('eu: {uri: "sqlite:///mlflow.db"}', "is not the address of an MLflow server"),
        ('eu: {uri: "https://bot:secret@eu.example.com"}', "holds credentials"),
        ('eu: {uri: "https://eu.example.com?token=x"}', "without a query"),
        ('EU: {uri: "https://eu.example.com"}', '"EU" cannot be the name of a registry'),
        ('eu_1: {uri: "https://eu.example.com"}', '"eu_1" cannot be the name of a registry'),
        ('eu: {uri: "https://eu.example.com", workspaces: []}', "must not be empty"),
        ('eu: {uri: "https://eu.example.com", workspaces: [Team]}', "must be the name of a workspace"),
        ('eu: {uri: "https://eu.example.com", workspaces: [a-b, a-b]}', "names a-b twice"),
        ('eu: {uri: "https://eu.example.com", token: x}', 'unknown key "token"'),
        (
            'eu: {uri: "https://a.example.com"}, us: {uri: "https://A.example.com:443/"}',
            'registry "us" is at the same address as "eu"',
        ),
    ],
)
def test_a_registry_that_cannot_be_watched_is_refused(registries: str, said: str) -> None:
    assert said in mistakes(f"{SMALL}registries: {{{registries}}}\n")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("workspace: default\n    workspaces: [team-a]", "has both workspace and workspaces"),
        ("workspace: team a", 'must be a name, or a shell pattern such as "team-*"'),
        ("workspace: eu/team-a", 'must be a name, or a shell pattern such as "team-*"'),
        ('registry: "eu "\n    workspaces: ["a b"]', 'must be a name, or a shell pattern such as "team-*"'),
        ("workspaces: []", "must not be empty"),
    ],
)
def test_a_place_of_a_rule_that_could_be_read_in_two_ways_is_refused(keys: str, said: str) -> None:
    assert said in mistakes(for_place(keys))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("registry: us", 'never holds, because it is for the workspace "default" of the registry "us"'),
        ("registry: eu\n    workspace: lab", 'never holds, because it is for the workspace "lab" of the registry "eu"'),
        (
            "workspace: team-a",
            'never holds, because it is for the workspace "team-a", and only default, eu/default, eu/team-a are watched',
        ),
        (
            "registry: eu\n    workspaces: [team-a, lab]",
            'names "lab" in workspaces, which matches nothing that is watched',
        ),
    ],
)
def test_a_rule_for_a_place_that_is_not_watched_is_told(keys: str, said: str) -> None:
    (notice,) = [one for one in notices(for_place(keys)) if "watched" in one.sentence]

    assert said in notice.sentence


@pytest.mark.parametrize(
    "keys", ["registry: eu", 'registry: "*"', 'registry: "e?"\n    workspace: "*"', 'workspace: "d*"']
)
def test_a_rule_for_a_watched_place_is_nothing_to_notice(keys: str) -> None:
    assert notices(for_place(keys, ENOUGH + EU)) == notices(ENOUGH)


def test_rules_for_different_registries_neither_hide_nor_cross_each_other() -> None:
    rule = SMALL[SMALL.index("  - models:") :]
    both = SMALL + rule.replace("target:", "registry: eu\n    target:", 1) + EU

    assert len(read_policy(both).rules) == 2
    assert not [one for one in notices(both) if "both match" in one.sentence]
