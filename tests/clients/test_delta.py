"""Copies of real Delta tables, written by deltalake: exactly one version, and what is said when it cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from bot.clients.delta.tables import DeltaTables
from bot.errors import NotFetched

LATER = datetime.now(UTC) + timedelta(hours=1)
HOURS = ["a b", "ü/é", "100%", "x:y", ".."]  # in the names of folders
VERSIONS = 4


def rides(version: int) -> pa.Table:
    return pa.table({"hour": HOURS, "rides": [version * 10 + number for number in range(len(HOURS))]})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version N has the rides N0, N1 ...; there is a checkpoint in the middle."""
    place = tmp_path_factory.mktemp("lake") / "rides"
    for version in range(VERSIONS):
        write_deltalake(place, rides(version), mode="overwrite", partition_by=["hour"])
        if version == 1:
            DeltaTable(place).create_checkpoint()
    return place


@pytest.fixture
def table(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "rides")


def fetch(table: Path | str, version: int, into: Path, before: datetime = LATER) -> Any:
    tables = DeltaTables()
    return tables.fetch(tables.real_place(tables.place_of(str(table))), version, into, before)


def rows(table: Path) -> list[tuple[str, int]]:
    found = DeltaTable(table).to_pyarrow_table().to_pylist()
    return sorted((row["hour"], row["rides"]) for row in found)


def entry(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020}.json"


def commit(table: Path, version: int, *actions: dict[str, Any]) -> None:
    entry(table, version).write_text("\n".join(json.dumps(action) for action in actions))


def added(path: str) -> dict[str, Any]:
    return {
        "add": {"path": path, "partitionValues": {"hour": "z"}, "size": 3, "modificationTime": 1, "dataChange": True}
    }


@contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    """Root reads everything, so it is not root for the while."""
    folder.chmod(0)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(before)
        folder.chmod(0o755)


@pytest.mark.parametrize("version", range(VERSIONS))
def test_exactly_that_version_is_written_as_a_table_of_its_own(written: Path, version: int, tmp_path: Path) -> None:
    fetched = fetch(written, version, tmp_path / "out")

    copy = DeltaTable(tmp_path / "out")
    wanted = rides(version).to_pylist()
    assert copy.version() == version
    assert rows(tmp_path / "out") == sorted((row["hour"], row["rides"]) for row in wanted)
    data = [path for path in (tmp_path / "out").rglob("*.parquet") if "_delta_log" not in path.parts]
    assert (fetched.files.files, fetched.files.size) == (len(HOURS), sum(path.stat().st_size for path in data))
    assert abs(fetched.written_at - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize("name", [f"_delta_log/{2:020}.json", "hour=z/part.parquet"])
def test_a_file_that_lies_in_the_folder_already_and_is_of_no_such_version_is_named(
    written: Path, name: str, tmp_path: Path
) -> None:
    planted = tmp_path / "out" / name
    planted.parent.mkdir(parents=True)
    planted.write_text(json.dumps(added("hour=z/part.parquet")))

    with pytest.raises(NotFetched, match=f"{name}', which is not of version 1 of .* Choose an empty directory"):
        fetch(written, 1, tmp_path / "out")


def test_fetched_again_it_is_the_same_and_over_another_table_nothing_is_written(written: Path, tmp_path: Path) -> None:
    first = fetch(written, 1, tmp_path / "out")

    again = fetch(written, 1, tmp_path / "out")
    (tmp_path / "other/_delta_log").mkdir(parents=True)
    entry(tmp_path / "other", 0).write_text("mine")
    with pytest.raises(NotFetched, match="is there already with other bytes"):
        fetch(written, 0, tmp_path / "other")

    assert again == first
    assert entry(tmp_path / "other", 0).read_text() == "mine"


def test_a_version_whose_files_were_vacuumed_is_told_from_one_that_is_whole(table: Path, tmp_path: Path) -> None:
    DeltaTable(table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    with pytest.raises(NotFetched, match=r"5 of the 5 files of version 1 of .* are gone, .* the table was vacuumed"):
        fetch(table, 1, tmp_path / "gone")
    fetch(table, VERSIONS - 1, tmp_path / "out")

    assert not (tmp_path / "gone").exists()
    assert rows(tmp_path / "out") == rows(table)


def test_a_version_whose_log_was_removed_is_told_from_one_that_never_was(table: Path, tmp_path: Path) -> None:
    entry(table, 0).unlink()

    with pytest.raises(NotFetched, match=r"version 0 of .* is gone: entry 0 of its log was removed"):
        fetch(table, 0, tmp_path / "out")
    with pytest.raises(
        NotFetched, match="has no version 9: its newest is 3, so it is another table, or was created again"
    ):
        fetch(table, 9, tmp_path / "out")
    fetch(table, 2, tmp_path / "out")


def test_a_version_that_was_written_after_the_model_is_of_a_table_that_was_made_anew(
    written: Path, tmp_path: Path
) -> None:
    registered = datetime.now(UTC) - timedelta(days=1)

    with pytest.raises(NotFetched, match="after the model version was registered: the table was created again"):
        fetch(written, 1, tmp_path / "out", before=registered)

    assert not (tmp_path / "out").exists()


def test_a_table_that_is_gone_is_told_from_what_is_no_table_and_from_what_may_not_be_read(
    table: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/rides.csv").write_text("hour,rides\n")

    with pytest.raises(NotFetched, match=r"there is nothing at .*/nowhere: the table was moved or deleted. Restore"):
        fetch(tmp_path / "nowhere", 1, tmp_path / "out")
    with pytest.raises(NotFetched, match=r"/plain is no Delta table: its _delta_log has no entries. Correct the path"):
        fetch(tmp_path / "plain", 1, tmp_path / "out")
    with pytest.raises(NotFetched, match=r"rides\.csv is no Delta table"):
        fetch(tmp_path / "plain/rides.csv", 1, tmp_path / "out")
    with (
        unreadable(table),
        pytest.raises(NotFetched, match=r"may not be read by this account. Grant it the right to read"),
    ):
        fetch(table, 1, tmp_path / "out")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("data/rides", "is a path in the trainer's own working directory"),
        ("main.bikes.rides", "is a path in the trainer's own working directory"),
        ("file://elsewhere/srv/rides", "are read from directories and from S3"),
        (
            "gs://lake/rides",
            "are read from directories and from S3, and gs://lake/rides is neither. Copy it to a directory",
        ),
        ("dbfs:/rides", "are read from directories and from S3"),
        ("hdfs://name/rides", "are read from directories and from S3"),
        ("https://[::1/rides", "is no address"),
    ],
)
def test_a_place_that_cannot_be_read_here_is_named_with_the_way_round_it(path: str, said: str) -> None:
    with pytest.raises(NotFetched, match="Name the folder of the table with --table") as refused:
        DeltaTables().place_of(path)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/srv/rides", "/srv/rides"),
        ("file:/srv/a%20b", "/srv/a b"),
        ("file:///srv/rides", "/srv/rides"),
        ("file://localhost/srv/rides", "/srv/rides"),
        ("s3a://lake/rides/", "s3://lake/rides"),
        ("s3n://lake/rides", "s3://lake/rides"),
    ],
)
def test_spellings_of_one_place_are_the_same_place(path: str, place: str) -> None:
    assert DeltaTables().place_of(path) == place


@pytest.mark.parametrize(
    "path", ["../secret.parquet", "/etc/hostname", "file:///etc/hostname", "%2e%2e/secret.parquet"]
)
def test_a_log_that_names_a_file_elsewhere_brings_nothing(table: Path, path: str, tmp_path: Path) -> None:
    (tmp_path / "secret.parquet").write_bytes(b"abc")
    commit(table, VERSIONS, added(path))

    with pytest.raises(NotFetched, match="which is not below the table"):
        fetch(table, VERSIONS, tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["part.parquet", "hour=9", "_delta_log"])
def test_a_link_in_the_table_is_not_followed(table: Path, place: str, tmp_path: Path) -> None:
    secret = shutil.copytree(table / "_delta_log", tmp_path / "secret")
    (secret / "part.parquet").write_bytes(b"abc")
    path = "hour=9/part.parquet" if place == "hour=9" else "part.parquet"
    commit(table, VERSIONS, added(path))
    if place == "_delta_log":
        shutil.copy(entry(table, VERSIONS), secret)
        shutil.rmtree(table / place)
        (table / place).symlink_to(secret)
    else:
        (table / place).symlink_to(secret if place == "hour=9" else secret / "part.parquet")

    with pytest.raises(NotFetched, match="is a link, so it is not read"):
        fetch(table, VERSIONS, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_file_of_another_size_than_the_log_says_is_not_taken(table: Path, tmp_path: Path) -> None:
    changed = next(path for path in table.rglob("*.parquet") if path.parent.name == "hour=..")
    for path in changed.parent.iterdir():
        path.write_bytes(b"other")

    with pytest.raises(NotFetched, match="has 5 bytes, and the table's log says"):
        fetch(table, 1, tmp_path / "out")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (
            {
                "protocol": {
                    "minReaderVersion": 3,
                    "minWriterVersion": 7,
                    "readerFeatures": ["zzz"],
                    "writerFeatures": ["zzz"],
                }
            },
            "zzz",
        ),
        ({"protocol": {"minReaderVersion": 99, "minWriterVersion": 7}}, "cannot be read by deltalake"),
        ({"metaData": {"id": 7}}, "cannot be read by deltalake"),
    ],
)
def test_a_log_that_deltalake_cannot_read_is_refused_with_its_reason(
    table: Path, action: dict[str, Any], said: str, tmp_path: Path
) -> None:
    commit(table, VERSIONS, action)

    with pytest.raises(NotFetched, match=r"cannot be read by deltalake: .*VERSION AS OF") as refused:
        fetch(table, VERSIONS, tmp_path / "out")

    assert said in str(refused.value)


@pytest.mark.parametrize("kept", ["beside the data", "in the log"])
def test_a_version_with_deletion_vectors_is_refused_and_one_that_only_could_have_them_is_not(
    table: Path, kept: str, tmp_path: Path
) -> None:
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    commit(table, VERSIONS, {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}})
    fetch(table, VERSIONS, tmp_path / "out")
    vector = {
        "beside the data": {
            "storageType": "u",
            "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA",
            "offset": 1,
            "sizeInBytes": 36,
        },
        "in the log": {
            "storageType": "i",
            "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
            "sizeInBytes": 40,
        },
    }[kept]
    first = next(json.loads(line)["add"] for line in entry(table, 3).read_text().splitlines() if '"add"' in line)
    commit(table, VERSIONS + 1, {"add": {**first, "deletionVector": {**vector, "cardinality": 6}}})

    with pytest.raises(NotFetched, match="has deletion vectors, which are not copied"):
        fetch(table, VERSIONS + 1, tmp_path / "again")


def test_without_the_extra_a_sentence_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)  # as Python remembers what cannot be imported

    with pytest.raises(NotFetched, match=r"pip install 'mlflow-countersign\[delta\]'"):
        fetch(tmp_path, 1, tmp_path / "out")


def test_on_s3_the_client_of_s3_is_needed_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(NotFetched, match=r"pip install 'mlflow-countersign\[delta,s3\]'"):
        fetch("s3://lake/rides", 1, tmp_path / "out")
