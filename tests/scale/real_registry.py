"""A real MLflow server on SQLite whose registry is filled by SQL: a hundred thousand versions by its API would take hours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bot.clients.mlflow.registry import MlflowRegistry
from bot.sandbox.mlflow_server import running_mlflow
from tests.scale.made_registry import model_name

BORN = 1_767_225_600_000  # 2026-01-01, in milliseconds


@contextmanager
def filled_mlflow(directory: Path, models: int, versions: int) -> Iterator[str]:
    with running_mlflow(directory) as url:
        [file] = directory.rglob("*.db")
        with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
            _fill(connection, models, max(versions // models, 1))
        yield url


def _fill(connection: sqlite3.Connection, models: int, each: int) -> None:
    names = [model_name(number) for number in range(models)]
    _insert(
        connection,
        "registered_models",
        ("name", "creation_time", "last_updated_time"),
        [(name, BORN, BORN) for name in names],
    )
    _insert(
        connection,
        "model_versions",
        ("name", "version", "creation_time", "last_updated_time", "current_stage", "source", "run_id", "status"),
        [
            (
                name,
                one + 1,
                at := BORN + 2_000 * (number * each + one),
                at,
                "None",
                f"models:/m-{at}",
                f"{at:032x}",
                "READY",
            )
            for number, name in enumerate(names)
            for one in range(each)
        ],
    )
    _insert(
        connection,
        "registered_model_aliases",
        ("name", "alias", "version"),
        [(name, "champion", 1) for name in names],
    )


def _insert(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]
) -> None:
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"insert into {table} ({', '.join(columns)}) values ({marks})", rows)


@dataclass
class RealRegistry:
    """The bot's own client, with its calls and the bytes of their answers counted."""

    registry: MlflowRegistry
    calls: int = 0
    bytes_read: int = 0

    @classmethod
    def at_url(cls, url: str) -> RealRegistry:
        found = cls(MlflowRegistry(url, webhook_secrets=[], timeout=60))
        send = requests.Session.send

        def counted(session: requests.Session, *words: object, **more: object) -> requests.Response:
            answer = send(session, *words, **more)  # type: ignore[arg-type]
            found.calls += 1
            found.bytes_read += len(answer.content)
            return answer

        requests.Session.send = counted  # type: ignore[method-assign,assignment]
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self.registry, name)

    def at(self, _workspace: str) -> RealRegistry:
        return self

    def forget(self) -> None:
        self.calls = self.bytes_read = 0

    @property
    def megabytes(self) -> float:
        return self.bytes_read / 1e6
