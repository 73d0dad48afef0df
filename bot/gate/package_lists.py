"""The lists of packages that MLflow installs from: which lines install something from elsewhere on the machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping

from bot import untrusted_yaml
from bot.gate.paths import texts_in, why_outside

REQUIREMENTS = "requirements.txt"
ENVIRONMENTS = ("conda.yaml", "python_env.yaml")
UV_LOCK, PROJECT = "uv.lock", "pyproject.toml"
PACKAGES = f"the packages that {REQUIREMENTS}, {', '.join(ENVIRONMENTS)} or {UV_LOCK} names"

OPTION = re.compile(r"--?[A-Za-z][A-Za-z-]*")
OTHER_LIST = re.compile(r"(-r|-c|--requirement|--constraint)[\s=]*(?P<file>\S+)")
MOST_DOTS = 1000  # on one line of TOML; tomllib takes the square of the length of a dotted key
TOML_TEXT = re.compile(
    r'''#[^\n]*+|"""((?:[^"\\]++|\\.|"(?!""))*+)"{3,5}|"((?:[^"\\\n]++|\\[^\n])*+)"'''
    r"""|'''((?:[^']++|'(?!''))*+)'{3,5}|'([^'\n]*+)'""",
    re.DOTALL,
)  # possessive, so that a text that does not end is given up at once
TOML_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


def _of_requirements(path: str, text: str) -> tuple[list[str], list[str]]:
    lines = text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines()
    return _of_packages(path, [line for line in (re.sub(r"(^|\s)#.*", "", one).strip() for one in lines) if line])


def _of_environment(path: str, text: str) -> tuple[list[str], list[str]]:
    described = untrusted_yaml.load(text)
    if not isinstance(described, Mapping):
        return [], []
    named = {key: described.get(key) for key in ("dependencies", "build_dependencies", "channels")}
    packages = [line for where, line in texts_in(named) if not where.startswith("channels")]
    outside, uncovered = _of_packages(path, packages)
    channels = [line for where, line in texts_in(named) if where.startswith("channels")]
    return [*outside, *(found for line in channels if (found := _leading_out(path, line)))], uncovered


def _of_uv_lock(path: str, text: str) -> tuple[list[str], list[str]]:
    """MLflow installs from it with `uv sync`. Each path and each address is a whole text, and no key is one."""
    found = [(value, why) for value in _texts_of_toml(text) if (why := why_outside(value))]
    return [f'{path}: "{value}" is {why}' for value, why in found], [PACKAGES]


def _texts_of_toml(text: str) -> Iterator[str]:
    """Everything between quotes, also quoted keys. Twice the text takes twice the time at most, which is not true of tomllib."""
    for found in TOML_TEXT.finditer(text):
        escaped, plain = found[1] or found[2], found[3] or found[4]
        if escaped:
            yield TOML_ESCAPE.sub(_unescaped, escaped) if "\\" in escaped else escaped
        elif plain:
            yield plain


def _unescaped(found: re.Match[str]) -> str:
    """Raises ValueError for a number that is no letter."""
    number = found[1] or found[2] or found[3]
    return chr(int(number, 16)) if number else found[4]


def _of_project(path: str, text: str) -> tuple[list[str], list[str]]:
    """The `pyproject.toml` beside a `uv.lock`: what it installs, and not what it says of itself."""
    if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
        raise ValueError("a key of very many parts")
    described = tomllib.loads(text)
    project, tools = (_mapping(described.get(key)) for key in ("project", "tool"))
    lists = {key: project.get(key) for key in ("dependencies", "optional-dependencies")}
    named = {**lists, "build": described.get("build-system"), "groups": described.get("dependency-groups")}
    outside, uncovered = _of_packages(path, [line for _, line in texts_in(named)])
    sources = [(value, why) for _, value in texts_in(tools.get("uv")) if (why := why_outside(value))]
    return [*outside, *(f'{path}: "{value}" is {why}' for value, why in sources)], uncovered


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _of_packages(path: str, lines: Iterable[str]) -> tuple[list[str], list[str]]:
    named = list(lines)
    outside = [found for line in named if (found := _leading_out(path, line))]
    return outside, [PACKAGES] if named else []


def _leading_out(path: str, line: str) -> str:
    """Why a line of a list of packages installs something from elsewhere on the machine; empty when it does not."""
    other = OTHER_LIST.match(line)
    if other and other["file"].removeprefix("./") != REQUIREMENTS:
        return f'{path}: "{line}" names another list of packages'
    for word in re.split(r"[\s=@,;\"']+", line):
        bare = re.sub(r"^-[A-Za-z](?=[./~\\$])", "", word)
        why = "a variable of the environment" if bare.startswith(("$", "%")) else why_outside(bare)
        if why and not OPTION.fullmatch(bare):
            return f'{path}: "{line}" names {why}'
    return ""


READERS = {
    REQUIREMENTS: _of_requirements,
    **dict.fromkeys(ENVIRONMENTS, _of_environment),
    UV_LOCK: _of_uv_lock,
    PROJECT: _of_project,
}
