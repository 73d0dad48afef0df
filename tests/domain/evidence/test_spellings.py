"""When a run and DVC's files say the same in other letters, and when they contradict each other."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from bot.domain.evidence.dvc_lock import differences
from bot.domain.evidence.spellings import FileFigure, strange_figures
from bot.dvc.files import read_lock, read_values

NESTED = {"rate": 0.001, "layers": (64, 32), "more": {"on": True, "none": None}}


@pytest.mark.parametrize(
    ("run", "lock"),
    [
        ("(64, 32)", "[64, 32]"),
        ("(64,)", "[64]"),
        ("()", "[]"),
        ("[(1, 2), (3, 4)]", "[[1, 2], [3, 4]]"),
        ("[True, None]", "[true, ]"),
        ("[None, 1]", "[, 1]"),
        ("['relu', 'tanh']", "[relu, tanh]"),
        ("['a, b']", "[a, b]"),
        ("[0.10, 1e-3]", "[.1, 0.001]"),
        ("[{'a': None}]", "[{'a': ''}]"),
        ("inf", ".inf"),
        ("-inf", "-.inf"),
        ("nan", ".nan"),
        ("[inf]", "[.inf]"),
        ("1e-05", "0.00001"),
        ("5", "5.0"),
        ("'quoted'", "quoted"),
        ("None", ""),
        ("x" * 6000, "x" * 7000),
        ("x" * 500, "x" * 600),
        (str(["ab"] * 2000)[:6000], f"[{', '.join(['ab'] * 2000)}]"),
        (str([12.5] * 1000)[:500], f"[{', '.join(['12.5'] * 1000)}]"),
    ],
)
def test_one_value_in_two_spellings_is_the_same(run: str, lock: str) -> None:
    assert differences({"p": run}, {"p": lock}) == (1, ())


@pytest.mark.parametrize(
    ("run", "lock"),
    [
        ("(64, 32)", "[32, 64]"),
        ("[1, 2]", "[1, 2, ]"),
        ("[True]", "[false]"),
        ("inf", "-.inf"),
        ("12345678901234567", "12345678901234568"),
        ("x" * 6000, "y" * 7000),
        ("x" * 5999, "x" * 7000),
        ("", "0"),
        ("[]", ""),
    ],
)
def test_another_value_is_a_difference(run: str, lock: str) -> None:
    equal, other = differences({"p": run}, {"p": lock})

    assert (equal, len(other)) == (0, 1)


@pytest.mark.parametrize("name", ["train.rate", "train/rate", "train__rate", "rate"])
def test_a_nested_name_may_be_spelled_in_several_ways(name: str) -> None:
    assert differences({name: "0.1"}, {"train.rate": "0.1"}) == (1, ())
    assert len(differences({name: "0.2"}, {"train.rate": "0.1"})[1]) == 1


def test_a_mapping_that_was_logged_as_one_parameter_is_compared_entry_by_entry() -> None:
    locked = {"train.rate": "1e-3", "train.layers": "[64, 32]", "train.more.on": "true", "train.more.none": ""}

    assert differences({"train": str(NESTED)}, locked) == (4, ())
    assert differences({"train": str(NESTED)}, locked | {"train.rate": "0.5"}) == (
        3,
        ("train.rate: run 0.001 / lock 0.5",),
    )
    assert differences({"train": str(NESTED)[:30]}, locked) == (0, ())


LOCK = """\
stages:
  prepare:
    params: {params.yaml: {seed: 1, split: 0.2}}
    outs: [{path: clean, md5: aa}]
  train:
    deps: [{path: clean, md5: aa}]
    params: {params.yaml: {seed: 7}, model.yaml: {seed: 8, depth: 6}}
    outs: [{path: mlflow_run.json, md5: bb}]
  evaluate:
    deps: [{path: mlflow_run.json, md5: bb}]
    params: {eval.yaml: {seed: 99, depth: 1}}
    outs: [{path: scores.json, md5: cc}]
"""


@pytest.mark.parametrize(
    ("run", "other"),
    [
        ({"seed": "7"}, 0),
        ({"seed": "8", "depth": "6", "split": "0.2"}, 0),
        ({"seed": "99"}, 1),
        ({"seed": "1"}, 1),
        ({"depth": "1"}, 1),
    ],
)
def test_parameters_are_those_of_the_stage_that_wrote_the_run_and_of_those_before(
    run: Mapping[str, str], other: int
) -> None:
    assert len(differences(run, read_lock(LOCK).params_of("bb"))[1]) == other


def test_without_a_stage_that_pins_the_run_all_parameters_of_the_lock_count() -> None:
    assert differences({"split": "0.2"}, read_lock(LOCK).params_of("")) == (1, ())


@pytest.mark.parametrize(
    ("run", "path", "text"),
    [
        ({"train/loss": 0.25, "val/loss": 0.3}, "m.json", '{"train": {"loss": 0.25}, "val": {"loss": 0.3}}'),
        ({"train_loss": 0.25}, "m.json", '{"train": {"loss": 0.25}}'),
        ({"train.loss": 0.25}, "m.json", '{"train/loss": 0.25}'),
        ({"loss": 0.3}, "m.json", '{"train": {"loss": 0.25}, "val": {"loss": 0.9}}'),
        ({"mae": 1.5}, "m.json", '{"mae": 1.5, "n_rows": 1200, "seconds": 3.2, "rev": "1234567", "at": "2026-01-01"}'),
        ({"mae": 1.523456789}, "m.json", '{"mae": 1.5235}'),
        ({"mae": 1.52}, "m.yaml", "mae: 1.523456789"),
        ({"mae": 0.000123456}, "m.json", '{"mae": 1.2346e-04}'),
        ({"mae": math.nan}, "m.json", '{"mae": NaN}'),
        ({"mae": math.inf}, "m.json", '{"mae": Infinity}'),
        ({"mae": -math.inf}, "m.yaml", "mae: -.inf"),
        ({"mae": 1.5}, "m.toml", "mae = 1.5\n[train]\nloss = 2\n"),
        ({"mae": 1.5}, "m.json", '{\n\t"mae":\t1.5\n}'),
        ({"mae": 1.5}, "m.json", '{"mae": null}'),
        ({"passed": 1.0}, "m.json", '{"passed": true}'),
        ({"rows": 1200.0}, "m.json", '{"rows": 1200}'),
        ({"mae": 1.5}, "m.json", "{}"),
    ],
)
def test_a_file_that_has_the_same_figure_or_none_contradicts_nothing(
    run: Mapping[str, float], path: str, text: str
) -> None:
    assert strange_figures(run, figures_in(path, text)) == ()


@pytest.mark.parametrize(
    ("run", "path", "text"),
    [
        ({"mae": 1.5}, "m.json", '{"mae": 1.6}'),
        ({"mae": 1.5}, "m.json", '{"mae": 2}'),
        ({"mae": 0.93}, "m.json", '{"mae": 0.9}'),
        ({"mae": 0.04}, "m.json", '{"mae": 0.0}'),
        ({"mae": 1.5}, "m.json", '{"mae": NaN}'),
        ({"mae": math.inf}, "m.json", '{"mae": -Infinity}'),
        ({"val/loss": 0.3, "loss": 0.3}, "m.json", '{"val": {"loss": 0.4}}'),
        ({"loss": 0.3}, "m.json", '{"val": {"loss": 0.4}}'),
        ({"passed": 1.0}, "m.json", '{"passed": false}'),
    ],
)
def test_another_figure_of_the_same_name_is_a_contradiction(run: Mapping[str, float], path: str, text: str) -> None:
    assert len(strange_figures(run, figures_in(path, text))) == 1


def test_two_files_with_one_name_contradict_a_run_only_together() -> None:
    files = (FileFigure("metrics.json", "rmse", "0.42"), FileFigure("eval_metrics.json", "rmse", "0.39"))

    assert strange_figures({"rmse": 0.42}, files) == ()
    assert strange_figures({"rmse": 0.39}, files) == ()
    assert strange_figures({"rmse": 0.5}, files) == ("rmse: run 0.5 / metrics.json 0.42",)


def figures_in(path: str, text: str) -> tuple[FileFigure, ...]:
    return tuple(FileFigure(path, name, value) for name, value in read_values(path, text).items())
