"""`break_glass` in a rule: its shape, its groups, and what a change of it is called."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.digest.control import rule_text
from bot.domain.policy.break_glass import BreakGlass
from bot.domain.policy.changes import changes
from config.policy import notices, read_policy
from tests.builders.policies import mistakes_of, replaced

MAY = "    break_glass: {group: on-call, review: {group: leads, within: 2d}}\n"
POLICY = (
    """\
version: 1
groups:
  leads: {people: [ana@example.com, ben@example.com]}
  on-call: {people: [cy@example.com]}
rules:
  - models: "bike-*"
    target: {alias: champion}
    notify: {slack: "#models"}
    ticket: {project: GOV, type: Task, break_glass_type: Incident, approved: Done, rejected: "Won't Do"}
    approve: {all_of: [{group: leads, quorum: 1}]}
"""
    + MAY
)
GLASS = BreakGlass("on-call", "leads", timedelta(days=2))


def test_a_rule_names_who_breaks_the_glass_and_who_reviews_it() -> None:
    (rule,) = read_policy(POLICY).rules

    assert rule.break_glass == GLASS
    assert rule.ticket is not None
    assert rule.ticket.break_glass_type == "Incident"
    assert read_policy(POLICY.replace(MAY, "")).rules[0].break_glass is None
    assert not notices(POLICY.replace("ben@example.com]", "ben@example.com, dan@example.com]"))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("group: on-call,", "group: oncall,", 'names the group "oncall" in break_glass, which does not exist. Did you mean "on-call"?'),
        ("{group: leads, within", "{group: heads, within", 'names the group "heads" in break_glass, which does not exist.'),
        ("group: on-call, ", "", "break_glass.group is missing"),
        (", review: {group: leads, within: 2d}", "", "break_glass.review is missing"),
        ("within: 2d", "within: soon", "break_glass.review.within must be"),
        ("within: 2d", "withn: 2d", 'unknown key "withn" in break_glass.review. Did you mean "within"?'),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence_on_its_line(old: str, new: str, sentence: str) -> None:
    mistakes = mistakes_of(POLICY.replace(MAY, MAY.replace(old, new)))

    assert any(mistake.startswith("policy.yaml line 11: ") and sentence in mistake for mistake in mistakes), mistakes


def test_a_review_that_only_who_broke_the_glass_could_do_is_a_mistake() -> None:
    alone = replaced(POLICY, "leads: {people: [ana@example.com, ben@example.com]}", "leads: {people: [cy@example.com]}")

    (mistake,) = mistakes_of(alone)

    assert "lets cy@example.com break the glass, who is also the only one to review it" in mistake


def test_a_change_of_it_is_named_and_voids_the_votes_under_the_rule() -> None:
    before, after = read_policy(POLICY.replace(MAY, "")), read_policy(POLICY)

    assert changes(before, after) == (
        "rule bike-* → alias:champion: break_glass: on-call, reviewed by leads within 2d, was none",
    )
    assert before.rule_hash(before.rules[0]) != after.rule_hash(after.rules[0])


def test_a_rule_without_it_keeps_the_hash_that_it_had() -> None:
    policy = read_policy(POLICY.replace(MAY, "").replace(" break_glass_type: Incident,", ""))
    (rule,) = policy.rules

    assert policy.rule_hash(replace(rule, break_glass=None)) == policy.rule_hash(rule)
    assert "break_glass" not in policy.former_hash(rule)


def test_the_digest_says_what_the_rule_allows() -> None:
    (rule,) = read_policy(POLICY).rules

    assert "In an emergency one member of on-call promotes at once, and leads review it within 2d." in rule_text(rule)
