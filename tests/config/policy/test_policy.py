"""Reading `policy.yaml`: what is right becomes a Policy, and what is wrong is said all at once, with its lines."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from bot.domain.model import Ask, AskKind, FastTrackMode, Target, TargetKind
from bot.domain.policy.rules import (
    ARTIFACTS_FROM_MLFLOW,
    EVERY_DAY_AT_WORK,
    Copies,
    Escalate,
    FastTrack,
    Observed,
    ReasonDemand,
    Requirement,
    RollbackBy,
    Threshold,
    UnknownRequester,
    Unruled,
)
from bot.domain.references import TicketPlan
from bot.domain.seals.places import SealPlan
from config.policy import PolicyMistakes, notices, policy_text_of, read_policy
from config.policy.shapes import PolicyShape
from config.policy_schema import schema
from tests.builders.policies import SMALL, mistakes_of, replaced

EXAMPLE = Path(str(files("config").joinpath("policy.yaml")))
SCHEMA = Path(str(files("config").joinpath("policy.schema.json")))

OF_AN_EARLIER_RELEASE = (
    "sha256:cadf131e5894bfa69e8becf4038897771354ae6b169d5160abde96b4f45e50d3",
    "sha256:1fff9645f108620cd769f8e310a727b3cb3f4389517d914b94994ffca75ec5f8",
)


def changed(old: str, new: str) -> str:
    return replaced(SMALL, old, new)


def test_the_example_reads_as_its_comments_promise() -> None:
    text = policy_text_of(EXAMPLE)

    policy = read_policy(text)

    rule = policy.rule_for("default", "bike-demand", Target(TargetKind.ALIAS, "champion"))
    assert rule is not None
    assert rule.ask_on == (Ask(AskKind.ALIAS, "candidate"), Ask(AskKind.TAG, "countersign.ask"))
    assert rule.ticket == TicketPlan("GOV", "Task", "Done", "Won't Do", decide_approve="Done", decide_reject="Won't Do")
    assert rule.approve.all_of == (Requirement("ml-leads", 1), Requirement("risk", 1))
    assert rule.approve.unknown_requester is UnknownRequester.AUTHOR_ONLY
    assert rule.expire_after == timedelta(days=3)
    assert (rule.remind_after, rule.rollback, rule.escalate) == (timedelta(hours=4), RollbackBy.RULE, None)
    assert rule.fast_track == FastTrack(
        FastTrackMode.ON, (Threshold("mae", False, threshold=40, min_relative_change=0.01),), undo_for=timedelta(days=1)
    )
    assert policy.artifact_stores == ARTIFACTS_FROM_MLFLOW
    assert policy.channels() == ("#model-approvals",)
    assert [person.email for person in policy.people] == [f"{name}@example.com" for name in ("ana", "ben", "cy", "bea")]


def test_what_the_example_comments_out_can_be_taken_in() -> None:
    commented_out = re.compile(r"^( *)#(?=[a-z])", re.MULTILINE)
    text, taken_in = commented_out.subn(r"\1", policy_text_of(EXAMPLE))

    policy = read_policy(text)

    (rule,) = policy.rules
    assert taken_in == 10
    assert policy.language == "es"
    assert rule.copies is Copies.DELETE
    assert rule.seal == SealPlan("s3://prod-models/", timedelta(days=90))
    assert rule.escalate == Escalate(timedelta(hours=8), "heads")
    assert [freeze.name for freeze in policy.freezes_of(rule)] == ["year-end"]


def test_there_is_nothing_to_notice_in_the_example() -> None:
    assert notices(policy_text_of(EXAMPLE)) == ()


def test_what_is_left_out_has_the_documented_defaults() -> None:
    policy = read_policy(SMALL)

    (rule,) = policy.rules
    assert (policy.poll.versions, policy.poll.aliases) == (timedelta(seconds=30), timedelta(seconds=60))
    assert policy.default is Unruled.REPORT
    assert (rule.workspace, rule.observed, rule.ticket, rule.expire_after) == ("default", Observed.ASK, None, None)
    assert (rule.remind_after, rule.escalate, rule.freezes, rule.fast_track) == (None, None, (), None)
    assert rule.rollback is RollbackBy.RULE
    assert (policy.calendar, policy.freezes, policy.artifact_stores) == (EVERY_DAY_AT_WORK, (), ARTIFACTS_FROM_MLFLOW)
    assert rule.approve.reason is ReasonDemand.ON_REJECT
    assert rule.approve.unknown_requester is UnknownRequester.ONE_MORE


def test_a_rule_or_one_of_its_groups_may_need_passkeys() -> None:
    whole = read_policy(changed("approve: {", "approve: {passkey: required, ")).rules[0].approve
    (group,) = read_policy(changed("quorum: 1", "quorum: 1, passkey: required")).rules[0].approve.all_of

    assert (whole.passkey, whole.all_of[0].passkey, whole.wants_passkeys) == (True, False, True)
    assert group.passkey


def test_passkeys_are_needed_or_not_mentioned() -> None:
    (mistake,) = mistakes_of(changed("approve: {", "approve: {passkey: no, "))

    assert "approve.passkey" in mistake
    assert "required" in mistake


def test_a_rule_without_passkeys_keeps_the_hash_that_votes_of_earlier_releases_carry() -> None:
    policy = read_policy(SMALL)
    (rule,) = policy.rules

    hashes = policy.hashes(rule)

    assert hashes == OF_AN_EARLIER_RELEASE
    wanting = replace(rule, approve=replace(rule.approve, passkey=True))
    assert policy.rule_hash(wanting) != policy.rule_hash(rule)


@pytest.mark.parametrize(
    ("written", "meant"), [("1s", 1), ("30s", 30), ("5m", 300), ("4h", 14_400), ("3d", 259_200), ("007s", 7)]
)
def test_durations_are_a_number_and_a_unit(written: str, meant: int) -> None:
    policy = read_policy(SMALL + f"poll: {{versions: {written}}}\n")

    assert policy.poll.versions == timedelta(seconds=meant)


@pytest.mark.parametrize("written", ["0s", "30", "500ms", "1 h", "-3s", "1.5h", "٣s", "9999999d", "[1s]", "true"])
def test_anything_else_is_no_duration(written: str) -> None:
    (mistake,) = mistakes_of(SMALL + f"poll: {{versions: {written}}}\n")

    assert mistake.startswith("policy.yaml line 10: poll.versions must be ")


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("{alias: champion}", Target(TargetKind.ALIAS, "champion")),
        ("{stage: production}", Target(TargetKind.STAGE, "Production")),
        ("{stage: None}", Target(TargetKind.STAGE, "None")),
        ("{model: 'prod.{name}'}", Target(TargetKind.MODEL, "prod.{name}")),
    ],
)
def test_a_target_is_an_alias_a_stage_or_another_model(target: str, meant: Target) -> None:
    policy = read_policy(changed("{alias: champion}", target))

    assert policy.rules[0].target == meant


def test_a_version_may_ask_in_four_ways() -> None:
    asks = "[{alias: candidate}, {tag: countersign.ask}, {stage: staging}, {new_version: true}]"

    policy = read_policy(changed("[{alias: candidate}]", asks))

    assert [str(ask) for ask in policy.rules[0].ask_on] == [
        "by alias candidate",
        "by tag countersign.ask",
        "by stage Staging",
        "by creating the version",
    ]


def test_e_mail_addresses_are_compared_in_lower_case() -> None:
    people = "people: [{name: Ana, email: Ana@Example.com, mlflow_user: ana}]\n"

    policy = read_policy(changed("ben@example.com", "BEN@example.com") + people)

    assert policy.groups[0].people == ("ana@example.com", "ben@example.com")
    assert policy.people[0].email == "ana@example.com"


# One mistake, one line, one sentence: what is changed in SMALL, and what is said about it.
SINGLE = [
    ("version: 1", "version: 2", 1, "version must be 1, not 2: this Countersign reads only the first version"),
    ("version: 1", "version: yes", 1, "version must be a whole number, not true"),
    ("version: 1", "version: '1'", 1, 'version must be a whole number, not "1"'),
    ("version: 1", "version: 1\nlanguage: es-ES", 2, 'language must be en or es, not "es-ES". Did you mean "es"?'),
    ("version: 1", "version: 1\nlanguage: English", 2, 'language must be en or es, not "English". Did you mean "en"?'),
    ("version: 1", "version: 1\nlanguage: fr", 2, 'language must be en or es, not "fr".'),
    ("version: 1", "version: 1\nlangauge: es", 2, 'unknown key "langauge". Did you mean "language"?'),
    ("target:", "traget:", 5, 'rule "bike-*": target is missing'),
    ("ask_on:", "askon:", 7, 'rule "bike-*": unknown key "askon". Did you mean "ask_on"?'),
    ("{slack:", "{teams:", 8, 'rule "bike-*": unknown key "teams" in notify. Known are group_above, slack.'),
    ("quorum: 1", "quorum: 0", 9, 'rule "bike-*": approve.all_of.quorum must be at least 1, not 0.'),
    ("quorum: 1", "quorum: 21", 9, 'rule "bike-*": approve.all_of.quorum must be at most 20, not 21.'),
    ("quorum: 1", "quorum: two", 9, 'rule "bike-*": approve.all_of.quorum must be a whole number, not "two".'),
    ("quorum: 1", "quorum: 3", 9, 'rule "bike-*" asks for quorum 3 but group leads has 2 people, ana@example.com and ben@example.com.'),
    ("quorum: 1", "quorum: 2", 9, 'rule "bike-*" asks for quorum 2 and for one more when nobody knows who asked'),
    ("group: leads", "group: lead", 9, 'rule "bike-*" names the group "lead", which does not exist. Did you mean "leads"?'),
    ("group: leads", "group: risk", 9, 'rule "bike-*" names the group "risk", which does not exist. Add it to groups.'),
    ("[{group: leads, quorum: 1}]", "[]", 9, 'rule "bike-*": approve.all_of must not be empty.'),
    ("[{group: leads, quorum: 1}]", "leads", 9, 'rule "bike-*": approve.all_of must be a list, not "leads".'),
    ("{alias: champion}", "{alias: candidate}", 7, 'rule "bike-*" asks by the very alias that it guards, "candidate".'),
    ("{alias: champion}", "{alias: Latest}", 6, 'rule "bike-*": target.alias cannot be "Latest", because MLflow keeps'),
    ("{alias: champion}", "{alias: v12}", 6, 'rule "bike-*": target.alias cannot be "v12", because MLflow keeps'),
    ("{alias: champion}", "{alias: a b}", 6, 'rule "bike-*": target.alias must be an alias that MLflow accepts'),
    ("{alias: champion}", "{stage: Prod}", 6, 'rule "bike-*": target.stage cannot be "Prod", because MLflow knows only the stages'),
    ("{alias: champion}", "{}", 6, 'rule "bike-*": target needs exactly one of alias, stage and model.'),
    ("{alias: champion}", "{alias: a, stage: None}", 6, 'rule "bike-*": target needs exactly one of alias, stage and model.'),
    ("{alias: champion}", "{model: 'x.{nam}'}", 6, 'rule "bike-*": target.model must be the name of a registered model'),
    ("{alias: champion}", "{model: '{name}'}", 6, 'rule "bike-*": target.model cannot be "{name}" alone'),
    ("{alias: champion}", "{model: 'bike-*'}", 6, 'rule "bike-*" would copy the model into itself.'),
    ("{alias: candidate}", "{new_version: no}", 7, 'rule "bike-*": ask_on.new_version must be true, not false.'),
    ("{alias: candidate}", "{tag: countersign.decision}", 7, 'rule "bike-*": ask_on.tag cannot be "countersign.decision"'),
    ("{alias: candidate}", "{alias: c}, {alias: c}", 7, 'rule "bike-*" is asked by alias c twice.'),
    ('"bike-*"', "2024", 5, "rule 1: models must be text, not 2024: put it in quotes."),
    ('"#models"', "models", 8, 'rule "bike-*": notify.slack must be a channel such as "#model-approvals"'),
    ('"#models"', "'#Models'", 8, 'rule "bike-*": notify.slack must be a channel such as "#model-approvals" (lower case)'),
    ("[ana@example.com, ben@example.com]", "[]", 3, 'group "leads": people must not be empty.'),
    ("ben@example.com", "ANA@example.com", 3, 'group "leads": people names ana@example.com twice.'),
    ("ben@example.com", "ben", 3, 'group "leads": people must be an e-mail address, not "ben".'),
    ("{people: [ana@example.com, ben@example.com]}", "{slack_group: '@leads'}", 3, 'group "leads": slack_group must be the handle'),
    ("{people: [ana@example.com, ben@example.com]}", "{}", 3, 'group "leads": it needs exactly one of slack_group and people.'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "sentence"), SINGLE)
def test_each_mistake_names_its_line_and_its_rule(old: str, new: str, line: int, sentence: str) -> None:
    text = changed(old, new)

    mistakes = mistakes_of(text)

    assert any(mistake.startswith(f"policy.yaml line {line}: {sentence}") for mistake in mistakes), mistakes
    assert all(mistake.endswith((".", "?")) for mistake in mistakes)


def test_a_quorum_larger_than_its_group_says_who_there_is_and_what_to_do() -> None:
    text = changed("ana@example.com, ben@example.com", "ana@example.com").replace("quorum: 1", "quorum: 2")

    assert mistakes_of(text) == [
        'policy.yaml line 9: rule "bike-*" asks for quorum 2 but group leads has one person, ana@example.com. '
        "Add a person or lower the quorum."
    ]


def test_two_groups_of_the_same_person_cannot_make_a_quorum_of_two() -> None:
    text = changed("  leads:", "  ana: {people: [ana@example.com]}\n  risk: {people: [ana@example.com]}\n  leads:")
    text = text.replace("[{group: leads, quorum: 1}]", "[{group: ana, quorum: 1}, {group: risk, quorum: 1}]")

    assert mistakes_of(text) == [
        'policy.yaml line 11: rule "bike-*" asks for 2 approvals by ana and risk together, but they have one person, '
        "ana@example.com. Add a person or lower the quorum."
    ]


def test_how_many_people_a_slack_group_has_is_for_slack_to_say() -> None:
    text = changed("{people: [ana@example.com, ben@example.com]}", "{slack_group: leads}")

    policy = read_policy(text.replace("quorum: 1", "quorum: 9"))

    assert policy.rules[0].approve.all_of == (Requirement("leads", 9),)


def test_one_group_is_named_once() -> None:
    text = changed("[{group: leads, quorum: 1}]", "[{group: leads, quorum: 1}, {group: leads, quorum: 1}]")

    assert any('names the group "leads" twice' in mistake for mistake in mistakes_of(text))


def test_the_same_person_stands_in_people_once() -> None:
    people = "people:\n  - {name: Ana, email: ana@example.com}\n  - {name: Ana R, email: ANA@example.com}\n"

    assert mistakes_of(SMALL + people) == [
        "policy.yaml line 12: ana@example.com stands in people twice. Remove one of the entries."
    ]


@pytest.mark.parametrize("second", ["ana", "ana@example.com"])
def test_a_name_in_mlflow_means_one_person(second: str) -> None:
    people = (
        "people:\n  - {name: Ana, email: ana@example.com, mlflow_user: ana}\n"
        f"  - {{name: Ben, email: ben@example.com, mlflow_user: {second}}}\n"
    )

    (mistake,) = mistakes_of(SMALL + people)

    assert mistake.startswith(
        f'policy.yaml line 12: mlflow_user "{second}" stands for ben@example.com and for ana@example.com'
    )


def test_ones_own_e_mail_address_may_be_ones_name_in_mlflow() -> None:
    people = "people: [{name: Ana, email: ana@example.com, mlflow_user: ana@example.com}]\n"

    assert read_policy(SMALL + people).people[0].mlflow_user == "ana@example.com"


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = changed("version: 1", "version: 3").replace("leads, quorum: 1", "led, quorum: 1") + "defualt: report\n"

    assert mistakes_of(text) == [
        "policy.yaml line 1: version must be 1, not 3: this Countersign reads only the first version of the policy's format.",
        'policy.yaml line 9: rule "bike-*" names the group "led", which does not exist. Did you mean "leads"?',
        'policy.yaml line 10: unknown key "defualt". Did you mean "default"?',
    ]


def test_a_broken_group_is_not_also_called_missing() -> None:
    mistakes = mistakes_of(changed("{people: [ana@example.com, ben@example.com]}", "3"))

    assert mistakes == ['policy.yaml line 3: group "leads": it must be a mapping, not 3.']


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", None, "The file is empty."),
        ("# nothing\n", None, "The file is empty."),
        ("- version: 1", 1, "A policy is a mapping"),
        ("version: 1\nrules: [", 2, "This is not valid YAML"),
        ("version: 1\n\tpoll: 3", 2, "This is not valid YAML"),
        ("version: 1\n---\nversion: 1", 2, "This is not valid YAML"),
        ("version: 1\nname: \x00", 2, "This line contains a character that YAML does not allow."),
        ('name: "\\UFFFFFFFF"', None, "This is not valid YAML: a number or an escaped character is out of range."),
        ("version: 1\nrules: &all []", 2, "Anchors (&name, *name) are not allowed here."),
        ("version: 1\nrules: *all", 2, "Anchors (&name, *name) are not allowed here."),
        ("version: !!python/object:os.system x", 1, "Tags (tag:yaml.org,2002:python/object:os.system) are not allowed"),
        ("[" * 5000, 1, "This is nested more than 30 levels deep"),
        ("x" * 300_000, None, "The file is longer than 256,000 characters."),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str, line: int | None, sentence: str) -> None:
    (mistake,) = mistakes_of(text)

    place = "policy.yaml" if line is None else f"policy.yaml line {line}"
    assert mistake.startswith(f"{place}: {sentence}")


def test_a_key_given_twice_is_refused_with_both_lines() -> None:
    assert mistakes_of(SMALL + "version: 1\n") == [
        'policy.yaml line 10: "version" stands here a second time, first on line 1. Remove one of them.'
    ]


def test_a_channel_that_yaml_takes_for_a_comment_is_explained() -> None:
    (mistake,) = mistakes_of(changed('{slack: "#models"}', "\n      slack: #models"))

    assert mistake == (
        'policy.yaml line 9: "slack" has no value. What follows # is a comment to YAML: quote a value that begins with #.'
    )


def test_letters_that_nobody_sees_are_refused() -> None:
    assert (
        "policy.yaml line 5: This value contains a line break or a character that cannot be seen. Remove it."
        in mistakes_of(changed('"bike-*"', '"bike-\\u202e*"'))
    )


def test_mistakes_carry_lines_and_sentences_and_the_name_of_the_file() -> None:
    with pytest.raises(PolicyMistakes) as caught:
        read_policy(changed("version: 1", "version: 7"), "/etc/countersign.yaml")

    (mistake,) = caught.value.mistakes
    assert mistake.line == 1
    assert str(caught.value) == f"/etc/countersign.yaml line 1: {mistake.sentence}"


def test_the_schema_for_editors_is_the_one_that_the_code_generates() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema()


def test_a_broken_value_hides_none_of_the_other_mistakes_of_its_rule() -> None:
    text = """
version: 1
groups:
  leads: {people: [ana@example.com]}
rules:
  - models: "bike-*"
    target: {alias: champion}
    notify: {slack: model-approvals}
    freezes: [xmas]
    approve: {all_of: [{group: rsik, quorum: 1}, {group: leads, quorum: 3}], reason: on_rejct}
    expire_after: 3x
"""

    with pytest.raises(PolicyMistakes) as raised:
        read_policy(text)

    assert [mistake.line for mistake in raised.value.mistakes] == [8, 9, 10, 10, 10, 11]


def sections() -> list[str]:
    """The keys whose value is a mapping with keys of ours."""
    kinds = {name: str(field.annotation) for name, field in PolicyShape.model_fields.items()}
    return [name for name, kind in kinds.items() if "Shape" in kind and not kind.startswith(("dict", "list", "tuple"))]


@pytest.mark.parametrize("section", sections())
def test_an_unknown_key_in_any_section_is_named(section: str) -> None:
    bare = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(f"{section}:"))

    mistakes = mistakes_of(f"{bare}\n{section}: {{no_such_key: 1}}\n")

    assert any('unknown key "no_such_key"' in mistake for mistake in mistakes), mistakes


def test_there_are_sections() -> None:
    assert {"poll", "calendar", "digest", "evidence_watch"} <= set(sections())
