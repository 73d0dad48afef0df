"""A `dvc.lock` as plain values: stages, their inputs, outputs and parameters, and their order. `bot.dvc.files` parses the text.

prepare                      `stage_tree`: a stage is below the one whose outputs it reads
  train
    evaluate  (also after prepare)
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from posixpath import dirname, join, normpath
from typing import TypeVar

from bot.domain.evidence.spellings import dotted, flattened, same_value

LOCK = "dvc.lock"
DVC_FILE = ".dvc"
OF_FILE = ":"  # as DVC separates a file from a parameter in it
TELLS_NOTHING = (".md", ".rst", ".gitignore", ".dvcignore")  # extensions of files that do not affect a model
NOT_LISTED = re.compile(r"[0-9]+ more than the first [0-9]+")  # in place of the paths that a mirror does not list
AROUND = (".dvc/", ".github/", "docs/")

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A file or folder with its hash. `md5` ends in `.dir` for a folder and is empty when DVC recorded none.

    `is_current` is False for the md5 of DVC 2, which treated all line breaks of text files as the same.
    """

    path: str
    md5: str
    size: int | None = None
    is_current: bool = True

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


@dataclass(frozen=True)
class Stage:
    """`params` are the values of the stage's parameter files, unparsed, by dotted names.

    A name that an earlier file of the stage has too is preceded by its file, as in `eval.yaml:seed`. DVC does not run a frozen stage.
    """

    name: str
    command: str
    deps: tuple[Entry, ...]
    outs: tuple[Entry, ...]
    params: Mapping[str, str]
    param_files: tuple[str, ...] = ()
    is_frozen: bool = False


@dataclass(frozen=True)
class Lock:
    stages: tuple[Stage, ...]

    @property
    def outs(self) -> tuple[Entry, ...]:
        return tuple(out for stage in self.stages for out in stage.outs)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for stage in self.stages for entry in (*stage.deps, *stage.outs))

    @property
    def sources(self) -> tuple[Entry, ...]:
        """Inputs that no stage writes: code and source data, each once, by path."""
        read = {dep.path: dep for stage in self.stages for dep in stage.deps}
        written = _overlapping((out.path, out) for out in self.outs)
        return tuple(read[path] for path in sorted(read) if next(written(path), None) is None)

    @property
    def params(self) -> Mapping[str, str]:
        return {name: text for stage in self.stages for name, text in stage.params.items()}

    def params_of(self, pinned: str) -> Mapping[str, str]:
        """Those that shaped the run: of the stage that wrote the file with the md5 `pinned`, and of the stages before it.

        A name of a nearer stage hides the same name of one further back. Without such a stage, all parameters of the lock.
        """
        writers = [stage for stage in self.stages if pinned and any(out.md5 == pinned for out in stage.outs)]
        if not writers:
            return self.params
        return {name: text for stage in reversed(self._up_from(writers)) for name, text in stage.params.items()}

    def frozen_writers(self, pinned: str, path: str = "") -> tuple[str, ...]:
        """The names of the frozen stages that wrote the file with the md5 `pinned`, or that write `path`."""
        written = ((stage, out) for stage in self.stages if stage.is_frozen for out in stage.outs)
        wrote = (stage.name for stage, out in written if (pinned and out.md5 == pinned) or (path and out.path == path))
        return tuple(dict.fromkeys(wrote))

    def from_root(self, lock_path: str) -> Lock:
        """The same with paths relative to the repository's root."""
        return Lock(tuple(_stage_from_root(stage, lock_path) for stage in self.stages))

    def _up_from(self, stages: list[Stage]) -> list[Stage]:
        """These stages and all whose outputs they read, the nearest first."""
        found, feeding = list(stages), _feeding(self)
        for stage in found:
            found += [one for one in feeding[stage.name] if one not in found]
        return found


def sha256_of(text: str) -> str:
    """In hex; identifies a lock in evidence and tags."""
    return hashlib.sha256(text.encode()).hexdigest()


def same_lines(one: str, other: str) -> bool:
    """With git's core.autocrlf a file ends its lines with CRLF on disk and with LF in the commit."""
    return one.replace("\r\n", "\n") == other.replace("\r\n", "\n")


def overlaps_any(paths: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path is one of these, contains one, or is inside one."""
    found = _overlapping((path, True) for path in paths)
    return lambda path: any(found(path))


def _overlapping(placed: Iterable[tuple[str, T]]) -> Callable[[str], Iterator[T]]:
    """What is at the paths that equal one, contain it or are inside it, found without comparing it with each: a lock has thousands."""
    at: dict[str, list[T]] = {}
    for path, one in placed:
        at.setdefault(path, []).append(one)
    in_order = sorted(at)

    def found(path: str) -> Iterator[T]:
        above = (path[:end] for end, letter in enumerate(path) if letter == "/")
        first = bisect_left(in_order, f"{path}/")
        below = map(in_order.__getitem__, range(first, len(in_order)))
        for one in (path, *above, *takewhile(lambda inner: inner.startswith(f"{path}/"), below)):
            yield from at.get(one, ())

    return found


def unexplained(changed: Iterable[str], lock: Lock, lock_path: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """The pipeline's files changed between the code's commit and the lock's that are neither its outputs nor documentation.

    Neither are the `.dvc` files of its source data, whose md5 the lock has: `dvc repro` writes them when the data has changed. Paths are
    relative to the repository's root; `lock_path` is the lock's path in it, and `others` as for `of_pipeline`.
    """
    written = [_from_root(lock_path, out.path) for out in lock.outs]
    is_read = overlaps_any(_from_root(lock_path, source.path) for source in lock.sources if source.md5)
    return tuple(
        path
        for path in of_pipeline(changed, lock, lock_path, others)
        if path != lock_path
        and not path.endswith(TELLS_NOTHING)
        and not path.startswith(AROUND)
        and not any(path == out or path.startswith(f"{out}/") for out in written)
        and not (path.endswith(DVC_FILE) and is_read(path.removesuffix(DVC_FILE)))
    )


def of_pipeline(paths: Iterable[str], lock: Lock, lock_path: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """Those in the lock's folder, and those that the lock names; what else the repository holds is other people's.

    `others` are the folders of other pipelines; one inside the lock's folder is not the pipeline's own.
    """
    folder = dirname(lock_path)
    named = {_from_root(lock_path, entry.path) for entry in lock.entries}
    named |= {_from_root(lock_path, path) for stage in lock.stages for path in stage.param_files}
    inner = [other for other in others if other != folder and (not folder or other.startswith(f"{folder}/"))]

    def is_ours(path: str) -> bool:
        if NOT_LISTED.fullmatch(path):
            return True  # among them may be ours
        if any(path == one or path.startswith(f"{one}/") for one in named):
            return True
        inside = not folder or path.startswith(f"{folder}/")
        return inside and not any(path.startswith(f"{other}/") for other in inner)

    return tuple(path for path in paths if is_ours(path))


def _from_root(lock_path: str, path: str) -> str:
    """An address or an absolute path stays as it is."""
    return path if "://" in path or not path else normpath(join(dirname(lock_path), path))


def _stage_from_root(stage: Stage, lock_path: str) -> Stage:
    def moved(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(replace(entry, path=_from_root(lock_path, entry.path)) for entry in entries)

    return replace(stage, deps=moved(stage.deps), outs=moved(stage.outs))


def edges(lock: Lock) -> tuple[tuple[str, str], ...]:
    """Pairs of stage names: the second reads an output of the first. In the lock's order."""
    feeding = {name: {before.name for before in stages} for name, stages in _feeding(lock).items()}
    return tuple(
        (before.name, after.name)
        for before in lock.stages
        for after in lock.stages
        if before is not after and before.name in feeding[after.name]
    )


def stage_tree(lock: Lock) -> tuple[str, ...]:
    """One line per stage, each once, indented by two spaces below the first stage whose outputs it reads."""
    fed_by: dict[str, list[str]] = {stage.name: [] for stage in lock.stages}
    for before, after in edges(lock):
        fed_by[after].append(before)
    shown: set[str] = set()
    first = [stage.name for stage in lock.stages if not fed_by[stage.name]]
    lines = [line for name in first for line in _below(name, 0, fed_by, shown)]
    rest = (stage.name for stage in lock.stages)  # only stages in a cycle are left
    return (*lines, *(line for name in rest if name not in shown for line in _below(name, 0, fed_by, shown)))


def _below(name: str, depth: int, fed_by: Mapping[str, list[str]], shown: set[str]) -> Iterator[str]:
    waiting = [(name, depth, "")]
    while waiting:
        stage, level, above = waiting.pop()
        if stage in shown:
            continue
        shown.add(stage)
        others = [before for before in fed_by[stage] if before != above]
        also = f"  (also after {', '.join(others)})" if above and others else ""
        yield f"{'  ' * level}{stage}{also}"
        waiting += [(after, level + 1, stage) for after in reversed(list(fed_by)) if stage in fed_by[after]]


def _feeding(lock: Lock) -> dict[str, list[Stage]]:
    """By a stage's name, those whose outputs it reads, in the lock's order."""
    writers = _overlapping((out.path, place) for place, stage in enumerate(lock.stages) for out in stage.outs)
    read = {stage.name: {place for dep in stage.deps for place in writers(dep.path)} for stage in lock.stages}
    return {name: [lock.stages[place] for place in sorted(places)] for name, places in read.items()}


SEED_NAMES = ("seed", "random_state", "random_seed")


def differences(run: Mapping[str, str], locked: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """Compares a run's parameters with those of the lock: the number of equal ones, and one entry for each difference.

    A run's `learning_rate` matches the lock's `train.learning_rate` when no other locked parameter ends so. Parameters that only one side
    has are ignored. A stage that reads the same name from several files has it once for each; one that agrees is enough.
    """
    by_name, by_end = _by_name(locked)
    equal, other = 0, []
    for name, text in sorted(flattened(run)):
        called = dotted(name)
        known = by_name.get(called) or (by_end[called] if len(by_end.get(called, ())) == 1 else [])
        if not known:
            continue
        if any(same_value(text, locked[one]) for one in known):
            equal += 1
        else:
            other.append(f"{known[0]}: run {text[:40]} / lock {locked[known[0]][:40]}")
    return equal, tuple(other)


def _by_name(locked: Mapping[str, str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The locked names by their dotted name without the file, and by its last part."""
    by_name: dict[str, list[str]] = {}
    by_end: dict[str, list[str]] = {}
    for name in locked:
        bare = dotted(name.rpartition(OF_FILE)[2])
        by_name.setdefault(bare, []).append(name)
        by_end.setdefault(bare.rpartition(".")[2], []).append(name)
    return by_name, by_end


def is_seed(name: str) -> bool:
    last = dotted(name).rpartition(".")[2].lower()
    return last in SEED_NAMES
