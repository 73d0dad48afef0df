"""`seal` in a rule: its two shapes, its mistakes, and what a change of it is called."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.digest.control import rule_text
from bot.domain.policy.changes import changes
from bot.domain.seals.places import SealPlan
from config.policy import notices, read_policy
from tests.builders.policies import ENOUGH, SMALL, mistakes_of, replaced

LINE = "    notify:"


def with_seal(seal: str, policy: str = ENOUGH) -> str:
    return replaced(policy, LINE, f"    seal: {seal}\n{LINE}")


@pytest.mark.parametrize(
    ("seal", "plan"),
    [
        ("s3://prod-models/", SealPlan("s3://prod-models/")),
        ("s3://prod-models", SealPlan("s3://prod-models/")),
        ("{to: s3://prod-models/bikes}", SealPlan("s3://prod-models/bikes/")),
        ("{to: s3://prod-models/, lock_for: 90d}", SealPlan("s3://prod-models/", timedelta(days=90))),
    ],
)
def test_a_rule_names_a_bucket_alone_or_with_a_lock(seal: str, plan: SealPlan) -> None:
    assert read_policy(with_seal(seal)).rules[0].seal == plan
    assert not notices(with_seal(seal))


@pytest.mark.parametrize(
    ("seal", "sentence"),
    [
        ("/mnt/models", 'must be a place in a bucket of S3, for example "s3://prod-models/", not "/mnt/models"'),
        ("s3://Prod_Models/", "must name a bucket as S3 does"),
        ("s3://prod..models/", "must name a bucket as S3 does"),
        ("s3://prod-models/a/../b/", "must go on with a plain prefix"),
        ("s3://prod-models/a b/", "must go on with a plain prefix"),
        ("{to: s3://prod-models/, lock_for: 1h}", 'must be at least "1d"'),
        ("{to: s3://prod-models/, lock_for: 36501d}", 'must be at most "36500d": S3 locks an object for 100 years'),
        ("{to: s3://prod-models/, lock_for: long}", "seal.lock_for must be"),
        ("{lock_for: 90d}", "seal.to is missing"),
        ("{to: s3://prod-models/, lockfor: 90d}", 'unknown key "lockfor" in seal. Did you mean "lock_for"?'),
        ("true", 'seal must be the place to copy to, such as "s3://prod-models/", or a mapping with `to`'),
        ("[s3://prod-models/]", "seal must be the place to copy to"),
    ],
)
def test_each_mistake_is_one_sentence_on_its_line(seal: str, sentence: str) -> None:
    text = with_seal(seal)
    line = text[: text.index("seal:")].count("\n") + 1

    (mistake,) = mistakes_of(text)

    assert mistake.startswith(f"policy.yaml line {line}: ")
    assert sentence in mistake


def test_a_rule_that_seals_where_models_are_written_is_warned_about() -> None:
    (notice,) = notices(with_seal("s3://models/sealed/") + "artifact_stores: ['s3://models/']\n")

    assert "seals in s3://models/sealed/, which is in the artifact store s3://models/" in notice.sentence


def test_a_change_of_it_is_named_and_voids_the_votes_under_the_rule() -> None:
    before, after = (read_policy(with_seal(seal)) for seal in ("s3://prod-models/", "{to: s3://other/, lock_for: 90d}"))

    assert [change.partition(": ")[2] for change in changes(before, after)] == [
        "seal: s3://other/ locked for 90d, was s3://prod-models/"
    ]
    assert before.rule_hash(before.rules[0]) != after.rule_hash(after.rules[0])


def test_a_rule_without_it_keeps_the_hash_that_it_had() -> None:
    policy = read_policy(SMALL)
    (rule,) = policy.rules

    assert policy.rule_hash(replace(rule, seal=None)) == policy.rule_hash(rule)


def test_the_digest_says_where_a_rule_seals() -> None:
    (plain,) = read_policy(with_seal("s3://prod-models/")).rules
    (locked,) = read_policy(with_seal("{to: s3://prod-models/, lock_for: 90d}")).rules

    assert "Approved files are sealed in s3://prod-models/." in rule_text(plain)
    assert "Approved files are sealed in s3://prod-models/ and locked for 90d." in rule_text(locked)
