"""Downloads files from a DVC remote by the hashes in a dvc.lock, and checks the md5 of every file.

The layout is DVC 3's: `<remote>/files/md5/ab/cdef...`, and for a folder a JSON list of its files under a name that ends in `.dir`. DVC
itself opens the remote (a directory, s3, gs, azure, ssh), so this needs the `dvc` extra; nothing else in Countersign does.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Protocol

from bot.bucket_refusals import bucket_refusal, failures_of_s3
from bot.clients.placed_files import copied, place_below, put, written_beside
from bot.domain.evidence.dvc_lock import Entry
from bot.errors import NotFetched, NotOnRemote
from bot.ports.data_stores import Fetched

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
LARGEST_LIST = 64 * 2**20  # bytes; a folder of half a million files
EXTRA_WANTED = "bringing data back needs the dvc extra: pip install 'mlflow-countersign[dvc]'"


class Files(Protocol):
    """The part of DVC's file systems that we use."""

    @property
    def protocol(self) -> str: ...

    def open(self, path: str, mode: str) -> BinaryIO: ...

    def exists(self, path: str) -> bool: ...

    def info(self, path: str) -> object: ...


class DvcData:
    """The `DataStore` of `bot.ports.data_stores`, and the `DataKeeper` of `bot.ports.evidence_watch`."""

    def can_look(self) -> bool:
        return find_spec("dvc") is not None

    def default_remote(self, config: str) -> str:
        return remote_in(config)

    def open(self, url: str) -> DvcRemote:
        return DvcRemote(url)


class DvcRemote:
    """`url` is what `dvc remote list` shows: a directory, or an address such as s3://bucket/path. Raises NotFetched."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._files, self._root = _file_system(url)

    def fetch(self, entry: Entry, into: Path) -> list[Fetched]:
        """Writes below `into` only, and never overwrites a file. Raises NotFetched, or NotOnRemote when the remote lacks the hash."""
        if not MD5.fullmatch(entry.md5):
            raise NotFetched(f"{entry.path}: the lock has no md5 of it, so nothing could be proven")
        if not entry.is_current:
            raise NotFetched(
                f"{entry.path}: the lock is DVC 2's, whose md5 leaves line ends out, so its bytes cannot be proven. "
                "For the next version run `dvc cache migrate --dvc-files` with DVC 3, and commit"
            )
        if not entry.is_folder:
            return [self._bring(entry.path, entry.md5, entry.size, into)]
        listed = self._folder(entry)
        return [self._bring(f"{entry.path}/{path}", md5, None, into) for path, md5 in listed]

    def there(self, md5s: Collection[str]) -> frozenset[str]:
        """One question for each. Only "there is no such object" counts as absent: `exists` would take any failure for it."""
        if not self._is_mounted():
            raise NotFetched(f"the remote {self._url} holds nothing at all. Check that it is mounted")
        return frozenset(md5 for md5 in md5s if MD5.fullmatch(md5) and self._has(md5))

    def listed_in(self, folder: str) -> tuple[str, ...]:
        return tuple(md5 for _, md5 in self._folder(Entry("a folder", folder)))

    def _is_mounted(self) -> bool:
        return self._files.protocol != "local" or Path(self._root, "files", "md5").is_dir()

    def _has(self, md5: str) -> bool:
        from dvc.exceptions import DvcException

        try:
            self._files.info(f"{self._root}/files/md5/{md5[:2]}/{md5[2:]}")
        except FileNotFoundError as missing:
            refusal = bucket_refusal(missing)
            if refusal is not None and not refusal.is_gone:
                raise NotFetched(f"the remote {self._url} cannot be read: {refusal}") from missing
            return False
        except (OSError, DvcException, *failures_of_s3()) as trouble:
            why = bucket_refusal(trouble) or trouble
            raise NotFetched(f"the remote {self._url} cannot be read: {why}") from trouble
        return True

    def _folder(self, entry: Entry) -> list[tuple[str, str]]:
        """The folder's files and their md5s. The list itself must have the hash in the lock."""
        with self._opened(entry.path, entry.md5) as file:
            text = file.read(LARGEST_LIST + 1)
        if len(text) > LARGEST_LIST or _md5(text) != entry.md5.removesuffix(".dir"):
            raise NotFetched(f"{entry.path}: the remote's list of its files is not the one that the lock names")
        try:
            listed = [(str(one["relpath"]), str(one["md5"])) for one in json.loads(text)]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise NotFetched(f"{entry.path}: the remote's list of its files is not as DVC writes it") from None
        wrong = [md5 for _, md5 in listed if not MD5.fullmatch(md5) or md5.endswith(".dir")]
        if wrong:
            raise NotFetched(f"{entry.path}: the remote's list names {wrong[0][:40]!r}, which is no md5")
        return listed

    def _bring(self, path: str, md5: str, size: int | None, into: Path) -> Fetched:
        place = place_below(into, path)
        with self._opened(path, md5) as file, written_beside(place) as (copy, name):
            found = copied(file, copy, size)
            if found.md5 != md5:
                raise NotFetched(f"{path}: the remote has other bytes than the lock names (md5 {found.md5}, not {md5})")
            copy.flush()
            put(name, place, found)
        return Fetched(path, found.md5, found.sha256, found.size)

    @contextmanager
    def _opened(self, path: str, md5: str) -> Iterator[BinaryIO]:
        from dvc.exceptions import DvcException

        where = f"{self._root}/files/md5/{md5[:2]}/{md5[2:]}"
        try:
            if not self._files.exists(where):
                self._refuse_without_bucket(path, where)
                raise NotOnRemote(f"{path}: the remote {self._url} has nothing with the md5 {md5}")
            with self._files.open(where, "rb") as file:
                yield file
        except (OSError, DvcException, *failures_of_s3()) as trouble:
            why = bucket_refusal(trouble) or trouble
            raise NotFetched(f"{path}: the remote {self._url} cannot be read: {why}") from trouble

    def _refuse_without_bucket(self, path: str, where: str) -> None:
        """To `exists`, an object that is not there and a bucket that is not there are the same. Raises NotFetched."""
        try:
            self._files.info(where)
        except OSError as missing:
            refusal = bucket_refusal(missing)
            if refusal is not None and not refusal.is_gone:
                raise NotFetched(f"{path}: the remote {self._url} cannot be read: {refusal}") from missing


def remote_in(config: str) -> str:
    """The address of the default remote in a repository's `.dvc/config`, or of the only remote. Raises NotFetched."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(config)
    except configparser.Error:
        raise NotFetched("the repository's .dvc/config cannot be read. Name the remote with --remote") from None
    remotes = {
        _bare(section, "remote"): parser[section].get("url", "")
        for section in parser.sections()
        if _bare(section, "remote")
    }
    named = parser.get("core", "remote", fallback=next(iter(remotes)) if len(remotes) == 1 else "")
    url = remotes.get(named, "")
    if not url:
        raise NotFetched("the repository's .dvc/config names no default remote. Name one with --remote")
    if "://" not in url and not Path(url).is_absolute():
        raise NotFetched(f"the remote {url!r} is a path in the trainer's own checkout. Name one with --remote")
    return url


def _bare(section: str, kind: str) -> str:
    """DVC writes the section as ['remote "storage"']."""
    found = re.fullmatch(rf"'?{kind} \"(.+?)\"'?", section)
    return found[1] if found else ""


def _file_system(url: str) -> tuple[Files, str]:
    try:
        from dvc.exceptions import DvcException
        from dvc.fs import get_cloud_fs
    except ImportError:
        raise NotFetched(EXTRA_WANTED) from None
    try:
        made, options, root = get_cloud_fs({}, url=url)
        if made.protocol == "local" and not Path(str(root)).is_dir():
            raise NotFetched(
                f"there is no directory {url}. Correct --remote: it wants the address that stands beside the remote's name in "
                "`dvc remote list`"
            )
        return made(**options), str(root).rstrip("/")
    except ImportError as missing:
        raise NotFetched(f"the remote {url} needs more than the dvc extra: {missing}") from None
    except DvcException as mistake:
        raise NotFetched(f"the remote {url} is none that DVC knows: {mistake}. Correct --remote") from None


def _md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
