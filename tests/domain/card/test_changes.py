"""What the card says of changes since the holder, of where a version comes from, and of what is missing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.card.card import Link
from bot.domain.card.details import details_card
from bot.domain.card.sentences import CardContext
from bot.domain.model import Artifacts, Champion, DataSet, Evidence
from tests.builders import a_champion, a_request, a_rule, a_version, an_evidence

PRINTED = CardContext({"bea": "Bea Baker"}, a_rule())
TRAINED_ON = DataSet("train", "1a2b3c4d", "training")


def facts_for(evidence: Evidence, **changes: object) -> dict[str, str | Link]:
    card = details_card(a_request(evidence=evidence, **changes), PRINTED)
    return {fact.label: fact.value for fact in card.facts}


def a_signature(**columns: str) -> str:
    """As MLflow keeps it: JSON texts within JSON."""
    inputs = [{"name": name, "type": kind, "required": True} for name, kind in columns.items()]
    return json.dumps({"inputs": json.dumps(inputs), "outputs": '[{"type": "long"}]', "params": None})


def beside(champion: Champion, **changes: object) -> dict[str, str | Link]:
    return facts_for(an_evidence(champion=champion, **changes))


# Parameters


def test_parameters_are_told_as_what_changed_came_and_went() -> None:
    champion = replace(a_champion(), params={"learning_rate": "0.05", "depth": "6", "seed": "1"})

    facts = beside(champion, params={"learning_rate": "0.1", "depth": "6", "max_depth": "6"})

    assert facts["Parameters"] == "learning_rate 0.05 → 0.1, +max_depth 6, −seed"


def test_the_same_parameters_are_said_to_be_the_same() -> None:
    facts = beside(replace(a_champion(), params={"depth": "6"}), params={"depth": "6"})

    assert facts["Parameters"] == "the same as bike-demand v5"


@pytest.mark.parametrize("champion", [None, a_champion()])
def test_without_anybody_s_parameters_to_compare_with_nothing_is_said(champion: Champion | None) -> None:
    assert "Parameters" not in facts_for(an_evidence(champion=champion))


def test_many_parameters_are_counted_and_long_ones_cut() -> None:
    champion = replace(a_champion(), params={"depth": "6"})

    short = beside(champion, params={f"p{number:02}": "x" for number in range(20)})["Parameters"]
    long = beside(champion, params={f"p{number:02}": "x" * 200 for number in range(20)})["Parameters"]

    assert short == "+p00 x, +p01 x, +p02 x, +p03 x, +p04 x, +p05 x, +p06 x, +p07 x and 13 more"
    assert isinstance(long, str)
    assert len(long) < 450
    assert long.endswith(" and 13 more")


# The model's own signature


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (a_signature(hour="long"), a_signature(hour="long"), "unchanged"),
        (
            a_signature(hour="long", wind="double"),
            a_signature(hour="double", humidity="double"),
            "changed: inputs hour long → double, +humidity double, −wind",
        ),
        (None, a_signature(hour="long"), "there is one now; bike-demand v5 has none"),
        (a_signature(hour="long"), None, "none, but bike-demand v5 has one"),
        ("{no JSON", a_signature(hour="long"), "changed: inputs +hour long; outputs +column 1 long"),
        ("{no JSON", "[1]", "changed"),
    ],
)
def test_the_model_s_signature_is_told_by_what_is_different(before: str | None, after: str | None, told: str) -> None:
    facts = beside(replace(a_champion(), signature=before), signature=after)

    assert facts["Model signature"] == told


def test_tensors_and_optional_columns_are_told_as_well() -> None:
    def of(size: int) -> str:
        tensor = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, size]}}
        return json.dumps({"inputs": [tensor], "outputs": ["a"], "params": [{"name": "top", "type": {"k": size}}]})

    optional = json.dumps({"inputs": [{"name": "hour", "type": "long", "required": False}]})
    tensors = beside(replace(a_champion(), signature=of(4)), signature=of(5))
    loosened = beside(replace(a_champion(), signature=a_signature(hour="long")), signature=optional)

    assert tensors["Model signature"] == (
        'changed: inputs column 1 float32 [-1, 4] → float32 [-1, 5]; params top {"k": 4} → {"k": 5}'
    )
    assert loosened["Model signature"] == "changed: inputs hour long → long, optional; outputs −column 1"


def test_where_neither_has_a_signature_nothing_is_said() -> None:
    assert "Model signature" not in beside(a_champion())


# Where it comes from


@pytest.mark.parametrize(
    ("artifacts", "unread", "told"),
    [
        (Artifacts("sha256:1a2b3c4d5e6f7a8b", 5, 1_234_567), "", "5 files, 1.2 MB, sha256 1a2b3c4d5e6f"),
        (Artifacts("1a2b3c4d5e6f7a8b", 1, 999), "", "1 file, 999 bytes, sha256 1a2b3c4d5e6f"),
        (Artifacts("sha256:1a", 2, 2_500), "", "2 files, 2.5 kB, sha256 1a"),
        (Artifacts("sha256:1a", 2, 25_000_000_000), "", "2 files, 25.0 GB, sha256 1a"),
        (Artifacts("sha256:e3b0", 0, 0), "", "no files"),
        (None, "they are in s3://elsewhere", "not read: they are in s3://elsewhere"),
    ],
)
def test_artifacts_are_told_by_number_size_and_digest(artifacts: Artifacts | None, unread: str, told: str) -> None:
    assert facts_for(an_evidence(artifacts=artifacts, artifacts_unread=unread))["Artifacts"] == told


def test_data_sets_are_told_with_their_digest_and_use() -> None:
    facts = facts_for(an_evidence(datasets=(TRAINED_ON, DataSet("test", "9f8e7d6c"))))

    assert facts["Data sets"] == "train 1a2b3c4d (training), test 9f8e7d6c"


@pytest.mark.parametrize(
    ("author", "claimed", "told"),
    [
        ("bea", "bea@example.com", "1a2b3c4d5e6f, by Bea Baker"),
        (None, "root", "1a2b3c4d5e6f, by root (not in the policy's people)"),
        (None, None, "1a2b3c4d5e6f"),
        ("somebody who was erased", "eve", "1a2b3c4d5e6f, by unknown"),
    ],
)
def test_a_commit_is_told_with_who_made_it(author: str | None, claimed: str | None, told: str) -> None:
    evidence = an_evidence(commit="1a2b3c4d5e6f7a8b9c0d", commit_author=claimed)

    assert facts_for(evidence, commit_author=author)["Commit"] == told


def test_what_a_complete_lineage_lacks_is_listed() -> None:
    incomplete = facts_for(an_evidence(commit=None, params={}, datasets=(TRAINED_ON,)))
    complete = facts_for(an_evidence(commit="1a2b", datasets=(TRAINED_ON,)))

    assert incomplete["Missing"] == "commit, parameter"
    assert "Missing" not in complete


def test_before_the_evidence_is_there_nothing_is_said_to_be_missing() -> None:
    collecting = a_request(evidence=None, version=a_version())

    labels = {fact.label for fact in details_card(collecting, PRINTED).facts}

    assert labels == {"Version", "Target", "Requested by", "Trained by", "Opened"}
