"""Parses DVC's files: `dvc.lock`, `dvc.yaml` and parameter files. Their meaning is in `bot.domain.evidence.dvc_lock`; DVC is not needed.

The files are untrusted. The base loader creates only strings, lists and mappings, and a file whose YAML anchors expand to millions of
entries is refused.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from bot import untrusted_yaml
from bot.domain.evidence.dvc_lock import OF_FILE, Entry, Lock, Stage
from bot.domain.evidence.lineage import KeptLock
from bot.dvc import places as dvc_places
from bot.errors import InvalidDvcFile

MOST_NODES = 50_000
MOST_STAGES = 500  # the graph compares every pair of stages
DEEPEST = 60
LONGEST_PATH = 1024  # characters
NO_PLACES: Mapping[str, dvc_places.Place] = MappingProxyType({})
UNKNOWN = dvc_places.Place(".")


def read_lock(text: str, places: Mapping[str, dvc_places.Place] = NO_PLACES) -> Lock:
    """Paths are relative to the lock's folder if `places` has the stages' directories, see `read_places`. Raises InvalidDvcFile."""
    stages = _mapping(_mapping(_parsed(text)).get("stages"), "has no stages")
    if len(stages) > MOST_STAGES:
        raise InvalidDvcFile(f"has more than {MOST_STAGES} stages")
    return Lock(tuple(_stage(name, _mapping(body), places.get(str(name), UNKNOWN)) for name, body in stages.items()))


def read_kept(kept: KeptLock) -> Lock:
    """A run's lock with the paths of the repository's root. Raises InvalidDvcFile."""
    return read_in_folder(kept).from_root(kept.path)


def read_in_folder(kept: KeptLock) -> Lock:
    """A run's lock with paths relative to its folder. Raises InvalidDvcFile."""
    beside = {dvc_places.DEFAULT_VARS: kept.params}
    return read_lock(kept.text, read_places(kept.pipeline, beside.get) if kept.pipeline else NO_PLACES)


def read_places(dvc_yaml: str, read: Callable[[str], str | None]) -> dict[str, dvc_places.Place]:
    """Of each stage, by its name in dvc.lock. `read` returns the text of a file beside dvc.yaml. Raises InvalidDvcFile."""
    pipeline = _parsed(dvc_yaml)
    texts = {path: read(path) for path in dvc_places.files_of_vars(pipeline)} if "${" in dvc_yaml else {}
    return dvc_places.places(pipeline, {path: _vars(path, text) for path, text in texts.items() if text is not None})


def _vars(path: str, text: str) -> object:
    """Raises InvalidDvcFile."""
    if path.endswith(".toml"):
        return _checked(_toml(text))
    return _checked(_json(text)) if path.endswith(".json") else _parsed(text)


def read_params(text: str) -> dict[str, str]:
    """Every value by its dotted name, unparsed; a list is one value. Raises InvalidDvcFile."""
    return dict(_flat(_parsed(text)))


def read_values(path: str, text: str) -> dict[str, str]:
    """As `read_params`, of a file in JSON, TOML or YAML by the end of its name. Raises InvalidDvcFile."""
    if path.endswith(".toml"):
        return dict(_flat(_checked(_toml(text))))
    if path.endswith(".json"):  # a YAML parser takes no tabs
        return dict(_flat(_checked(_json(text))))
    return read_params(text)


def metric_files(dvc_yaml: str, read: Callable[[str], str | None] = lambda _: None) -> tuple[str, ...]:
    """The metrics files in `dvc.yaml`, of the whole pipeline and of its stages; `read` as for `read_places`. Raises InvalidDvcFile."""
    whole = _mapping(_parsed(dvc_yaml))
    of_stages = (path for place in read_places(dvc_yaml, read).values() for path in place.metrics)
    named = (*dvc_places.named_paths(whole.get("metrics")), *of_stages)
    return tuple(dict.fromkeys(path for path in named if "${" not in path))


def is_import(dvc_file: str) -> bool:
    """Whether a `.dvc` file names where its data was imported from. Raises InvalidDvcFile."""
    return bool(_mapping(_parsed(dvc_file)).get("deps"))


def _parsed(text: str) -> object:
    try:
        found = untrusted_yaml.load(text)
        _count(found)
    except ValueError as error:
        is_large = isinstance(error, untrusted_yaml.LargerThanRead)
        raise InvalidDvcFile(str(error) if is_large else "is not YAML as DVC writes it") from error
    return found


def _checked(found: object) -> object:
    _count(found)
    return found


def _json(text: str) -> object:
    """Numbers stay as they are written, so that their digits can be counted."""
    try:
        return json.loads(_small(text), parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise InvalidDvcFile("is not JSON") from error


def _toml(text: str) -> object:
    try:
        return tomllib.loads(_small(text), parse_float=str)
    except (ValueError, RecursionError) as error:
        raise InvalidDvcFile("is not TOML") from error


def _small(text: str) -> str:
    if len(text) > untrusted_yaml.LARGEST:
        raise InvalidDvcFile(f"is larger than {untrusted_yaml.LARGEST // 1024} KiB")
    return text


def _count(whole: object) -> None:
    """Counts nested values up to the limit, so that a huge document is refused early."""
    waiting, seen = [(whole, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if seen > MOST_NODES or depth > DEEPEST:
            raise InvalidDvcFile(f"has more than {MOST_NODES:,} entries, or is nested deeper than {DEEPEST}")
        below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting += [(one, depth + 1) for one in below]


def _stage(name: object, body: Mapping[str, object], place: dvc_places.Place) -> Stage:
    command, wdir = body.get("cmd", ""), place.wdir
    files = _mapping(body.get("params") or {})
    return Stage(
        name=str(name),
        command=" && ".join(map(str, command)) if isinstance(command, list) else str(command),
        deps=_entries(body.get("deps"), wdir),
        outs=_entries(body.get("outs"), wdir),
        params=_params(files),
        param_files=tuple(dvc_places.from_wdir(wdir, path) for path in files),
        is_frozen=place.is_frozen,
    )


def _params(files: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, named in files.items():
        for key, text in _flat(named):
            found[f"{path}{OF_FILE}{key}" if key in found else key] = text
    return found


def _entries(listed: object, wdir: str) -> tuple[Entry, ...]:
    return tuple(_entry(_mapping(one), wdir) for one in (listed if isinstance(listed, list) else ()))


def _entry(body: Mapping[str, object], wdir: str) -> Entry:
    size = str(body.get("size", ""))
    whole = int(size) if size.isdecimal() and len(size) < 16 else None
    path = dvc_places.from_wdir(wdir, str(body.get("path", "")))
    if len(path) > LONGEST_PATH or "\0" in path:
        raise InvalidDvcFile(f"names a path that no file can have: {path[:40]!r}")
    return Entry(path, str(body.get("md5") or ""), whole, body.get("hash") == "md5")


def _flat(node: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, below in node.items():
            yield from _flat(below, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, _written(node)


def _written(node: object) -> str:
    if isinstance(node, list):
        return f"[{', '.join(map(_written, node))}]"
    return "" if node is None else str(node)


def _mapping(node: object, otherwise: str = "is not YAML as DVC writes it") -> Mapping[str, object]:
    if not isinstance(node, dict):
        raise InvalidDvcFile(otherwise)
    return node
