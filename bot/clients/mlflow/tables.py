"""The Delta table that a run's data set was read from, as MLflow's DeltaDatasetSource writes it: `load_delta` and `from_spark` use that.

Whoever trains chooses every word of it, so it is only read here, and no path is followed. MLflow 3.17 leaves out version 0
(`if self._delta_table_version` in mlflow/data/delta_dataset_source.py), so a version that is not there is not known.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlunsplit

from bot.domain.model import Table
from bot.locations import parts_of

if TYPE_CHECKING:
    from mlflow.entities import Dataset

DELTA = "delta_table"
VERSION = "delta_table_version"
DIGITS = re.compile(r"[0-9]{1,18}")  # Delta's versions are 64-bit
KEEPS_ITS_QUERY = frozenset({"", "file", "s3", "s3a", "s3n"})
"""Schemes in which `?` is a letter of a name; in others what follows it may be a key, such as Azure's shared access signature."""


def table_of(used: Dataset) -> Table | None:
    """None for what is no Delta table."""
    try:
        said = json.loads(used.source)
    except (ValueError, TypeError, RecursionError):
        said = {}
    if not isinstance(said, dict):
        said = {}
    if used.source_type != DELTA and VERSION not in said:
        return None
    path, name = said.get("path"), said.get("delta_table_name")
    return Table(
        path=_without_secrets(path) if isinstance(path, str) else "",
        name=name if isinstance(name, str) else "",
        version=_version(said.get(VERSION)),
    )


def _version(said: object) -> int | None:
    """A number, or digits as `load_delta(version="3")` leaves them; "latest" is none."""
    text = str(said) if isinstance(said, (int, str)) and not isinstance(said, bool) else ""
    return int(text) if DIGITS.fullmatch(text) else None


def _without_secrets(path: str) -> str:
    """The ledger keeps it for ever."""
    parts = parts_of(path)
    if parts is None:
        return ""
    account, _, host = parts.netloc.rpartition("@")
    if ":" in account:
        parts = parts._replace(netloc=host)
    elif parts.scheme in KEEPS_ITS_QUERY or not (parts.query or parts.fragment):
        return path
    return urlunsplit(parts if parts.scheme in KEEPS_ITS_QUERY else parts._replace(query="", fragment=""))
