"""Rows of which there may be a hundred thousand: in a temporary file, because a table needs all of them before it prints the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from tempfile import TemporaryFile
from typing import TextIO, cast

from bot.commands.output.tables import Row

TIME = "\0time"  # no key of a row


class ManyRows:
    """Written first, then read as often as needed, in their order. Values are those of JSON, and times."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, row: Row) -> None:
        self._file.write(json.dumps(row, default=_as_time) + "\n")

    def __iter__(self) -> Iterator[Row]:
        """One loop at a time: the next one begins at the first row again."""
        self._file.seek(0)
        return (json.loads(line, object_hook=_with_times) for line in self._file)


@contextmanager
def many_rows() -> Iterator[ManyRows]:
    with TemporaryFile("w+", encoding="utf-8") as file:
        yield ManyRows(cast("TextIO", file))


def _as_time(value: object) -> object:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} cannot be kept in a row")
    return {TIME: value.isoformat()}


def _with_times(value: dict[str, object]) -> object:
    return datetime.fromisoformat(str(value[TIME])) if TIME in value else value
