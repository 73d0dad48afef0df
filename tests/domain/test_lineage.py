"""What a complete lineage has, and what is said of one that has gaps."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.lineage import PARTS, missing
from bot.domain.model import DataSet
from tests.builders import an_evidence

TRAINED_ON = DataSet("rides", "1a2b3c4d", "training")
COMPLETE = an_evidence(datasets=(TRAINED_ON,), commit="4f1d2c9")


def test_nothing_is_missing_from_a_complete_lineage() -> None:
    assert missing(COMPLETE) == ()


@pytest.mark.parametrize(
    ("gap", "sentence"),
    [
        ({"run_id": None}, "there is no run: register the version from the run that trained it"),
        ({"commit": None}, "there is no commit: train from a git checkout, so that the run is tagged with its commit"),
        ({"commit": ""}, "there is no commit: train from a git checkout, so that the run is tagged with its commit"),
        (
            {"datasets": ()},
            "there is no training data set with a digest: "
            "log what the version was trained on as an input of the run, with the context training",
        ),
        ({"author": None}, "there is no author: train under a user name that the run is tagged with"),
        ({"params": {}}, "there is no parameter: log the parameters of the training on the run"),
    ],
)
def test_each_gap_is_said_with_its_mend(gap: dict[str, Any], sentence: str) -> None:
    evidence = an_evidence(**({"datasets": COMPLETE.datasets, "commit": COMPLETE.commit} | gap))

    assert missing(evidence) == (sentence,)


@pytest.mark.parametrize("context", ["eval", "evaluation", "test", "validation", "holdout", "Evaluation", " test "])
def test_data_that_the_version_was_evaluated_on_is_no_training_data(context: str) -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "1a2b3c4d", context),), commit="4f1d2c9")

    assert len(missing(evidence)) == 1


@pytest.mark.parametrize("context", ["training", "train", "", "features"])
def test_data_in_any_other_context_is(context: str) -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "1a2b3c4d", context),), commit="4f1d2c9")

    assert missing(evidence) == ()


def test_a_training_data_set_without_a_digest_could_be_any() -> None:
    evidence = an_evidence(datasets=(DataSet("rides", "", "training"),), commit="4f1d2c9")

    assert len(missing(evidence)) == 1


def test_a_version_of_which_nothing_is_known_lacks_everything() -> None:
    evidence = an_evidence(run_id=None, author=None, params={})

    assert len(missing(evidence)) == len(PARTS)
