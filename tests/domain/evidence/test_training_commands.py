"""The commands of a fix: what they name works in the repository's root, and a path that a trainer chose harms no shell and no message."""

from __future__ import annotations

import pytest

from bot.domain.evidence.lineage import KeptLock, LoggedFiles, Provenance, RunSeen
from bot.domain.evidence.lineage_checks import check_lineage
from bot.domain.evidence.training_commands import Commands
from bot.dvc.files import read_in_folder, read_kept

LOCK = """
stages:
  train@a:
    cmd: python train.py
    deps:
    - {path: ../data/raw.csv, md5: 11111111111111111111111111111111}
    - {path: s3://bucket/x, etag: abc}
    outs:
    - {path: ../mlflow_run.json, md5: 22222222222222222222222222222222}
"""
DVC_YAML = """
stages:
  train:
    foreach: [a]
    do: {cmd: python train.py, wdir: src, frozen: true}
"""


@pytest.mark.parametrize(
    ("folder", "again", "register"),
    [
        ("", "`dvc repro --force`", "`countersign register`"),
        (
            "teams/bikes",
            "`dvc --cd teams/bikes repro --force`",
            "`countersign register --lock-dir teams/bikes` (in the repository's root)",
        ),
        (
            "some teams/bikes",
            "`dvc --cd 'some teams/bikes' repro --force`",
            "`countersign register --lock-dir 'some teams/bikes'` (in the repository's root)",
        ),
        ("x; rm -rf ~", "`dvc repro --force`", "`countersign register` (in the folder of dvc.lock)"),
        ("`id`", "`dvc repro --force`", "`countersign register` (in the folder of dvc.lock)"),
        ("--help", "`dvc repro --force`", "`countersign register` (in the folder of dvc.lock)"),
        ("a\nb", "`dvc repro --force`", "`countersign register` (in the folder of dvc.lock)"),
    ],
)
def test_a_command_names_the_pipelines_folder_and_one_that_cannot_be_printed_is_described(
    folder: str, again: str, register: str
) -> None:
    commands = Commands.beside(f"{folder}/dvc.lock" if folder else "dvc.lock")

    assert (commands.train_again, commands.register + commands.where) == (again, register)


def test_a_frozen_stage_is_unfrozen_first_because_dvc_would_not_run_it() -> None:
    lock = read_in_folder(KeptLock(LOCK, "bikes/dvc.lock", DVC_YAML))

    frozen = lock.frozen_writers("2" * 32)

    assert frozen == lock.frozen_writers("", "mlflow_run.json") == ("train@a",)
    assert lock.frozen_writers("3" * 32) == ()
    assert (
        Commands("bikes", frozen).train_again
        == "`dvc --cd bikes unfreeze train@a`, commit, `dvc --cd bikes repro --force`"
    )


def test_a_runs_lock_has_the_paths_of_the_repositorys_root() -> None:
    kept = KeptLock(LOCK, "teams/bikes/dvc.lock", DVC_YAML)

    assert [entry.path for entry in read_in_folder(kept).entries] == [
        "data/raw.csv",
        "s3://bucket/x",
        "mlflow_run.json",
    ]
    assert [entry.path for entry in read_kept(kept).entries] == [
        "teams/bikes/data/raw.csv",
        "s3://bucket/x",
        "teams/bikes/mlflow_run.json",
    ]


def test_the_checks_of_a_version_say_in_which_folder_it_is_trained_again() -> None:
    run = RunSeen("1" * 32, "FINISHED", is_deleted=False, tags={}, params={}, metrics=(), datasets=())
    seen = Provenance(run, lock_path="teams/bikes/dvc.lock", files=LoggedFiles(lock=LOCK))

    found = {check.code: check.sentence for check in check_lineage(seen, None)}

    assert "run `dvc --cd teams/bikes repro --force`, commit (in the repository's root)" in found["L06"]
    assert "`countersign register --lock-dir teams/bikes`" in found["L03"]
