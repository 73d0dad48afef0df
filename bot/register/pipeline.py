"""The local DVC pipeline: whether the files are those in dvc.lock, and whether the remote has them.

DVC is asked for both, because it knows best what counts: `.dvcignore`, imports, frozen stages, and the hashes of DVC 2.
"""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.domain.evidence.dvc_lock import LOCK, Lock
from bot.dvc.files import read_lock, read_places
from bot.errors import InvalidDvcFile, Refused

COMMAND = "command of stage"
DESCRIPTION = "dvc.yaml"
TIMEOUT = 600  # seconds; a remote may hold many files


class SpoiltFile(InvalidDvcFile):
    """`file` is its name; the text completes "dvc.lock ..."."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.file = file


@dataclass(frozen=True)
class Pipeline:
    """`text` is the dvc.lock in `folder`."""

    folder: Path
    text: str
    lock: Lock

    @classmethod
    def read(cls, folder: Path) -> Pipeline:
        described = folder / DESCRIPTION
        with _named(DESCRIPTION):
            places = (
                read_places(described.read_text(encoding="utf-8"), reader_in(folder)) if described.is_file() else {}
            )
        with _named(LOCK):
            text = (folder / LOCK).read_bytes().decode()
            return cls(folder, text, read_lock(text, places))


@contextmanager
def _named(file: str) -> Iterator[None]:
    try:
        yield
    except (InvalidDvcFile, UnicodeDecodeError) as reason:
        raise SpoiltFile(file, str(reason)) from reason


def reader_in(folder: Path) -> Callable[[str], str | None]:
    """Reads a file that dvc.yaml names; None when it is not there."""

    def read(path: str) -> str | None:
        place = folder / path
        return place.read_text(encoding="utf-8", errors="replace") if place.is_file() else None

    return read


def holds_tuple(parameter: str, folder: Path) -> bool:
    """Whether `FILE.py:NAME` is given as a tuple, or has one within: DVC locks it as a list, and takes it for changed ever after."""
    path, _, name = parameter.partition(":")
    text = reader_in(folder)(path) if path.endswith(".py") and name else None
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError):
        return False
    values = (
        node.value for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign) and _sets(node, name)
    )
    return any(isinstance(part, ast.Tuple) for value in values if value is not None for part in ast.walk(value))


def _sets(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    """`name` may lead through a class or a mapping, as in `Train.layers`."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    parts = name.split(".")
    return any(ast.unparse(target).rpartition(".")[2] in parts for target in targets)


def md5_of(path: Path, *, of_dvc_2: bool = False) -> str:
    """DVC 2 treated all line ends of a text as the same."""
    content = path.read_bytes()
    return hashlib.md5(content.replace(b"\r\n", b"\n") if of_dvc_2 else content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class NotPushed:
    """What the remote lacks, what of it the cache lacks too, and which files are not even here."""

    absent: tuple[str, ...]
    without_cache: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether something is in none of the three places."""
        return any(path in self.gone for path in self.without_cache)


class CannotTell(Exception):
    """DVC's own reason."""


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

    def altered(self) -> tuple[str, ...]:
        """What differs from dvc.lock, as `dvc status` says: paths, parameters and commands. Raises CannotTell.

        Missing files are left out: DVC can download them.
        """
        told = self._json("status", "--json", "dvc.yaml")
        found = [one for stage, changes in told.items() for one in _altered(stage, changes)]
        return tuple(dict.fromkeys(found))

    def not_pushed(self) -> NotPushed:
        """What the remote lacks. Raises CannotTell."""
        told = self._json("data", "status", "--not-in-remote", "--json")
        absent, without_cache = (tuple(map(str, told.get(key) or ())) for key in ("not_in_remote", "not_in_cache"))
        gone = _mapping(told.get("uncommitted")).get("deleted") or ()
        return NotPushed(absent, tuple(path for path in absent if path in without_cache), tuple(map(str, gone)))

    def _json(self, *arguments: str) -> Mapping[str, Any]:
        done = self._run(*arguments)
        try:
            told = json.loads(done.stdout)
        except ValueError:
            told = None
        if done.returncode or not isinstance(told, Mapping):
            raise CannotTell(" ".join(done.stderr.split())[:200] or "it gave no reason")
        return told

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


def _mapping(node: object) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _altered(stage: str, changes: object) -> Iterator[str]:
    for change in changes if isinstance(changes, list) else ():
        if change == "changed command":
            yield f"{COMMAND} {stage}"
        for files in change.values() if isinstance(change, Mapping) else ():
            for path, state in files.items():
                if isinstance(state, Mapping):
                    yield from (f"{path}:{name}" for name in state)
                elif state == "modified":
                    yield str(path)
