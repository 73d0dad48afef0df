"""Warnings about a valid policy: rules whose patterns overlap, unused groups and freezes."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.policy import Mistake, PolicyMistakes, notices
from tests.builders.policies import ENOUGH, FULL, SMALL, replaced, rule_for


def crossing(text: str) -> tuple[Mistake, ...]:
    return tuple(notice for notice in notices(text) if "both match" in notice.sentence)


def test_rules_whose_patterns_cross_are_shown_with_a_name_that_both_match() -> None:
    assert notices(ENOUGH + rule_for("*-demand")) == (
        Mistake(
            10,
            'rule "*-demand" for alias:champion and the rule "bike-*" before it both match "bike-demand", and the one before '
            "holds for it. If that is not meant, put this rule first or narrow a pattern.",
        ),
    )


def test_rules_may_cross_in_the_workspace_as_well() -> None:
    (notice,) = crossing(replaced(ENOUGH, "target:", 'workspace: "*"\n    target:') + rule_for("*", workspace="lab"))

    assert 'both match "bike-" in the workspace "lab"' in notice.sentence


def test_rules_for_all_models_may_cross_in_the_workspace_alone() -> None:
    (notice,) = crossing(ENOUGH + rule_for("**", workspace="lab-*") + rule_for("*", workspace="*-eu"))

    assert notice.line == 15
    assert 'both match "x" in the workspace "lab-eu"' in notice.sentence


@pytest.mark.parametrize(
    "rule",
    [
        rule_for("*"),
        rule_for("bike*"),
        rule_for("car-*"),
        rule_for("*-demand", alias="shadow"),
        rule_for("*-demand", workspace="lab"),
    ],
)
def test_a_narrow_rule_before_a_wide_one_and_rules_apart_do_not_cross(rule: str) -> None:
    assert crossing(ENOUGH + rule) == ()


@pytest.mark.parametrize("workspace", ["lab", "lab-*", "Default", "default-eu", "[!d]*"])
def test_a_rule_for_a_workspace_that_is_not_watched_never_holds(workspace: str) -> None:
    (notice,) = notices(ENOUGH + rule_for("car-*", workspace=workspace))

    assert notice.sentence.startswith(f'rule "car-*" never holds, because it is for the workspace "{workspace}"')
    assert notice.line == 11


@pytest.mark.parametrize("workspace", ["default", "*", "d*", "[a-d]efault"])
def test_a_rule_whose_workspace_is_the_watched_one_is_nothing_to_notice(workspace: str) -> None:
    assert notices(ENOUGH + rule_for("car-*", workspace=workspace)) == ()


def test_a_group_and_a_freeze_that_no_rule_names_are_noticed_in_the_order_of_the_file() -> None:
    text = replaced(FULL, "freezes: [year-end, weekend]", "freezes: [year-end]")
    text = replaced(text, "    escalate: {after: 8h, group: heads}\n", "")
    text = replaced(text, "ben@example.com]", "ben@example.com, cy@example.com]")

    assert notices(text) == (
        Mistake(
            8,
            'freeze "weekend" holds nothing back, because no rule names it. Add it to a rule\'s freezes, or remove it.',
        ),
        Mistake(12, 'group "heads" decides nothing, because no rule names it. Name it in a rule, or remove it.'),
    )


def test_there_is_nothing_to_notice_where_everything_is_used() -> None:
    assert notices(FULL) == ()


def test_a_policy_with_mistakes_has_to_be_mended_first() -> None:
    with pytest.raises(PolicyMistakes, match="line 1: version must be 1"):
        notices(replaced(ENOUGH, "version: 1", "version: 2"))


def test_many_rules_are_looked_through_without_a_word() -> None:
    rules = "".join(rule_for(f"team-{number}-*") for number in range(300))

    assert notices(ENOUGH + rules) == ()


@pytest.mark.parametrize("key", ["remind_after: 4d", "escalate: {after: 27h, group: leads-too}"])
def test_what_can_never_happen_before_a_request_expires_is_noticed(key: str) -> None:
    """Three days by the clock hold at most 27 hours of working time."""
    text = replaced(ENOUGH, "groups:\n", "groups:\n  leads-too: {people: [dan@example.com]}\n")
    if "escalate" not in key:
        text = ENOUGH

    (notice,) = notices(f"{text}    expire_after: 3d\n    {key}\n")

    assert "which expires after 3 days, with at most 1 day and 3 hours of working time in it" in notice.sentence
    assert "engthen expire_after" in notice.sentence


@pytest.mark.parametrize("expire_after", ["3d", "30d", "3650d"])
def test_what_can_happen_in_time_is_nothing_to_notice(expire_after: str) -> None:
    assert notices(f"{ENOUGH}    expire_after: {expire_after}\n    remind_after: 26h\n") == ()


@pytest.mark.parametrize(("models", "into"), [("*x", "prod.{name}"), ("*", "prod"), ("*", "{name}-prod")])
def test_a_rule_that_matches_its_own_copies_is_noticed(models: str, into: str) -> None:
    (notice,) = notices(
        replaced(replaced(ENOUGH, '"bike-*"', f'"{models}"'), "{alias: champion}", f'{{model: "{into}"}}')
    )

    assert f'rule "{models}" also matches the models that its copies go into, "{into}"' in notice.sentence
    assert "Narrow models" in notice.sentence


def test_rules_that_copy_in_a_circle_are_noticed() -> None:
    first = replaced(ENOUGH, "{alias: champion}", '{model: "car-1"}')
    second = replaced(rule_for("car-*"), "{alias: champion}", '{model: "bike-1"}')

    found = notices(first + second)

    assert [("which other rules copy on until a copy matches this rule again" in one.sentence) for one in found] == [
        True,
        True,
    ]


def test_rules_that_copy_onwards_are_nothing_to_notice() -> None:
    first = replaced(ENOUGH, "{alias: champion}", '{model: "staging.{name}"}')
    second = replaced(rule_for("staging.*"), "{alias: champion}", '{model: "prod"}')

    assert notices(first + second) == ()


# Votes that take everybody


def votes(approve: str, groups: str, more: str = "", people: str = "") -> tuple[str, ...]:
    text = (
        f"version: 1\n{people}groups: {{{groups}}}\nrules:\n"
        '  - models: "bike-*"\n    target: {alias: champion}\n    ask_on: [{alias: candidate}]\n    notify: {slack: "#m"}\n'
        f"    approve: {{{approve}}}\n{more}"
    )
    return tuple(notice.sentence for notice in notices(text))


TWO = "leads: {people: [ana@example.com, ben@example.com]}"
THREE = "leads: {people: [ana@example.com, ben@example.com, cy@example.com]}"
ONE_OF, TWO_OF = "all_of: [{group: leads, quorum: 1}]", "all_of: [{group: leads, quorum: 2}]"
AUTHOR_ONLY, REFUSE = "unknown_requester: author_only", "unknown_requester: refuse"


def test_a_group_as_large_as_its_quorum_is_noticed() -> None:
    assert votes(f"{TWO_OF}, {REFUSE}", TWO) == (
        'rule "bike-*" cannot do without ana@example.com and ben@example.com: what one of them asked for or trained could never be '
        "approved, because no one approves their own work. Add a person to the group, lower the quorum, or add escalate.",
    )
    assert votes(f"{TWO_OF}, {REFUSE}", THREE) == ()


def test_groups_that_share_people_are_counted_together() -> None:
    both = f"all_of: [{{group: leads, quorum: 1}}, {{group: risk, quorum: 1}}], {REFUSE}"

    assert votes(both, f"{THREE}, risk: {{people: [ana@example.com, ben@example.com]}}") == ()
    (sentence,) = votes(both, f"{TWO}, risk: {{people: [ana@example.com, ben@example.com]}}")
    assert sentence.startswith('rule "bike-*" cannot do without ana@example.com and ben@example.com: ')


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        (
            "unknown_requester: one_more",
            "takes one vote more when nobody knows who asked (an alias, a tag or a stage does not say it) or who trained the version. Then "
            "it cannot do without ana@example.com and ben@example.com, so what one of them trained or asked for could not be approved.",
        ),
        (
            AUTHOR_ONLY,
            "takes one vote more when nobody knows who trained the version. Then it cannot do without ana@example.com and "
            "ben@example.com, so what one of them asked for could not be approved.",
        ),
    ],
)
def test_the_one_vote_more_of_an_unknown_person_may_be_the_one_that_is_not_there(unknown: str, said: str) -> None:
    (sentence,) = votes(f"{ONE_OF}, {unknown}", TWO)

    assert said in sentence
    assert votes(f"{ONE_OF}, {unknown}", THREE) == ()
    assert votes(f"{ONE_OF}, {REFUSE}", TWO) == ()


@pytest.mark.parametrize("heads", ["slack_group: heads", "people: [dan@example.com]"])
def test_an_escalation_leaves_somebody(heads: str) -> None:
    escalated = "    escalate: {after: 8h, group: heads}\n"

    assert votes(f"{TWO_OF}, {REFUSE}", f"{TWO}, heads: {{{heads}}}", escalated) == ()


def test_of_a_group_that_only_slack_knows_nothing_is_noticed() -> None:
    assert votes("all_of: [{group: leads, quorum: 5}]", "leads: {slack_group: leads}") == ()


def test_a_group_of_one_person_says_itself_that_nobody_else_may() -> None:
    alone = "leads: {people: [ana@example.com]}"
    trainer = "authors_from: [run]\npeople: [{name: Ana, email: ana@example.com, mlflow_user: ana}]\n"

    assert votes(f"{ONE_OF}, {REFUSE}", alone) == ()
    assert votes(f"{ONE_OF}, {REFUSE}", alone, people=trainer) == ()


def test_rules_that_lack_the_same_people_are_noticed_once() -> None:
    others = "".join(rule_for(f"team-{number}-*") for number in range(3))

    (notice,) = notices(SMALL + others)

    assert notice.sentence.startswith('rule "bike-*", like 3 more rules, takes one vote more')


NAMES = ("ana", "ben", "cy", "dan")


@given(
    groups=st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=3),
    quorums=st.lists(st.integers(1, 2), min_size=3, max_size=3),
)
def test_the_people_it_cannot_do_without_are_those_without_whom_no_choice_of_people_gives_the_votes(
    groups: list[set[str]], quorums: list[int]
) -> None:
    """Against every order of the people."""
    listed = ", ".join(
        f"g{n}: {{people: [{', '.join(f'{one}@example.com' for one in sorted(who))}]}}" for n, who in enumerate(groups)
    )
    all_of = ", ".join(f"{{group: g{n}, quorum: {quorum}}}" for n, quorum in enumerate(quorums[: len(groups)]))
    entries = ", ".join(f"{{name: {one}, email: {one}@example.com, mlflow_user: {one}}}" for one in NAMES)
    wanted = [who for who, quorum in zip(groups, quorums, strict=False) for _ in range(quorum)]
    assume(_can_be_given(wanted, set(NAMES)))

    said = votes(f"all_of: [{all_of}], {REFUSE}", listed, people=f"authors_from: [run]\npeople: [{entries}]\n")

    alone = {one for who, _ in zip(groups, quorums, strict=False) if len(who) == 1 for one in who}
    needed = [one for one in NAMES if one not in alone and not _can_be_given(wanted, set(NAMES) - {one})]
    named = said[0].removeprefix('rule "bike-*" cannot do without ').partition(":")[0].split(" and ") if said else []
    assert named == [f"{one}@example.com" for one in needed]


def _can_be_given(wanted: list[set[str]], people: set[str]) -> bool:
    return any(
        all(one in who for one, who in zip(order, wanted, strict=True)) for order in permutations(people, len(wanted))
    )
