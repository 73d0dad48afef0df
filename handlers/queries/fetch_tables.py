"""Fetches the versions of Delta tables that a model version's data sets were read from, as its frozen evidence names them.

Whoever trains chooses the paths, so only those within the policy's artifact_stores are looked at, and those that the caller names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.evidence.delta_log import folders_of
from bot.domain.figures import Artifacts
from bot.domain.model import DataSet, Table, VersionId
from bot.errors import NotFetched, Refused
from bot.locations import is_within
from bot.ports.data_stores import TableStore
from bot.services import Services
from handlers.queries.describe import newest_evidence

CLOCKS_DIFFER = timedelta(minutes=10)  # the writer's and MLflow's
NAME_IT = "name the folder of the table with --table"


@dataclass(frozen=True)
class BroughtTable:
    """`data_sets` are the names of those that were read from it. `folder` is below the chosen directory; `files` are its data files."""

    data_sets: tuple[str, ...]
    table: Table
    place: str
    folder: str
    files: Artifacts
    written_at: datetime | None


@dataclass(frozen=True)
class TableLeft:
    """Why a table is not there; `data_set` is the name of the first that was read from it."""

    data_set: str
    why: str


@dataclass(frozen=True)
class TablesUsed:
    """Each table once, with the names of its data sets, the first to name its folder. `is_frozen`: as people decided on it."""

    by_table: Mapping[Table, tuple[DataSet, ...]]
    is_frozen: bool


def tables_used(version: VersionId, s: Services) -> TablesUsed:
    """From the newest frozen evidence, else as MLflow says now; none when MLflow does not answer. Raises OutsideError."""
    with s.store.transaction() as tx:
        frozen = newest_evidence(tx.requests.find(version=version))
    evidence = frozen or s.registry_at(version.workspace).read_evidence(version, None, ())
    found: dict[Table, tuple[DataSet, ...]] = {}
    for one in evidence.datasets:
        if one.table is not None:
            found[one.table] = (*found.get(one.table, ()), one)
    return TablesUsed(found, frozen is not None)


def fetch_tables(
    version: VersionId, used: TablesUsed, named: Mapping[str, str], into: Path, tables: TableStore, s: Services
) -> tuple[tuple[BroughtTable, ...], tuple[TableLeft, ...]]:
    """`named` are places by the names of data sets, as the caller trusts them. Raises Refused for a name that is none."""
    _refuse_unknown(named, used)
    with s.store.transaction() as tx:
        stores = tx.policy().artifact_stores
    folders = folders_of([data_sets[0] for data_sets in used.by_table.values()])
    brought: list[BroughtTable] = []
    left: list[TableLeft] = []
    for table, data_sets in used.by_table.items():
        names, folder = tuple(dict.fromkeys(one.name for one in data_sets)), folders[data_sets[0]]
        try:
            known = _version_of(table)
            place = _place_of(table, next((named[name] for name in names if name in named), ""), stores, tables)
            fetched = tables.fetch(place, known, into / folder, version.created + CLOCKS_DIFFER)
        except NotFetched as fault:
            left.append(TableLeft(names[0], f"{names[0]}: {fault}"))
        else:
            brought.append(BroughtTable(names, table, place, folder, fetched.files, fetched.written_at))
    return tuple(brought), tuple(left)


def _version_of(table: Table) -> int:
    if table.version is None:
        raise NotFetched(
            f"the training did not say which version of Delta table {table.path or table.name} it read, and none is guessed. "
            "Train again, and give the data set's source its version (delta_table_version; 0 as a text, because MLflow leaves out a 0)"
        )
    return table.version


def _place_of(table: Table, named: str, stores: Sequence[str], tables: TableStore) -> str:
    """Raises NotFetched for a place that neither the policy nor the caller trusts."""
    if named:
        return tables.real_place(tables.place_of(named))
    if not table.path:
        called = f"by its name in a catalog, {table.name}" if table.name else "by nothing"
        raise NotFetched(f"the table is known {called}, and only the catalog knows where it is: {NAME_IT}")
    place = tables.place_of(table.path)
    _refuse_outside(place, table.path, stores)
    real = tables.real_place(place)
    if real != place:
        _refuse_outside(real, f"{table.path}, a link to {real}", stores)
    return real


def _refuse_outside(place: str, said: str, stores: Sequence[str]) -> None:
    spellings = [place, f"file://{place}"] if place.startswith("/") else [place]
    if not any(is_within(one, stores) for one in spellings):
        raise NotFetched(
            f"the table is at {said}, which is in none of the policy's artifact_stores, and a run can name any place. Add it to "
            f"artifact_stores; or look at it, and {NAME_IT} if you trust it"
        )


def _refuse_unknown(named: Mapping[str, str], used: TablesUsed) -> None:
    known = sorted({one.name for data_sets in used.by_table.values() for one in data_sets})
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise Refused(
            f"no data set of that version with the name {unknown[0]!r} was read from a Delta table. "
            + (f"Those are: {', '.join(known)}" if known else "None was")
        )
