"""Parses DVC's files: `dvc.lock`, `dvc.yaml` and parameter files. Their meaning is in `bot.domain.evidence.dvc_lock`; DVC is not needed.

The files are untrusted. The base loader creates only strings, lists and mappings, and a file whose YAML anchors expand to millions of
entries is refused.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping

from bot import untrusted_yaml
from bot.domain.evidence.dvc_lock import OF_FILE, Entry, Lock, Stage
from bot.errors import InvalidDvcFile

MOST_NODES = 50_000
MOST_STAGES = 500  # the graph compares every pair of stages
DEEPEST = 60


def read_lock(text: str) -> Lock:
    """Raises InvalidDvcFile."""
    stages = _mapping(_mapping(_parsed(text)).get("stages"), "has no stages")
    if len(stages) > MOST_STAGES:
        raise InvalidDvcFile(f"has more than {MOST_STAGES} stages")
    return Lock(tuple(_stage(name, _mapping(body)) for name, body in stages.items()))


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


def metric_files(dvc_yaml: str) -> tuple[str, ...]:
    """The metrics files in `dvc.yaml`, of the whole pipeline and of its stages. Raises InvalidDvcFile."""
    whole = _mapping(_parsed(dvc_yaml))
    named = [*_paths(whole.get("metrics"))]
    for body in _mapping(whole.get("stages") or {}).values():
        named += _paths(body.get("metrics") if isinstance(body, dict) else None)
    return tuple(dict.fromkeys(path for path in named if "${" not in path))


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


def _stage(name: object, body: Mapping[str, object]) -> Stage:
    command = body.get("cmd", "")
    files = _mapping(body.get("params") or {})
    return Stage(
        name=str(name),
        command=" && ".join(map(str, command)) if isinstance(command, list) else str(command),
        deps=_entries(body.get("deps")),
        outs=_entries(body.get("outs")),
        params=_params(files),
    )


def _params(files: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, named in files.items():
        for key, text in _flat(named):
            found[f"{path}{OF_FILE}{key}" if key in found else key] = text
    return found


def _entries(listed: object) -> tuple[Entry, ...]:
    return tuple(_entry(_mapping(one)) for one in (listed if isinstance(listed, list) else ()))


def _entry(body: Mapping[str, object]) -> Entry:
    size = str(body.get("size", ""))
    whole = int(size) if size.isdecimal() and len(size) < 16 else None
    return Entry(str(body.get("path", "")), str(body.get("md5") or ""), whole, body.get("hash") == "md5")


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


def _paths(listed: object) -> Iterator[str]:
    """`- metrics.json`, or `- metrics.json: {cache: false}`."""
    for one in listed if isinstance(listed, list) else ():
        yield from one if isinstance(one, dict) else [str(one)]


def _mapping(node: object, otherwise: str = "is not YAML as DVC writes it") -> Mapping[str, object]:
    if not isinstance(node, dict):
        raise InvalidDvcFile(otherwise)
    return node
