"""What a model's own files point to: paths that leave its folder, which are refused, and names that no digest of its files covers.

MLflow joins the paths in `MLmodel` to the model's folder and runs what is there, so a path that leaves the folder runs files that no one
approved. The bot reads the same files when it freezes the evidence, and the gate before the model is loaded. The files are untrusted:
what is read of each is limited, and no time grows faster than its size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot import untrusted_yaml
from bot.gate import package_lists
from bot.gate.package_lists import ENVIRONMENTS, PROJECT, REQUIREMENTS, UV_LOCK
from bot.gate.paths import MERGED, REMOTE, SOURCE_NAME, texts_in, why_outside

MLMODEL = "MLmodel"
HUB_CONFIGS = ("config.json", "tokenizer_config.json")  # `auto_map` may name code in another repository
OFTEN_LARGE = (UV_LOCK, *HUB_CONFIGS)  # a lock of many packages, a model with many labels
LARGEST = 2**20  # bytes; most have a few kilobytes
LARGEST_LOCK = 8 * 2**20
LARGEST_OF = {UV_LOCK: LARGEST_LOCK, **dict.fromkeys((MLMODEL.casefold(), *ENVIRONMENTS), untrusted_yaml.LARGEST)}
MOST = 5  # findings kept of each kind
LONGEST = 120  # characters of one
FREE_TEXT = (
    "signature",
    "metadata",
    "artifact_path",
)  # `artifact_path` says where the model was logged and opens nothing

PYFUNC, ENV, ENV_KEYS = "python_function", "env", ("conda", "virtualenv")
SETTINGS = ("config", "model_config")  # what the model's own code is configured with: texts of any kind
NONE = ("", "null", "~")  # as YAML writes no value
BY_LAST_NAME = re.compile(
    r"flavors\.[^.]+\.(model_code_path|config|model_config)"
)  # MLflow reads only the file of that name in the folder


@dataclass(frozen=True)
class References:
    """`outside`: each path that leaves the model's folder, and where it was found. `uncovered`: what the digest does not cover."""

    outside: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()

    def plus(self, other: References) -> References:
        return References(
            tuple(dict.fromkeys((*self.outside, *other.outside)))[:MOST],
            tuple(dict.fromkeys((*self.uncovered, *other.uncovered)))[:MOST],
        )


NOTHING = References()


def references_in(folder: Path) -> References:
    """Of all files in a model's folder. Raises OSError."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    found = NOTHING
    for path in sorted(read_when_loaded(files)):
        found = found.plus(references_of(path, files[path]))
    return found


def read_when_loaded(paths: Iterable[str]) -> frozenset[str]:
    """Those of a model's files that refer to something: each MLmodel, the lists of packages beside one, and configurations for the hub.

    MLflow installs from no other list. A `requirements.txt` among the model's data or code is only a file, and so is a `pyproject.toml`
    without a `uv.lock`.
    """
    places = {path: _place(path) for path in paths}
    there = frozenset(places.values())
    return frozenset(path for path, place in places.items() if _is_read(*place, there))


def references_of(path: str, file: Path) -> References:
    """Of one of the files in `read_when_loaded`; `path` is its place in the model's folder. Raises OSError."""
    name = _place(path)[1]
    limit = LARGEST_OF.get(name, LARGEST)
    if file.stat().st_size > limit:
        return _unread(path, f"is larger than {limit // 1024} KiB", is_refused=name not in OFTEN_LARGE)
    try:
        outside, uncovered = READERS[name](path, file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return _unread(path, "cannot be read", is_refused=name not in HUB_CONFIGS)
    return NOTHING.plus(References(tuple(map(_cut, outside)), tuple(map(_cut, uncovered))))


def _place(path: str) -> tuple[str, str]:
    """Folder and name, as a file system that ignores case compares them."""
    folder, _, name = path.casefold().rpartition("/")
    return folder, name


def _is_read(folder: str, name: str, there: frozenset[tuple[str, str]]) -> bool:
    if name == PROJECT and (folder, UV_LOCK) not in there:
        return False
    return name in READERS and (name not in package_lists.READERS or (folder, MLMODEL.casefold()) in there)


def _unread(path: str, why: str, *, is_refused: bool) -> References:
    """What only names packages or code of the hub is not covered in any case, so it is no reason to refuse the model."""
    if is_refused:
        return References(outside=(_cut(f"{path} {why}, so its paths were not read"),))
    return References(uncovered=(_cut(f"what {path} names: it {why}"),))


# MLmodel


def _of_mlmodel(path: str, text: str) -> tuple[list[str], list[str]]:
    described = untrusted_yaml.load(text)
    if not isinstance(described, Mapping):
        raise ValueError("no MLmodel")  # noqa: TRY004 - a file is wrong, not a caller
    flavors = _flavors_of(described)
    outside, uncovered = _environments(path, described), []
    for where, value in texts_in(_without_free_text(described, flavors)):
        why = why_outside(_last_name(value) if BY_LAST_NAME.fullmatch(where) else value)
        if where.rpartition(".")[2] == MERGED:
            outside.append(f"{path}, {where}: merged keys, which hide paths")
        elif why:
            outside.append(f'{path}, {where}: "{value}" is {why}')
        elif REMOTE.match(value):
            uncovered.append(f"{value} ({path}, {where})")
    seen: set[int] = set()
    for name, flavor in flavors.items():
        uncovered += [*_beyond(flavor), *_named_in_settings(path, name, flavor, seen)]
    return outside, uncovered


def _flavors_of(described: Mapping[object, object]) -> Mapping[str, Mapping[object, object]]:
    """By name; of several names for one flavor, which aliases make, only the first, so that a small file cannot become endless."""
    flavors = described.get("flavors")
    seen: set[int] = set()
    found: dict[str, Mapping[object, object]] = {}
    for name, flavor in flavors.items() if isinstance(flavors, Mapping) else ():
        if isinstance(flavor, Mapping) and name != MERGED and id(flavor) not in seen:
            seen.add(id(flavor))
            found[str(name)] = flavor
    return found


def _without_free_text(
    described: Mapping[object, object], flavors: Mapping[str, Mapping[object, object]]
) -> Mapping[object, object]:
    """Without what opens nothing by itself: `FREE_TEXT`, and each flavor's settings, unless those are the name of a file."""
    rest = {key: value for key, value in described.items() if key not in FREE_TEXT}
    listed = rest.get("flavors")
    if isinstance(listed, Mapping):
        odd = {name: value for name, value in listed.items() if name == MERGED or not isinstance(value, Mapping)}
        rest["flavors"] = {**odd, **{name: dict(_without_settings(flavor)) for name, flavor in flavors.items()}}
    return rest


def _without_settings(flavor: Mapping[object, object]) -> Iterator[tuple[object, object]]:
    return ((key, value) for key, value in flavor.items() if key not in SETTINGS or isinstance(value, str))


def _environments(path: str, described: Mapping[object, object]) -> list[str]:
    """MLflow installs from the lists that `env` names, so they have to be those beside the MLmodel, which are read."""
    flavors = described.get("flavors")
    pyfunc = flavors.get(PYFUNC) if isinstance(flavors, Mapping) else None
    env = pyfunc.get(ENV) if isinstance(pyfunc, Mapping) else None
    named = {f".{one}": env.get(one) for one in ENV_KEYS} if isinstance(env, Mapping) else {"": env}
    return [
        f'{path}, flavors.{PYFUNC}.{ENV}{key}: "{value}" is no list of packages that Countersign reads'
        for key, value in named.items()
        if isinstance(value, str)
        and not why_outside(value)
        and value.removeprefix("./") not in (*ENVIRONMENTS, REQUIREMENTS, *NONE)
    ]


def _named_in_settings(path: str, name: str, flavor: Mapping[object, object], seen: set[int]) -> Iterator[str]:
    """A route of an API, a prompt, or a path that the model's own code opens: only that code knows which."""
    for key in SETTINGS:
        value = flavor.get(key)
        if not isinstance(value, str):
            for where, text in texts_in(value, f"flavors.{name}.{key}", seen):
                if why_outside(text) or REMOTE.match(text):
                    yield f"{text} ({path}, {where})"


def _beyond(flavor: Mapping[object, object]) -> Iterator[str]:
    """What a flavor takes from a hub or from the installed packages when it is loaded."""
    for key, name in flavor.items():
        revision = flavor.get(str(key).removesuffix("_name") + "_revision")
        if SOURCE_NAME.fullmatch(str(key)) and revision:
            yield f'"{name}" of the Hugging Face hub, revision {revision}'
    loader = str(flavor.get("loader_module") or "")
    if loader and loader.partition(".")[0] != "mlflow":
        where = f'unless "{flavor["code"]}" contains it' if flavor.get("code") else "which is not among the files"
        yield f'the loader "{loader}", {where}'


def _last_name(path: str) -> str:
    """As `os.path.basename`. MLflow keeps the path on the trainer's machine, and joins only this to the folder."""
    return path.rpartition("/")[2]


# Hugging Face


def _of_hub_config(path: str, text: str) -> tuple[list[str], list[str]]:
    """`auto_map` names classes to run; one in another repository has its name before `--`."""
    described = json.loads(text)
    classes = described.get("auto_map") if isinstance(described, Mapping) else None
    return [], [f"{one} of the Hugging Face hub ({path})" for _, one in texts_in(classes) if "--" in one]


def _cut(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST])
    return plain if len(text) <= LONGEST else f"{plain[: LONGEST - 1]}…"


READERS = {MLMODEL.casefold(): _of_mlmodel, **package_lists.READERS, **dict.fromkeys(HUB_CONFIGS, _of_hub_config)}
