"""The sentences about what has changed since an approval, one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.evidence.changes import are_other_files, changes
from bot.domain.model import Artifacts, DataSet, Evidence, Metric
from tests.builders import LATER, NOON, a_champion, a_metric, an_evidence

HELD_OUT = DataSet("held out", "d1", "test")
MAE = Metric("mae", 31.5, "logged model", HELD_OUT, NOON)
BEFORE = an_evidence(
    metrics=(MAE,),
    datasets=(HELD_OUT,),
    commit="c02d8cc",
    signature='{"inputs":[]}',
    artifacts=Artifacts("sha256:1", 3, 4_096),
    lock_sha256="a" * 64,
    data_md5=f"{'1' * 32}  data/raw.csv",
)


def but(**changed: object) -> Evidence:
    return replace(BEFORE, **changed)


def test_the_same_evidence_has_no_changes() -> None:
    assert changes(BEFORE, but()) == ()
    assert not are_other_files(BEFORE, but())


@pytest.mark.parametrize(
    ("changed", "are_other"),
    [
        ({"artifacts": Artifacts("sha256:2", 3, 4_096)}, True),
        ({"artifacts": None}, True),
        ({"signature": None}, True),
        ({"outside": ("code/model.py",)}, True),
        ({"metrics": (replace(MAE, value=99.0),), "params": {"depth": "9"}, "commit": "b11"}, False),
    ],
)
def test_other_files_are_told_from_other_figures(changed: dict[str, Any], are_other: bool) -> None:
    """A copy in use shares the files of its original, and not what was measured of it."""
    assert are_other_files(BEFORE, but(**changed)) is are_other


def test_what_nobody_decides_on_may_change() -> None:
    now = but(
        description="better words",
        tags={"team": "bikes"},
        version_url="https://elsewhere.example.com",
        run_url=None,
        champion=a_champion(a_metric()),
    )

    assert changes(BEFORE, now) == ()


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (but(artifacts=Artifacts("sha256:2", 3, 4_096)), "the artifacts are other bytes now"),
        (
            but(artifacts=None, artifacts_unread="The files are at s3://x. Add it to artifact_stores."),
            "the artifacts cannot be compared, because they were not read this time: "
            "The files are at s3://x. Add it to artifact_stores",
        ),
        (but(signature='{"inputs":[1]}'), "the model signature is another one now"),
        (but(signature=None), "the model signature is gone"),
        (but(metrics=(replace(MAE, value=31.5000001),)), "mae was 31.5 and is 31.5000001 now"),
        (but(metrics=(replace(MAE, value=math.nan),)), "mae was 31.5 and is nan now"),
        (
            but(metrics=(replace(MAE, measured_on=DataSet("held out", "d2", "test")),)),
            "mae was measured on data set held out (d1) and is measured on data set held out (d2) now",
        ),
        (
            but(metrics=(replace(MAE, measured_on=None),)),
            "mae was measured on data set held out (d1) and is measured on no known data set now",
        ),
        (but(metrics=(replace(MAE, source="run"),)), "mae was read from the logged model and is read from the run now"),
        (but(metrics=(replace(MAE, logged_at=LATER),)), "mae was logged again"),
        (but(metrics=()), "mae (logged model) was 31.5 and is gone"),
        (but(metrics=(MAE, a_metric("r2", 0.9))), "r2 (run) was added: 0.9"),
        (but(params={"depth": "8"}), "parameter depth was 6 and is 8 now"),
        (but(params={}), "parameter depth was 6 and is gone"),
        (but(params={"depth": "6", "lr": "0.1"}), "parameter lr was added: 0.1"),
        (but(commit="23c0bfb"), "the commit was c02d8cc and is 23c0bfb now"),
        (but(lock_sha256="b" * 64), "dvc.lock had the sha256 aaaaaaaaaaaa and has bbbbbbbbbbbb now"),
        (but(lock_sha256=""), "the run keeps no dvc.lock any more that may be read"),
        (but(data_md5=f"{'2' * 32}  data/raw.csv"), "the run names other source data now (tag data_md5)"),
        (but(run_id=None), "the run was 5d3c9f21aa and is unknown now"),
        (but(source="models:/m-2"), "the source was models:/m-1 and is models:/m-2 now"),
        (but(datasets=()), "data set held out (d1) for test is no longer among the run's data sets"),
        (
            but(datasets=(HELD_OUT, DataSet("rides", "", ""))),
            "data set rides (no digest) was added to the run's data sets",
        ),
    ],
)
def test_each_change_is_one_sentence_with_both_sides(now: Evidence, sentence: str) -> None:
    assert changes(BEFORE, now) == (sentence,)


def test_what_could_not_be_read_then_and_can_be_read_now_is_a_change() -> None:
    unread = but(artifacts=None, artifacts_unread="The store needs boto3.", signature=None)

    assert changes(unread, BEFORE) == (
        "the artifacts were not read when this was decided and can be read now",
        "the model has a signature now",
    )


def test_what_could_be_read_neither_then_nor_now_is_no_change() -> None:
    then = but(artifacts=None, artifacts_unread="The store needs boto3.")

    assert changes(then, but(artifacts=None, artifacts_unread="The files are at s3://x.")) == ()


def test_what_was_frozen_without_a_lock_is_bound_to_none() -> None:
    assert changes(but(lock_sha256="", data_md5=""), BEFORE) == ()


def test_nan_equals_nan() -> None:
    then = but(metrics=(replace(MAE, value=math.nan),))

    assert changes(then, but(metrics=(replace(MAE, value=float("nan")),))) == ()


def test_a_time_that_nobody_noted_then_is_no_change() -> None:
    then = but(metrics=(replace(MAE, logged_at=None),))

    assert changes(then, BEFORE) == ()


def test_the_same_figure_with_another_value_says_no_more_than_that() -> None:
    now = but(metrics=(replace(MAE, value=30.0, logged_at=LATER, measured_on=None),))

    assert changes(BEFORE, now) == ("mae was 31.5 and is 30 now",)


def test_figures_of_one_name_from_several_data_sets_are_told_apart() -> None:
    train = replace(MAE, source="logged model, data set train")
    test = replace(MAE, source="logged model, data set test")

    sentences = changes(but(metrics=(train, test)), but(metrics=(train, replace(test, value=30.0))))

    assert sentences == ("mae (logged model, data set test) was 31.5 and is 30 now",)


def test_long_values_are_cut() -> None:
    sentences = changes(but(params={"columns": "a" * 1_000}), but(params={"columns": "b" * 1_000}))

    assert sentences == (f"parameter columns was {'a' * 59}… and is {'b' * 59}… now",)


def test_after_six_sentences_it_says_how_many_more() -> None:
    metrics = tuple(replace(MAE, name=name, logged_at=NOON + timedelta(days=1)) for name in "abcdefgh")
    then = but(metrics=tuple(replace(metric, logged_at=NOON) for metric in metrics))

    sentences = changes(then, but(metrics=metrics))

    assert len(sentences) == 7
    assert sentences[-2:] == ("f was logged again", "and 2 more")
