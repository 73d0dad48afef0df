"""Docstrings and comments are plain English: short sentences in the field's terms, without the words of `tests.docs.mannered`."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import bot
from tests.docs.mannered import mannered

ROOT = Path(bot.__file__).parents[1]
PACKAGES = ("bot", "handlers", "config")
MOST = 2.0  # mannered words in 1,000; healthchecks, kopf, datasette and procrastinate have 0.0 to 0.5
WORD = re.compile(r"\w+")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def prose_of(source: str) -> str:
    """All docstrings and comments of a module, one after the other. Strings below a constant or a field are docstrings too."""
    return "\n\n".join([*docstrings_in(source), *comments_in(source)])


def docstrings_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented):
            yield from (
                line.value.value
                for line in node.body
                if isinstance(line, ast.Expr)
                and isinstance(line.value, ast.Constant)
                and isinstance(line.value.value, str)
            )


def comments_in(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_docstrings_and_comments_are_plain_english() -> None:
    prose = {
        path: prose_of(path.read_text()) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    }
    found = {path: words for path, text in prose.items() if (words := mannered(text))}

    rate = 1000 * sum(map(len, found.values())) / sum(len(WORD.findall(text)) for text in prose.values())

    assert rate < MOST, "\n".join(
        [
            f"{rate:.1f} mannered words in 1,000, and at most {MOST:g} are allowed:",
            *(f"{path.relative_to(ROOT)}: {', '.join(words)}" for path, words in worst_first(found)),
        ]
    )


def worst_first(found: dict[Path, list[str]]) -> list[tuple[Path, list[str]]]:
    return sorted(found.items(), key=lambda one: -len(one[1]))


def test_every_docstring_and_comment_is_read() -> None:
    source = '"""Nobody knows."""\nLIMIT = 3  # whatever it is\n"""It stands here."""\n\n\nclass A:\n    def b(self):\n        "Told."\n'

    words = mannered(prose_of(source))

    assert words == ["Nobody", "stands", "Told", "whatever"]


def test_names_in_code_are_not_counted() -> None:
    source = 'def tell():\n    """Calls `whoever` with told=1."""\n    mend = "whatever"\n    return mend\n'

    assert mannered(prose_of(source)) == ["told"]
