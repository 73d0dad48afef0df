"""What a model's own files point to: paths that leave its folder, which are refused, and names that no digest of its files covers.

MLflow joins the paths in `MLmodel` to the model's folder and runs what is there, so a path that leaves the folder runs files that no one
approved. The bot reads the same files when it freezes the evidence, and the gate before the model is loaded.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

MLMODEL = "MLmodel"
REQUIREMENTS = "requirements.txt"
ENVIRONMENTS = ("conda.yaml", "python_env.yaml")
UV_LOCK, PROJECT = "uv.lock", "pyproject.toml"
HUB_CONFIGS = (
    "config.json",
    "tokenizer_config.json",
)  # of Hugging Face; `auto_map` may name code in another repository
LARGEST = 2**20  # bytes; these files have a few kilobytes
PACKAGES = f"the packages that {REQUIREMENTS}, {', '.join(ENVIRONMENTS)} or {UV_LOCK} names"
MOST = 5  # findings kept of each kind
LONGEST = 120  # characters of one
FREE_TEXT = (
    "signature",
    "metadata",
    "artifact_path",
)  # `artifact_path` says where the model was logged and opens nothing

DRIVE = re.compile(r"[A-Za-z]:(/|\S+$)")
HOME = re.compile(r"~[\w.-]*/")
FILE_URL = re.compile(r"([a-z0-9.-]+\+)*(file|local):", re.IGNORECASE)
REMOTE = re.compile(r"([a-z][a-z0-9+.-]+://|(runs|models|prompts|hf|dbfs|mlflow-artifacts):/)", re.IGNORECASE)
ENVIRONMENT = re.compile(r"flavors\.python_function\.env(\.(conda|virtualenv))?")
NONE = ("", "null", "~")  # as YAML writes no value
BY_LAST_NAME = re.compile(
    r"flavors\.[^.]+\.(model_code_path|config|model_config)"
)  # MLflow reads only the file of that name in the folder
SOURCE_NAME = re.compile(r"source_\w+_name")  # of the transformers flavor
OPTION = re.compile(r"--?[A-Za-z][A-Za-z-]*")
OTHER_LIST = re.compile(r"(-r|-c|--requirement|--constraint)[\s=]*(?P<file>\S+)")
MOST_DECODINGS = 5


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
    found = NOTHING
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found = found.plus(references_of(file.relative_to(folder).as_posix(), file))
    return found


def references_of(path: str, file: Path) -> References:
    """Of one file of a model; `path` is its place in the model's folder. Most files refer to nothing. Raises OSError."""
    reader = READERS.get(path.rpartition("/")[2].casefold())
    if reader is None:
        return NOTHING
    if file.stat().st_size > LARGEST:
        return References((f"{path} is larger than {LARGEST // 2**20} MiB, so its paths were not read",))
    try:
        outside, uncovered = reader(path, file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return References((f"{path} cannot be read, so neither can its paths",))
    return NOTHING.plus(References(tuple(map(_cut, outside)), tuple(map(_cut, uncovered))))


def why_outside(text: str) -> str:
    """How this path leaves the folder that it is joined to, on any system; empty when it stays there."""
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


# MLmodel


def _of_mlmodel(path: str, text: str) -> tuple[list[str], list[str]]:
    described = _yaml(text)
    if not isinstance(described, Mapping):
        raise ValueError("no MLmodel")  # noqa: TRY004 - a file is wrong, not a caller
    outside, uncovered = [], []
    for where, value in _texts({key: value for key, value in described.items() if key not in FREE_TEXT}):
        why = why_outside(_last_name(value) if BY_LAST_NAME.fullmatch(where) else value)
        if where.rpartition(".")[2] == "<<":
            outside.append(f"{path}, {where}: merged keys, which hide paths")
        elif why:
            outside.append(f'{path}, {where}: "{value}" is {why}')
        elif ENVIRONMENT.fullmatch(where) and value.rpartition("/")[2] not in (*ENVIRONMENTS, REQUIREMENTS, *NONE):
            outside.append(f'{path}, {where}: "{value}" is no list of packages that Countersign reads')
        elif REMOTE.match(value):
            uncovered.append(f"{value} ({path}, {where})")
    flavors = described.get("flavors")
    for flavor in flavors.values() if isinstance(flavors, Mapping) else ():
        if isinstance(flavor, Mapping):
            uncovered += _beyond(flavor)
    return outside, uncovered


def _beyond(flavor: Mapping[str, object]) -> Iterator[str]:
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


def _texts(value: object, where: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, str]]:
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
            inside = f"{where}.{key}" if where else str(key)
            if key == "<<":
                yield inside, ""
            if not _opens_nothing(str(key), value):
                yield from _texts(item, inside, seen)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, where, seen)


def _opens_nothing(key: str, siblings: Mapping[object, object]) -> bool:
    """What MLflow only records: where an artifact was copied from, and the name of a Hugging Face model whose weights were saved."""
    if key == "uri":
        return set(siblings) == {"uri", "path"}
    return SOURCE_NAME.fullmatch(key) is not None and f"{key.removesuffix('_name')}_revision" not in siblings


def _yaml(text: str) -> object:
    """Texts, lists and mappings, and nothing else. Raises ValueError."""
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # nosec B506
    except yaml.YAMLError as trouble:
        raise ValueError(str(trouble)) from None


# Lists of packages


def _of_requirements(path: str, text: str) -> tuple[list[str], list[str]]:
    lines = text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines()
    return _of_packages(path, [line for line in (re.sub(r"(^|\s)#.*", "", one).strip() for one in lines) if line])


def _of_environment(path: str, text: str) -> tuple[list[str], list[str]]:
    described = _yaml(text)
    if not isinstance(described, Mapping):
        return [], []
    named = {key: described.get(key) for key in ("dependencies", "build_dependencies", "channels")}
    packages = [line for where, line in _texts(named) if not where.startswith("channels")]
    outside, uncovered = _of_packages(path, packages)
    channels = [line for where, line in _texts(named) if where.startswith("channels")]
    return [*outside, *(found for line in channels if (found := _leading_out(path, line)))], uncovered


def _of_uv_lock(path: str, text: str) -> tuple[list[str], list[str]]:
    """MLflow installs from it with `uv sync`. All its paths and addresses are texts of their own."""
    found = [(value, why) for _, value in _texts(tomllib.loads(text)) if (why := why_outside(value))]
    return [f'{path}: "{value}" is {why}' for value, why in found], [PACKAGES]


def _of_project(path: str, text: str) -> tuple[list[str], list[str]]:
    """The `pyproject.toml` beside a `uv.lock`: what it installs, and not what it says of itself."""
    described = tomllib.loads(text)
    project, tools = described.get("project", {}), described.get("tool", {})
    lists = {key: project.get(key) for key in ("dependencies", "optional-dependencies")}
    named = {**lists, "build": described.get("build-system"), "groups": described.get("dependency-groups")}
    outside, uncovered = _of_packages(path, [line for _, line in _texts(named)])
    sources = [(value, why) for _, value in _texts(tools.get("uv")) if (why := why_outside(value))]
    return [*outside, *(f'{path}: "{value}" is {why}' for value, why in sources)], uncovered


def _of_packages(path: str, lines: Iterable[str]) -> tuple[list[str], list[str]]:
    named = list(lines)
    outside = [found for line in named if (found := _leading_out(path, line))]
    return outside, [PACKAGES] if named else []


def _leading_out(path: str, line: str) -> str:
    """Why a line of a list of packages installs something from elsewhere on the machine; empty when it does not."""
    other = OTHER_LIST.match(line)
    if other and (other["file"].rpartition("/")[2] != REQUIREMENTS or REMOTE.match(other["file"])):
        return f'{path}: "{line}" names another list of packages'
    for word in re.split(r"[\s=@,;\"']+", line):
        bare = re.sub(r"^-[A-Za-z](?=[./~\\$])", "", word)
        why = "a variable of the environment" if bare.startswith(("$", "%")) else why_outside(bare)
        if why and not OPTION.fullmatch(bare):
            return f'{path}: "{line}" names {why}'
    return ""


# Hugging Face


def _of_hub_config(path: str, text: str) -> tuple[list[str], list[str]]:
    """`auto_map` names classes to run; one in another repository has its name before `--`."""
    described = json.loads(text)
    classes = described.get("auto_map") if isinstance(described, Mapping) else None
    return [], [f"{one} of the Hugging Face hub ({path})" for _, one in _texts(classes) if "--" in one]


def _cut(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


READERS = {
    MLMODEL.casefold(): _of_mlmodel,
    REQUIREMENTS: _of_requirements,
    **dict.fromkeys(ENVIRONMENTS, _of_environment),
    UV_LOCK: _of_uv_lock,
    PROJECT: _of_project,
    **dict.fromkeys(HUB_CONFIGS, _of_hub_config),
}
