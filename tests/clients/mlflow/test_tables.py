"""What MLflow writes of a Delta table, and what a training may write in its place."""

from __future__ import annotations

import json

import pytest
from mlflow.entities import Dataset

from bot.clients.mlflow.tables import table_of
from bot.domain.model import Table


def logged(source: object, kind: str = "delta_table") -> Dataset:
    return Dataset("rides", "1a2b3c4d", kind, source if isinstance(source, str) else json.dumps(source))


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ({"path": "/srv/rides", "delta_table_version": 3}, Table("/srv/rides", "", 3)),
        ({"path": "/srv/rides", "delta_table_version": "3"}, Table("/srv/rides", "", 3)),
        ({"path": "/srv/rides", "delta_table_version": "0"}, Table("/srv/rides", "", 0)),
        (
            {"delta_table_name": "main.bikes.rides", "delta_table_version": 5, "is_databricks_uc_table": True},
            Table("", "main.bikes.rides", 5),
        ),
        (
            {"path": "abfss://lake@host/rides?sig=secret#x", "delta_table_version": 1},
            Table("abfss://lake@host/rides", "", 1),
        ),
        ({"path": "s3://key:secret@lake/rides?x", "delta_table_version": 1}, Table("s3://lake/rides?x", "", 1)),
        ({"path": "s3://lake/what?", "delta_table_version": 1}, Table("s3://lake/what?", "", 1)),
    ],
)
def test_what_mlflow_writes_of_a_table_is_read_without_the_secrets_in_its_address(source: object, table: Table) -> None:
    assert table_of(logged(source)) == table


@pytest.mark.parametrize(
    "version", [None, "latest", "", -1, "-1", 3.0, True, "٣", " 3", "3\n", 10**30, [3], {"at": 3}, "2026-11-01"]
)
def test_a_version_that_is_no_number_is_not_known_and_never_guessed(version: object) -> None:
    found = table_of(logged({"path": "/srv/rides", "delta_table_version": version}))

    assert found == Table("/srv/rides", "", None)
    assert str(found) == "Delta table /srv/rides, version not known"


@pytest.mark.parametrize("source", ["", "not json", "[]", "3", "null", '{"path": 7}', "[" * 100_000])
def test_a_source_that_cannot_be_read_is_a_table_that_is_not_named(source: str) -> None:
    assert table_of(logged(source)) == Table("", "", None)


@pytest.mark.parametrize(
    ("source", "kind"), [({"uri": "/srv/rides"}, "local"), ({"path": "/srv/rides"}, "spark"), ("{", "s3")]
)
def test_what_does_not_say_that_it_is_a_delta_table_is_none(source: object, kind: str) -> None:
    assert table_of(logged(source, kind)) is None
