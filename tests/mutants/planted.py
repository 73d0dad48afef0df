"""What a planted bug is, and how it is put into a copy of the tree. The bugs are in `votes`, `moves`, `records` and `doors`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """`wrong`: what goes wrong, in words. `tests` are of the form `tests/folder/test_file.py::test_name`; each of them must fail."""

    name: str
    wrong: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


class DoesNotApply(Exception):
    """The code has changed, so the mutant must be written again."""


def mutated(text: str, mutant: Mutant) -> str:
    """Raises DoesNotApply unless the old text is there exactly once, and the new one is Python."""
    found = text.count(mutant.old)
    if found != 1:
        raise DoesNotApply(f"{mutant.file} has the old text {found} times, and it must have it once")
    changed = text.replace(mutant.old, mutant.new)
    try:
        ast.parse(changed)
    except SyntaxError as wrong:
        raise DoesNotApply(f"{mutant.file} is not Python with the new text: {wrong}") from wrong
    return changed


def check_applies(root: Path, mutant: Mutant) -> None:
    """Raises DoesNotApply when the product's file has changed there, or a named test is gone."""
    file = root / mutant.file
    if not file.is_file():
        raise DoesNotApply(f"there is no file {mutant.file}")
    mutated(file.read_text(), mutant)
    if not mutant.tests:
        raise DoesNotApply("it names no test")
    for test in mutant.tests:
        path, _, name = test.partition("::")
        if not (root / path).is_file() or f"\ndef {name}(" not in (root / path).read_text():
            raise DoesNotApply(f"there is no test {test}")


@contextmanager
def planted(root: Path, mutant: Mutant) -> Iterator[None]:
    """`root` is a copy of the tree: never the tree itself, which a killed process would leave broken."""
    file = root / mutant.file
    right = file.read_text()
    file.write_text(mutated(right, mutant))
    try:
        yield
    finally:
        file.write_text(right)
