"""Where the stages of a dvc.yaml work, and their metric files, as DVC resolves `wdir`, `vars`, `foreach` and `matrix`. DVC is not needed.

The paths in dvc.lock are relative to a stage's `wdir`, and dvc.lock does not name it. The files are untrusted, and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from posixpath import join, normpath

from bot.errors import InvalidDvcFile

DEFAULT_VARS = "params.yaml"  # DVC reads it without being asked
TEMPLATE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
STEP = re.compile(r"[^.\[\]]+")
MOST_COMBINATIONS = 2000


@dataclass(frozen=True)
class Place:
    """`wdir` is relative to the folder of dvc.yaml; so are the stage's `metrics`."""

    wdir: str
    metrics: tuple[str, ...] = ()
    is_frozen: bool = False


def places(pipeline: object, files: Mapping[str, object]) -> dict[str, Place]:
    """By the stage's name in dvc.lock. `files` are the parsed files that `vars` may name. Raises InvalidDvcFile."""
    whole = _mapping(pipeline)
    context = _with_vars(_mapping(files.get(DEFAULT_VARS)), whole.get("vars"), files)
    found = {}
    for name, definition in _mapping(whole.get("stages")).items():
        for key, body, inner in _stages(str(name), _mapping(definition), context):
            found[key] = _place(key, body, _with_vars(inner, body.get("vars"), files))
    return found


def _stages(
    name: str, definition: Mapping[str, object], context: Mapping[str, object]
) -> Iterator[tuple[str, Mapping[str, object], Mapping[str, object]]]:
    """One for each stage that DVC generates: its name, its body, and the values that its templates may use."""
    if "foreach" in definition:
        body = _mapping(definition.get("do"))
        for key, item in _items(resolved(definition["foreach"], context)):
            yield f"{name}@{key}", body, {**context, "key": key, "item": item}
    elif "matrix" in definition:
        axes = {axis: resolved(values, context) for axis, values in _mapping(definition["matrix"]).items()}
        listed = {axis: values if isinstance(values, list) else [] for axis, values in axes.items()}
        for chosen in islice(product(*(enumerate(values) for values in listed.values())), MOST_COMBINATIONS):
            item = {axis: value for axis, (_, value) in zip(listed, chosen, strict=True)}
            names = (
                f"{axis}{at}" if isinstance(value, dict | list) else str(value)
                for axis, (at, value) in zip(listed, chosen, strict=True)
            )
            key = "-".join(names)
            yield f"{name}@{key}", definition, {**context, "key": key, "item": item}
    else:
        yield name, definition, context


def _items(values: object) -> Iterator[tuple[str, object]]:
    if isinstance(values, dict):
        yield from ((str(key), value) for key, value in values.items())
    elif isinstance(values, list):
        by_number = any(isinstance(value, dict | list) for value in values)
        yield from ((str(at) if by_number else str(value), value) for at, value in enumerate(values))


def _place(name: str, body: Mapping[str, object], context: Mapping[str, object]) -> Place:
    wdir = str(resolved(body.get("wdir") or ".", context))
    if "${" in wdir:
        raise InvalidDvcFile(
            f"cannot be read, because the wdir {wdir[:80]} of stage {name[:80]} names a value that is not known"
        )
    paths = (str(resolved(path, context)) for path in named_paths(body.get("metrics")))
    is_frozen = str(body.get("frozen", "")).lower() == "true"
    return Place(normpath(wdir), tuple(from_wdir(wdir, path) for path in paths), is_frozen)


def from_wdir(wdir: str, path: str) -> str:
    """Relative to the folder of dvc.yaml. An address or an absolute path stays as it is."""
    return path if "://" in path or path.startswith("/") or wdir == "." else normpath(join(wdir, path))


def named_paths(listed: object) -> Iterator[str]:
    """`- metrics.json`, or `- metrics.json: {cache: false}`."""
    for one in listed if isinstance(listed, list) else ():
        yield from map(str, one) if isinstance(one, dict) else [str(one)]


def resolved(node: object, context: Mapping[str, object]) -> object:
    """With the values of its templates; what no value is known for stays as it is."""
    if isinstance(node, dict):
        return {key: resolved(below, context) for key, below in node.items()}
    if isinstance(node, list):
        return [resolved(below, context) for below in node]
    text = str(node)
    alone = TEMPLATE.fullmatch(text)
    if alone:
        found = _value(alone[1], context)
        return text if found is None else found
    return TEMPLATE.sub(lambda one: _as_text(_value(one[1], context), one[0]), text)


def _as_text(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _value(path: str, context: Mapping[str, object]) -> object:
    node: object = context
    for step in STEP.findall(path):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isdecimal() and len(step) < 6 and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def _with_vars(context: Mapping[str, object], listed: object, files: Mapping[str, object]) -> Mapping[str, object]:
    """`- file.yaml`, `- file.yaml:key,key`, or `- key: value`."""
    found = dict(context)
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            found |= {str(key): value for key, value in one.items()}
            continue
        path, _, keys = str(one).partition(":")
        named = _mapping(files.get(path))
        found |= {key: named[key] for key in keys.split(",") if key in named} if keys else named
    return found


def files_of_vars(pipeline: object) -> tuple[str, ...]:
    """The files that `vars` of the whole dvc.yaml and of its stages name, and DVC's default."""
    whole = _mapping(pipeline)
    bodies = [_mapping(body) for body in _mapping(whole.get("stages")).values()]
    listed = [whole.get("vars"), *(body.get("vars") or _mapping(body.get("do")).get("vars") for body in bodies)]
    named = [
        str(one).partition(":")[0]
        for several in listed
        if isinstance(several, list)
        for one in several
        if isinstance(one, str)
    ]
    return tuple(dict.fromkeys([DEFAULT_VARS, *named]))


def _mapping(node: object) -> Mapping[str, object]:
    return node if isinstance(node, dict) else {}
