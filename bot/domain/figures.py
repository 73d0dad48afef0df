"""What was measured and on what, which files a version has, and who trained it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

# Metadata of a field that was added later: without it, what older releases signed keeps its digest.
OMIT_EMPTY = "omit_empty"


@dataclass(frozen=True)
class Table:
    """The Delta table that a data set was read from, as the training said: by its `path`, or else by its `name` in a catalog.

    `version` is None when the training did not say which; it is never guessed.
    """

    path: str
    name: str
    version: int | None

    def __str__(self) -> str:
        called = self.path or self.name or "that is not named"
        if self.version is None:
            return f"Delta table {called}, version not known"
        return f"version {self.version} of Delta table {called}"


@dataclass(frozen=True)
class DataSet:
    """A data set as MLflow names it: `digest` is MLflow's fingerprint, 8 hex digits; `context` says what it was used for.

    `table` is None for what is no Delta table.
    """

    name: str
    digest: str
    context: str = ""
    table: Table | None = field(default=None, repr=False, metadata={OMIT_EMPTY: True})


@dataclass(frozen=True)
class Metric:
    """`source` says where the figure was read: the logged model or the run. `measured_on` is None when MLflow does not say on what."""

    name: str
    value: float
    source: str
    measured_on: DataSet | None = None
    logged_at: datetime | None = None


@dataclass(frozen=True)
class Origin:
    """Who trained a version that was decided on without evidence, read afterwards. `author` is the id of a person whom the policy names.

    `claimed` is what `source` says, or `unread` says why that is not known. `not_believed`: sources that the policy does not believe.
    """

    author: str | None = None
    claimed: str = ""
    source: str = ""
    not_believed: tuple[str, ...] = ()
    unread: str = ""


@dataclass(frozen=True)
class Artifacts:
    """The version's files: `digest` is the sha256 of their manifest (`sha256sum` format, sorted by path), `size` in bytes."""

    digest: str
    files: int
    size: int
