"""Whether a location lies in one of the policy's `artifact_stores`: the only places that are read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

CALLS_ITS_HOST = frozenset({"mlflow-artifacts", "http", "https", "ftp", "sftp", "hdfs", "viewfs", "r2", "b2", "abfss"})
"""Schemes whose location names the host that is called, with our credentials: a store must name the host to allow it.
As in mlflow/store/artifact/host_policy.py, which holds for MLflow's server alone."""

POINTERS = frozenset({"models", "runs"})
"""Schemes that stand for some other location, which would not be looked at."""


def is_within(location: str, stores: Iterable[str]) -> bool:
    """A store matches only up to a boundary: `s3://models` is no store of `s3://models-evil/x`."""
    return _is_plain(location) and any(_covers(store, location) for store in stores if store)


def _covers(store: str, location: str) -> bool:
    rest = location.removeprefix(store)
    at_boundary = store.endswith((":", "/")) or rest == "" or rest.startswith("/")
    parts = urlsplit(location)
    names_the_host = not parts.netloc or parts.scheme not in CALLS_ITS_HOST or bool(urlsplit(store).netloc)
    return location.startswith(store) and at_boundary and names_the_host


def _is_plain(location: str) -> bool:
    """No way up, however often it is encoded, and nothing that two parsers might read differently."""
    decoded = location
    while (further := unquote(decoded)) != decoded:
        decoded = further
    goes_up = "%2e" in location.lower() or bool({".", ".."} & set(decoded.split("/")))
    parts = parts_of(location)
    return (
        decoded.isprintable()
        and "\\" not in decoded
        and not goes_up
        and parts is not None
        and parts.scheme not in POINTERS
    )


def parts_of(location: str) -> SplitResult | None:
    """None when it is no address."""
    try:
        return urlsplit(location)
    except ValueError:
        return None
