"""Story of bringing data back: the files that a version's dvc.lock names, out of the DVC remote, with every byte proven.

How a remote is read is in `bot.dvc_remote`. Code and small files that git keeps are not on it; the git mirror, where a rule names one,
proves those by the same hashes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bot import dvc_texts
from bot.domain.dvc_lock import Entry, Lock
from bot.domain.model import Evidence, Refused, TransitionRequest, VersionId
from bot.dvc_remote import DvcRemote, Fetched, NotFetched, NotOnRemote, remote_in
from bot.ports import GitMirror
from bot.services import Services
from handlers.describing import find_version

CONFIG = ".dvc/config"
NAME_A_REMOTE = "Name the DVC remote with --remote, as `dvc remote list` shows it"


@dataclass(frozen=True)
class NotBrought:
    """`is_fault` is False for a file that may well be none of DVC's: the remote has nothing of its hash, and git keeps code."""

    path: str
    why: str
    is_fault: bool


@dataclass(frozen=True)
class Brought:
    """What stands in the directory now, what git has instead, byte for byte, and what neither has."""

    version: VersionId
    fetched: tuple[Fetched, ...]
    in_git: tuple[str, ...]
    left: tuple[NotBrought, ...]

    @property
    def is_good(self) -> bool:
        return bool(self.fetched) and not any(one.is_fault for one in self.left)


@dataclass(frozen=True)
class Source:
    """Where a version's repository is; `git` is empty when no rule names one."""

    git: str
    main: str
    commit: str


def fetch_data(uri: str, into: Path, remote: str, mirror: GitMirror, s: Services) -> Brought:
    """`remote` is empty for the one that the repository names. Raises Refused, OutsideError."""
    version = find_version(uri, s).version
    source, lock = _source_of(version, s), _lock_of(version, s)
    try:
        opened = DvcRemote(remote or _named_by_repository(version, source, mirror))
    except NotFetched as mistake:
        raise Refused(str(mistake)) from None
    into.mkdir(parents=True, exist_ok=True)
    fetched: list[Fetched] = []
    in_git: list[str] = []
    left: list[NotBrought] = []
    for entry in _each_once(lock):
        try:
            fetched += opened.fetch(entry, into)
        except NotOnRemote as missing:
            if _is_in_git(entry, source, mirror):
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


def _lock_of(version: VersionId, s: Services) -> Lock:
    with s.store.transaction() as tx:
        stores = tx.policy().artifact_stores
    text = s.registry.read_lock(version, stores)
    if text is None:
        raise Refused(f"the run of {version} has logged no lineage/dvc.lock that may be read, so nobody knows its data")
    try:
        return dvc_texts.read_lock(text)
    except dvc_texts.Unreadable as fault:
        raise Refused(f"the dvc.lock of {version} {fault}") from None


def _source_of(version: VersionId, s: Services) -> Source:
    """By the rule of whatever it was last asked for."""
    with s.store.transaction() as tx:
        asked = [request for request in tx.find_requests(version=version) if request.evidence]
        demands = [
            (request, tx.policy().rule_for(version.workspace, version.model, request.target)) for request in asked
        ]
    for request, rule in reversed(demands):
        if rule and rule.lineage and rule.lineage.git and _commit_of(request):
            return Source(rule.lineage.git, rule.lineage.main, _commit_of(request))
    return Source("", "", "")


def _commit_of(request: TransitionRequest) -> str:
    evidence: Evidence | None = request.evidence
    return (evidence.commit or "") if evidence else ""


def _named_by_repository(version: VersionId, source: Source, mirror: GitMirror) -> str:
    if not source.git:
        raise Refused(
            f"no rule names the git remote of {version} (lineage: git), so nobody says where its data is. {NAME_A_REMOTE}"
        )
    config = _text_in_git(CONFIG, source, mirror)
    if config is None:
        raise Refused(f"commit {source.commit[:12]} has no {CONFIG} in {source.git}. {NAME_A_REMOTE}")
    return remote_in(config)


def _is_in_git(entry: Entry, source: Source, mirror: GitMirror) -> bool:
    if not source.git or entry.is_folder:
        return False
    text = _text_in_git(entry.path, source, mirror)
    return text is not None and hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() == entry.md5


def _text_in_git(path: str, source: Source, mirror: GitMirror) -> str | None:
    """The mirror's look at a lock reads whatever text file is named."""
    return mirror.look(source.git, source.commit, source.main, path, "").lock
