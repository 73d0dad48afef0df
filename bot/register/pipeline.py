"""The local DVC pipeline: whether the files are those in dvc.lock, and whether the remote has them.

The `dvc` program is called only for its version and for what was not pushed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bot.domain.evidence.dvc_lock import LOCK, Entry, Lock
from bot.dvc_files import read_lock
from bot.errors import Refused

TIMEOUT = 600  # seconds; a remote may hold many files
SHOWN = 5


@dataclass(frozen=True)
class Pipeline:
    """`text` is the dvc.lock in `folder`. Raises InvalidDvcFile for any other text."""

    folder: Path
    text: str
    lock: Lock

    @classmethod
    def read(cls, folder: Path) -> Pipeline:
        text = (folder / LOCK).read_bytes().decode()
        return cls(folder, text, read_lock(text))

    def altered(self) -> tuple[str, ...]:
        """Paths whose local content differs from dvc.lock. Missing files are ignored: DVC can download them."""
        entries = {entry.path: entry for entry in self.lock.entries if entry.is_current and entry.md5}
        return tuple(path for path, entry in entries.items() if _differs(self.folder / path, entry))


def _differs(path: Path, entry: Entry) -> bool:
    if path.is_dir():
        return entry.is_folder and md5_of_folder(path) != entry.md5
    return path.is_file() and (entry.is_folder or md5_of(path) != entry.md5)


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def md5_of_folder(folder: Path) -> str:
    """As DVC 3 computes it: the md5 of the JSON list of its files, sorted by path, followed by .dir."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [{"md5": md5_of(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    listed.sort(key=lambda one: one["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


class Dvc:
    """The `dvc` program in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        beside = shutil.which("dvc")
        as_module = [sys.executable, "-m", "dvc"] if find_spec("dvc") else []
        self._command = [beside] if beside else as_module

    @property
    def is_there(self) -> bool:
        return bool(self._command)

    def version(self) -> str:
        return self._run("--version").stdout.strip()

    def why_not_pushed(self) -> str:
        """The start of a sentence; empty when the remote has everything."""
        done = self._run("data", "status", "--not-in-remote", "--json")
        try:
            told = json.loads(done.stdout)
            absent = list(told.get("not_in_remote") or ()) if isinstance(told, Mapping) else None
        except ValueError:
            absent = None
        if done.returncode or absent is None:
            said = " ".join(done.stderr.split())[:200] or "it gave no reason"
            return f"DVC cannot tell whether the data was pushed: {said}"
        if absent:
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            return f"DVC's remote lacks {', '.join(map(str, absent[:SHOWN]))}{more}"
        return ""

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [*self._command, *arguments],
                cwd=self._folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Refused(
                f"`dvc {' '.join(arguments)}` took longer than {TIMEOUT} s. Fix: see that its remote answers."
            ) from error
