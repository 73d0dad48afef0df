"""What one version of a Delta table needs of its log, and which paths in a log are refused."""

from __future__ import annotations

import pytest

from bot.domain.evidence.delta_log import folders_of, needed, place_in_table
from bot.domain.model import DataSet, Table
from bot.errors import NotFetched


def entries(*versions: int) -> list[str]:
    return [f"{version:020}.json" for version in versions]


def checkpoint(version: int, *parts: int, of: int = 0) -> list[str]:
    whole = f"{version:020}.checkpoint"
    return [f"{whole}.{part:010}.{of:010}.parquet" for part in parts] or [f"{whole}.parquet"]


@pytest.mark.parametrize(
    ("names", "version", "wanted"),
    [
        (entries(0), 0, entries(0)),
        (entries(0, 1, 2, 3), 2, entries(0, 1, 2)),
        (["_last_checkpoint", *entries(0, 1, 2), *checkpoint(2)], 1, entries(0, 1)),
        ([*entries(0, 1, 2, 3), *checkpoint(2)], 3, [*checkpoint(2), *entries(2, 3)]),
        ([*entries(3, 4, 5), *checkpoint(3)], 3, [*checkpoint(3), *entries(3)]),
        ([*entries(4, 5), *checkpoint(3)], 5, [*checkpoint(3), *entries(4, 5)]),
        (checkpoint(3), 3, checkpoint(3)),
        ([*entries(4), *checkpoint(3, 2, 1, of=2)], 4, [*checkpoint(3, 1, 2, of=2), *entries(4)]),
        ([*entries(0, 1, 2), *checkpoint(1, 2, of=2)], 2, entries(0, 1, 2)),
        (
            [
                *entries(0, 1),
                "00000000000000000001.crc",
                "x.json",
                "00000000000000000000.00000000000000000001.compacted.json",
            ],
            1,
            entries(0, 1),
        ),
    ],
)
def test_a_version_needs_the_checkpoint_before_it_and_every_entry_since(
    names: list[str], version: int, wanted: list[str]
) -> None:
    assert list(needed(names, version, "rides")) == wanted


@pytest.mark.parametrize(
    ("names", "version", "said"),
    [
        ([], 0, "rides is no Delta table: its _delta_log has no entries. Correct the path, or restore"),
        (["_last_checkpoint", "notes.txt"], 0, "is no Delta table"),
        (entries(0, 1), 2, "has no version 2: its newest is 1, so it is another table, or was created again"),
        (checkpoint(4), 5, "its newest is 4"),
        ([*entries(3, 4), *checkpoint(3)], 2, "version 2 of rides is gone: entry 0 of its log was removed"),
        ([*entries(3, 4), *checkpoint(3)], 0, "version 0 of rides is gone"),
        (entries(0, 2), 2, "version 2 of rides is gone: entry 1 of its log"),
        ([*entries(4), *checkpoint(3, 1, of=2)], 4, "version 4 of rides is gone: entry 0"),
        (checkpoint(3, 1, of=2), 3, "is no Delta table"),
    ],
)
def test_a_version_that_never_was_is_told_from_one_whose_log_was_removed_and_from_what_is_no_table(
    names: list[str], version: int, said: str
) -> None:
    with pytest.raises(NotFetched, match=said) as refused:
        needed(names, version, "rides")

    assert "estore the table's folder from a backup" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("part-0.parquet", "part-0.parquet"),
        ("hour=2/part-0.parquet", "hour=2/part-0.parquet"),
        ("k=a%2520b/part-0.parquet", "k=a%20b/part-0.parquet"),
        ("k=a%20b/part%3A0.parquet", "k=a b/part:0.parquet"),
        ("k=../part-0.parquet", "k=../part-0.parquet"),
        ("k=%C3%BC/part-0.parquet", "k=ü/part-0.parquet"),
    ],
)
def test_a_path_in_the_log_is_percent_encoded_once(path: str, place: str) -> None:
    assert place_in_table(path, "rides") == place


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://other/rides/part-0.parquet",
        "S3a:x",
        "../other/part-0.parquet",
        "hour=2/../../other/part-0.parquet",
        "%2e%2e/other/part-0.parquet",
        "%2Fetc/passwd",
        "hour=2//part-0.parquet",
        "./part-0.parquet",
        "..\\other\\part-0.parquet",
        "part%00-0.parquet",
        "file%3A/etc/passwd",
        "_delta_log/00000000000000000000.json",
    ],
)
def test_a_path_that_leads_out_of_the_table_is_refused(path: str) -> None:
    with pytest.raises(NotFetched, match="which is not below the table"):
        place_in_table(path, "rides")


@pytest.mark.parametrize("path", ["%ff/part-0.parquet", "k=%C3/part-0.parquet"])
def test_a_path_that_is_no_text_is_refused(path: str) -> None:
    with pytest.raises(NotFetched, match="which is not below the table"):
        place_in_table(path, "rides")


def test_each_table_gets_a_folder_of_its_own_whatever_its_data_set_is_called() -> None:
    names = ["rides", "rides", "../../etc", "", "ü/x", "a" * 300, "..."]
    used = [DataSet(name, f"{number}", "", Table("/srv", "", 3)) for number, name in enumerate(names)]

    folders = [*folders_of(used).values()]

    assert folders == ["rides-v3", "rides-v3-2", "etc-v3", "table-v3", "x-v3", f"{'a' * 80}-v3", "table-v3-2"]
