"""What was measured and on what, and which files a version has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class DataSet:
    """A data set as MLflow names it: `digest` is MLflow's fingerprint, 8 hex digits; `context` says what it was used for."""

    name: str
    digest: str
    context: str = ""


@dataclass(frozen=True)
class Metric:
    """`source` says where the figure was read: the logged model or the run. `measured_on` is None when MLflow does not say on what."""

    name: str
    value: float
    source: str
    measured_on: DataSet | None = None
    logged_at: datetime | None = None


@dataclass(frozen=True)
class Artifacts:
    """The version's files: `digest` is the sha256 of their manifest (`sha256sum` format, sorted by path), `size` in bytes."""

    digest: str
    files: int
    size: int
