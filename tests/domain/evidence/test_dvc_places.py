"""Our reading of dvc.yaml, which the bot needs without a checkout, says of each stage what DVC itself says."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.repo import Repo

from bot.dvc.files import read_lock, read_places
from bot.dvc.places import Place
from bot.errors import InvalidDvcFile
from bot.register.pipeline import reader_in

PARAMS = "where: src\nnested: {dirs: [one, two]}\ncities: {a: {dir: one}, b: {dir: two}}\n"
BODY = "cmd: 'echo ${item}', wdir: "


@pytest.mark.parametrize(
    "pipeline",
    [
        "stages: {plain: {cmd: echo}}",
        "stages: {deep: {cmd: echo, wdir: src}, up: {cmd: echo, wdir: one/../two}}",
        "stages: {t: {cmd: echo, wdir: '${where}'}}",
        "stages: {t: {cmd: echo, wdir: 'one/${ where }'}}",
        "stages: {t: {cmd: echo, wdir: '${nested.dirs[1]}'}}",
        "vars: [{here: two}]\nstages: {t: {cmd: echo, wdir: '${here}'}}",
        "vars: [more.yaml]\nstages: {t: {cmd: echo, wdir: '${there}'}}",
        "vars: ['more.yaml:there']\nstages: {t: {cmd: echo, wdir: '${there}'}}",
        "vars: [more.json]\nstages: {t: {cmd: echo, wdir: '${json}'}}",
        "stages: {t: {foreach: [one, two], do: {" + BODY + "'${item}'}}}",
        "stages: {t: {foreach: [1, 2], do: {cmd: 'echo ${item}', wdir: src}}}",
        "stages: {t: {foreach: '${nested.dirs}', do: {" + BODY + "'${item}'}}}",
        "stages: {t: {foreach: [{dir: one}, {dir: two}], do: {cmd: 'echo ${item.dir}', wdir: '${item.dir}'}}}",
        "stages: {t: {foreach: '${cities}', do: {cmd: 'echo ${key}', wdir: '${item.dir}'}}}",
        "stages: {t: {matrix: {city: [one, two], n: [1, 2]}, cmd: 'echo ${item.n}', wdir: '${item.city}'}}",
        "stages: {t: {matrix: {city: [{dir: one}, {dir: two}], n: [3]}, cmd: 'echo ${item.n}', wdir: '${item.city.dir}'}}",
    ],
)
def test_each_stage_works_where_dvc_says_it_works(tmp_path: Path, pipeline: str) -> None:
    for name in ("src", "one", "two", "one/src"):
        (tmp_path / name).mkdir()
    (tmp_path / "dvc.yaml").write_text(pipeline)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "more.yaml").write_text("there: two\n")
    (tmp_path / "more.json").write_text('{"json": "one"}')

    with Repo.init(str(tmp_path), no_scm=True) as repo:
        of_dvc = {
            stage.addressing.rpartition(":")[2]: Path(stage.wdir).relative_to(tmp_path.resolve()).as_posix()
            for stage in repo.stage.collect(str(tmp_path / "dvc.yaml"))
        }

    assert {name: place.wdir for name, place in read_places(pipeline, reader_in(tmp_path)).items()} == of_dvc


def test_paths_are_those_of_the_locks_folder_whatever_the_stage_works_in() -> None:
    lock = """
stages:
  train:
    deps: [{path: ../data/raw.csv, md5: a}, {path: train.py, md5: b}, {path: 's3://bucket/x', md5: c}, {path: /data/y, md5: d}]
    params: {../params.yaml: {depth: 6}}
    outs: [{path: ../model.json, md5: e}]
"""

    (stage,) = read_lock(lock, {"train": Place("src")}).stages

    assert [one.path for one in stage.deps] == ["data/raw.csv", "src/train.py", "s3://bucket/x", "/data/y"]
    assert [one.path for one in stage.outs] == ["model.json"]
    assert stage.param_files == ("params.yaml",)


def test_a_directory_that_nothing_names_is_refused_and_not_guessed() -> None:
    with pytest.raises(InvalidDvcFile, match=r"the wdir \$\{gone\} of stage t names a value that is not known"):
        read_places("stages: {t: {cmd: x, wdir: '${gone}'}}", lambda _: None)
