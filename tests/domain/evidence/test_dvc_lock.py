"""What a dvc.lock says: stages, sources, the tree, and texts that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.evidence.dvc_lock import Entry, Lock, Stage, edges, stage_tree, unexplained
from bot.dvc.files import metric_files, read_lock, read_params
from bot.errors import InvalidDvcFile

LOCK = """\
schema: '2.0'
stages:
  prepare:
    cmd: python prepare.py
    deps:
    - {path: data/raw.csv, hash: md5, md5: 7c60bb6ba7ae2a3a67d0d2a3c5ec6c4c, size: 46}
    - {path: prepare.py, hash: md5, md5: 1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b, size: 9}
    outs:
    - {path: data/clean, hash: md5, md5: 2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c.dir, size: 40, nfiles: 2}
  train:
    cmd: [python train.py, python more.py]
    deps:
    - {path: data/clean/train.csv, hash: md5, md5: 3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d, size: 20}
    params:
      params.yaml:
        train.rate: 0.05
        shape: {deep: true, sizes: [1, 2]}
    outs:
    - {path: model.json, md5: 4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e, size: 44}
  evaluate:
    cmd: python evaluate.py
    deps:
    - {path: data/clean/test.csv, hash: md5, md5: 5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f, size: 20}
    - {path: model.json, md5: 4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e, size: 44}
"""


def test_stages_files_hashes_and_parameters_are_read() -> None:
    lock = read_lock(LOCK)

    prepare, train, _ = lock.stages
    assert train.command == "python train.py && python more.py"
    assert train.params == {"train.rate": "0.05", "shape.deep": "true", "shape.sizes": "[1, 2]"}
    assert prepare.outs == (Entry("data/clean", "2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c.dir", 40),)
    assert prepare.outs[0].is_folder
    assert not train.outs[0].is_current


def test_sources_are_what_no_stage_wrote_not_even_as_part_of_a_folder() -> None:
    assert [source.path for source in read_lock(LOCK).sources] == ["data/raw.csv", "prepare.py"]


def test_the_tree_shows_each_stage_once_below_what_feeds_it() -> None:
    lock = read_lock(LOCK)

    assert edges(lock) == (("prepare", "train"), ("prepare", "evaluate"), ("train", "evaluate"))
    assert stage_tree(lock) == ("prepare", "  train", "    evaluate  (also after prepare)")


def test_stages_that_feed_each_other_in_a_ring_are_shown_all_the_same() -> None:
    ring = """
stages:
  a: {cmd: a, deps: [{path: y, md5: 1}], outs: [{path: x, md5: 1}]}
  b: {cmd: b, deps: [{path: x, md5: 1}], outs: [{path: y, md5: 1}]}
"""

    assert stage_tree(read_lock(ring)) == ("a", "  b")


def test_a_chain_of_many_stages_is_no_trouble() -> None:
    chain = "stages:\n" + "".join(
        f"  s{n}: {{deps: [{{path: f{n}, md5: x}}], outs: [{{path: f{n + 1}, md5: x}}]}}\n" for n in range(400)
    )

    assert len(stage_tree(read_lock(chain))) == 400


def test_a_lock_of_thousands_of_files_is_no_trouble() -> None:
    """Comparing each file read with each one written would take minutes."""
    read, written = (", ".join(f"{{path: {kind}{n}}}" for n in range(8_000)) for kind in "rw")

    assert len(read_lock(f"stages: {{a: {{deps: [{read}], outs: [{written}]}}}}").sources) == 8_000


def overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


PATHS = st.lists(st.text("ab/", max_size=5).map(lambda path: Entry(path, "")), max_size=3).map(tuple)


@given(st.lists(st.tuples(PATHS, PATHS), max_size=4))
def test_what_overlaps_is_what_comparing_each_path_with_each_finds(paths: list[tuple[tuple[Entry, ...], ...]]) -> None:
    lock = Lock(tuple(Stage(str(n), "", deps, outs, {}) for n, (deps, outs) in enumerate(paths)))
    read = {dep.path for stage in lock.stages for dep in stage.deps}

    assert [one.path for one in lock.sources] == sorted(
        path for path in read if not any(overlap(path, out.path) for out in lock.outs)
    )
    assert edges(lock) == tuple(
        (before.name, after.name)
        for before in lock.stages
        for after in lock.stages
        if before is not after and any(overlap(dep.path, out.path) for dep in after.deps for out in before.outs)
    )


BOMB = "stages: &a {x: 1}\n" + "".join(
    f"l{n}: &l{n} [{', '.join([f'*l{n - 1}' if n else '*a'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not YAML as DVC writes it"),
        ("- a list", "is not YAML as DVC writes it"),
        ("stages: {a: [", "is not YAML as DVC writes it"),
        ("schema: '2.0'", "has no stages"),
        ("stages: {a: b}", "is not YAML as DVC writes it"),
        ("stages: {a: {deps: [1]}}", "is not YAML as DVC writes it"),
        (BOMB, "has more than 50,000 entries"),
        ("a: " + "x" * 256 * 1024, "is larger than 256 KiB"),
        ("stages: " + "[" * 100 + "]" * 100, "has more than 50,000 entries, or is nested deeper than 60"),
        ("stages: " + "[" * 20_000, "is not YAML as DVC writes it"),
        ("stages: &a {x: *a}", "is not YAML as DVC writes it"),
        ("stages: {" + ", ".join(f"s{n}: {{}}" for n in range(501)) + "}", "has more than 500 stages"),
        ("a: !!python/object/apply:os.system [true]", "has no stages"),
        ("stages: \x00", "is not YAML as DVC writes it"),
        ('stages: {a: {outs: [{path: "a\\0b"}]}}', r"names a path that no file can have: 'a\\x00b'"),
        ("stages: {a: {deps: [{path: " + "a/" * 600 + "b}]}}", "names a path that no file can have: 'a/a/"),
    ],
)
def test_a_text_that_is_no_lock_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidDvcFile, match=reason):
        read_lock(text)


def test_parameters_are_kept_as_they_were_written() -> None:
    assert read_params("train:\n  rate: 1e-3\n  on: yes\nname: bike\nempty:\n") == {
        "train.rate": "1e-3",
        "train.on": "yes",
        "name": "bike",
        "empty": "",
    }


def test_metric_files_are_found_wherever_the_pipeline_names_them() -> None:
    pipeline = """
stages:
  train: {cmd: x, metrics: [old.json: {cache: false}, "${item}.json"]}
  many: {foreach: [1], do: {cmd: x}}
metrics: [metrics.json, old.json]
"""

    assert metric_files(pipeline) == ("metrics.json", "old.json")


def test_what_the_pipeline_wrote_and_mere_papers_explain_a_change() -> None:
    lock = read_lock(LOCK)
    changed = (
        "work/dvc.lock",
        "work/model.json",
        "work/data/clean/x",
        "README.md",
        "work/.gitignore",
        ".github/ci.yml",
    )

    assert unexplained(changed, lock, "work/dvc.lock") == ()


@pytest.mark.parametrize(
    ("changed", "lock_path", "others", "ours"),
    [
        ("work/train.py", "work/dvc.lock", (), True),
        ("work/unmentioned.py", "work/dvc.lock", (), True),
        ("work/dvc.yaml", "work/dvc.lock", (), True),
        ("7 more than the first 1000", "work/dvc.lock", (), True),
        ("train.py", "work/dvc.lock", (), False),
        ("dvc.lock", "work/dvc.lock", (), False),
        ("workshop/train.py", "work/dvc.lock", (), False),
        ("scooters/train.py", "work/dvc.lock", ("scooters",), False),
        ("work/inner/train.py", "work/dvc.lock", ("work", "work/inner"), False),
        ("scooters/train.py", "dvc.lock", ("scooters",), False),
        ("scooters/train.py", "dvc.lock", (), True),
        ("shared/features.py", "work/dvc.lock", (), True),
        ("shared/common/x.py", "work/dvc.lock", ("shared",), True),
        ("settings/model.yaml", "work/dvc.lock", (), True),
    ],
)
def test_what_changed_is_the_pipelines_own_in_its_folder_or_where_it_names_it(
    changed: str, lock_path: str, others: tuple[str, ...], ours: bool
) -> None:
    lock = read_lock("""
stages:
  train:
    deps: [{path: ../shared/features.py, md5: aa}, {path: ../shared/common, md5: bb.dir}]
    params: {../settings/model.yaml: {depth: 6}}
""")

    assert unexplained((changed,), lock, lock_path, others) == ((changed,) if ours else ())
