"""Paths that leave the folder that they are joined to, on any system; and the texts of what a file was parsed to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from urllib.parse import unquote

from bot.gate.manifests import WRITTEN_BY_CLIENTS

DRIVE = re.compile(r"[A-Za-z]:(/|\S+$)")
HOME = re.compile(r"~[\w.-]*/")
FILE_URL = re.compile(r"([a-z0-9.-]+\+)*(file|local):", re.IGNORECASE)
REMOTE = re.compile(r"([a-z][a-z0-9+.-]+://|(runs|models|prompts|hf|dbfs|mlflow-artifacts):/)", re.IGNORECASE)
SOURCE_NAME = re.compile(r"source_\w+_name")  # of the transformers flavor
MERGED = "<<"  # YAML's key that adds the keys of another mapping
MOST_DECODINGS = 5
LONGEST_KEY = 100  # characters of one, so that long keys above many texts take no memory


def why_outside(text: str) -> str:
    """How this path leaves the folder that it is joined to, or what is approved in it, on any system; empty when it does not."""
    path = _decoded(text)
    if path is None:
        return "encoded many times"
    path = path.replace("\\", "/").strip()
    if "\0" in path:
        return "contains a NUL"
    if path.startswith("/"):
        return "an absolute path"
    if DRIVE.match(path):
        return "a path with a drive"
    if HOME.match(path):
        return "a path in a home directory"
    if FILE_URL.match(path):
        return "the address of a local file"
    if normpath(path).casefold() == WRITTEN_BY_CLIENTS:
        return "a file that MLflow adds to copies, so no digest covers it"
    if ".." in {segment.strip() for segment in path.split("/")} and not REMOTE.match(path):
        return "a path with .."
    return ""


def _decoded(text: str) -> str | None:
    """Without percent encoding; None when it is still encoded after several rounds."""
    for _ in range(MOST_DECODINGS):
        plain = unquote(text)
        if plain == text:
            return text
        text = plain
    return None


def texts_in(value: object, where: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, str]]:
    """Each text with the keys that lead to it. An alias is followed once, so that a small file cannot become endless."""
    seen = set() if seen is None else seen
    if isinstance(value, str):
        yield where, value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)[:LONGEST_KEY]
            inside = f"{where}.{name}" if where else name
            if key == MERGED:
                yield inside, ""
            if not _opens_nothing(str(key), value):
                yield from texts_in(item, inside, seen)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item, where, seen)


def _opens_nothing(key: str, siblings: Mapping[object, object]) -> bool:
    """What MLflow only records: where an artifact was copied from, and the name of a Hugging Face model whose weights were saved."""
    if key == "uri":
        return set(siblings) == {"uri", "path"}
    return SOURCE_NAME.fullmatch(key) is not None and f"{key.removesuffix('_name')}_revision" not in siblings
