"""Fetches data: the files that a version's dvc.lock names, from the DVC remote, with every byte verified; and its Delta tables.

Files are placed as in the training repository, by their paths from its root, whatever its pipelines' folders and `wdir`s are.
How a remote is read is the `DataStore`'s matter. Code and small files that git keeps are not on it; the git mirror, where a rule names one,
proves those by the same hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from posixpath import dirname, join

from bot.domain.evidence.dvc_lock import LOCK, Entry, Lock, sha256_of
from bot.domain.evidence.lineage import KeptLock
from bot.domain.model import Evidence, TransitionRequest, VersionId
from bot.dvc import files as dvc_files
from bot.errors import FilesUnread, InvalidDvcFile, NotFetched, NotOnRemote, OutsideError, Refused
from bot.locations import is_within
from bot.ports.data_stores import DataStore, Fetched, GitMirror, TableStore
from bot.ports.progress import Report, silent
from bot.services import Services
from handlers.queries.describe import find_version, newest_evidence
from handlers.queries.fetch_tables import BroughtTable, fetch_tables, tables_used

CONFIG = ".dvc/config"  # in the repository's root, or nearer to dvc.lock after `dvc init --subdir`
NAME_A_REMOTE = "Name the DVC remote's address with --remote: it is beside its name in `dvc remote list`, called in the pipeline's folder"


class NoLock(Refused):
    """The run keeps no dvc.lock."""


@dataclass(frozen=True)
class NotBrought:
    """`is_fault` is False for a file that may well be none of DVC's: the remote has nothing of its hash, and git keeps code."""

    path: str
    why: str
    is_fault: bool


@dataclass(frozen=True)
class Brought:
    """What is in the directory now, what git has instead, byte for byte, and what neither has."""

    version: VersionId
    fetched: tuple[Fetched, ...]
    in_git: tuple[str, ...]
    left: tuple[NotBrought, ...]
    tables: tuple[BroughtTable, ...] = ()
    tables_are_frozen: bool = True

    @property
    def is_good(self) -> bool:
        return bool(self.fetched or self.tables) and not any(one.is_fault for one in self.left)


@dataclass(frozen=True)
class Source:
    """Where a version's repository is; `git` is empty when no rule names one. `configs` are the places of DVC's settings, nearest first."""

    git: str
    commit: str
    configs: tuple[str, ...] = (CONFIG,)


@dataclass(frozen=True)
class Places:
    """Where to look: `remote` is DVC's, empty for the one that the repository names; `tables` are places by the names of data sets."""

    remote: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """What is asked for data: DVC's remotes, Delta tables, and the git mirror."""

    data: DataStore
    tables: TableStore
    mirror: GitMirror


def fetch_data(uri: str, into: Path, places: Places, sources: Sources, s: Services, report: Report = silent) -> Brought:
    """What DVC has and what Delta tables have; where there are tables, they come also without the files. Raises Refused, OutsideError."""
    version = find_version(uri, s).version
    used = tables_used(version, s)
    if not used.by_table and not places.tables:
        return _fetch_files(version, into, places.remote, sources, s, report)
    try:
        files = _fetch_files(version, into, places.remote, sources, s, report)
    except NoLock as none:
        files = Brought(version, (), (), (NotBrought(LOCK, str(none), is_fault=False),))
    except (Refused, OutsideError) as trouble:
        files = Brought(version, (), (), (NotBrought(LOCK, str(trouble), is_fault=True),))
    # After the files: a lock may name some in a table's folder, where they could pass for a later version of it.
    report("fetching Delta tables")
    tables, tables_left = fetch_tables(version, used, places.tables, into, sources.tables, s)
    left = tuple(NotBrought(one.data_set, one.why, is_fault=True) for one in tables_left)
    return replace(files, left=(*left, *files.left), tables=tables, tables_are_frozen=used.is_frozen)


def _fetch_files(version: VersionId, into: Path, remote: str, sources: Sources, s: Services, report: Report) -> Brought:
    data, mirror, kept = sources.data, sources.mirror, _kept_of(version, s)
    source = replace(_source_of(version, s), configs=tuple(_configs(kept.path)))
    wanted = _each_once(_parsed(version, kept))
    committed = _committed(source, wanted, mirror)
    try:
        opened = data.open(remote or _named_by_repository(version, source, committed, data, s))
    except NotFetched as mistake:
        raise Refused(str(mistake)) from None
    into.mkdir(parents=True, exist_ok=True)
    fetched: list[Fetched] = []
    in_git: list[str] = []
    left: list[NotBrought] = []
    for place, entry in enumerate(wanted, start=1):
        report(f"fetching {entry.path}, {place:,} of {len(wanted):,}")
        try:
            fetched += opened.fetch(entry, into)
        except NotOnRemote as missing:
            if _has_bytes_of(entry, committed.get(entry.path)):
                in_git.append(entry.path)
            else:
                left.append(_missing(entry, missing))
        except NotFetched as fault:
            left.append(NotBrought(entry.path, str(fault), is_fault=True))
    return Brought(version, tuple(fetched), tuple(in_git), tuple(left))


def _missing(entry: Entry, missing: NotOnRemote) -> NotBrought:
    """Folders are always DVC's; a single file may be code, or an output that dvc.yaml leaves to git."""
    if entry.is_folder:
        return NotBrought(entry.path, f"{missing}: it was never pushed, or was removed", is_fault=True)
    return NotBrought(entry.path, f"{missing}: git keeps it, or it was never pushed", is_fault=False)


def _each_once(lock: Lock) -> list[Entry]:
    """What lies in a folder that is brought back as a whole comes with it."""
    return list({entry.path: entry for entry in (*lock.sources, *lock.outs)}.values())


def _kept_of(version: VersionId, s: Services) -> KeptLock:
    with s.store.transaction() as tx:
        stores = tx.policy().artifact_stores
        evidence = newest_evidence(tx.requests.find(version=version))
    try:
        kept = s.registry_at(version.workspace).read_lock(version, stores)
    except FilesUnread as reason:
        raise Refused(f"the dvc.lock of {version} cannot be read. {reason}") from None
    if kept is None:
        raise NoLock(
            f"the run of {version} has logged no lineage/dvc.lock, and nothing else says which files it was trained on"
        )
    if evidence and evidence.lock_sha256 not in ("", sha256_of(kept.text)):
        raise Refused(
            f"the run of {version} keeps another dvc.lock now (sha256 {sha256_of(kept.text)}) than the one of the frozen evidence "
            f"(sha256 {evidence.lock_sha256}), so this would not be the data that people decided on. Put that lock back as "
            f"lineage/dvc.lock of the run: commit {evidence.commit or 'unknown'} of the training repository has it"
        )
    return kept


def _parsed(version: VersionId, kept: KeptLock) -> Lock:
    try:
        return dvc_files.read_kept(kept)
    except InvalidDvcFile as fault:
        raise Refused(f"the dvc.lock of {version} {fault}") from None


def _configs(lock_path: str) -> Iterator[str]:
    """In the lock's folder, and in each folder above it."""
    folder = dirname(lock_path)
    while folder:
        yield join(folder, CONFIG)
        folder = dirname(folder)
    yield CONFIG


def _source_of(version: VersionId, s: Services) -> Source:
    """By the rule of the newest request for it."""
    with s.store.transaction() as tx:
        asked = [request for request in tx.requests.find(version=version) if request.evidence]
        demands = [
            (request, tx.policy().rule_for(version.workspace, version.model, request.target)) for request in asked
        ]
    for request, rule in reversed(demands):
        if rule and rule.lineage and rule.lineage.git and _commit_of(request):
            return Source(rule.lineage.git, _commit_of(request))
    return Source("", "")


def _commit_of(request: TransitionRequest) -> str:
    evidence: Evidence | None = request.evidence
    return (evidence.commit or "") if evidence else ""


def _named_by_repository(
    version: VersionId, source: Source, committed: Mapping[str, bytes], data: DataStore, s: Services
) -> str:
    """Only an address that the policy lets us read from. Raises Refused and NotFetched."""
    if not source.git:
        raise Refused(
            f"no rule names the git remote of {version} (lineage: git), so nobody says where its data is. {NAME_A_REMOTE}"
        )
    path = next((path for path in source.configs if path in committed), "")
    if not path:
        raise Refused(f"commit {source.commit[:12]} has no {CONFIG} in {source.git}. {NAME_A_REMOTE}")
    url = data.default_remote(committed[path].decode(errors="replace"))
    with s.store.transaction() as tx:
        stores = tx.policy().artifact_stores
    if not is_within(url, stores):
        raise Refused(
            f"{path} of commit {source.commit[:12]} names {url!r}, which is in none of the policy's artifact_stores, and a commit can "
            "name any address. Add it to artifact_stores; or look at it, and name it with --remote if you trust it"
        )
    return url


def _committed(source: Source, wanted: Sequence[Entry], mirror: GitMirror) -> Mapping[str, bytes]:
    """One look at the mirror for all that git may have; empty when no rule names a git remote."""
    paths = [*source.configs, *(entry.path for entry in wanted if not entry.is_folder)]
    return mirror.read_files(source.git, source.commit, paths) if source.git else {}


def _has_bytes_of(entry: Entry, content: bytes | None) -> bool:
    return content is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() == entry.md5
