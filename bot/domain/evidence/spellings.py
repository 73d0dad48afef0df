"""Whether two texts are the same value: MLflow keeps `str()` of what Python held, DVC keeps YAML, and metric files keep fewer digits."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

NO_VALUE = frozenset({"", "~", "null", "none"})
CUT_AT = frozenset({250, 500, 6000})  # characters; where releases of MLflow cut a parameter
WIDEST = 20_000  # characters of a nested parameter that are parsed
SAME = 1e-6  # relative; what a float of 32 bits leaves
FEWEST_DIGITS = 2  # a figure of one digit is compared as it is
PUNCTUATION = "[]{},:"
ROUND = str.maketrans("()", "[]")  # a tuple is a list
WHOLE = re.compile(r"[+-]?[0-9]{1,1000}")
SIGNS = re.compile(r"[\[\]{},:]|[^\[\]{},:]+")


def same_value(run: str, other: str) -> bool:
    """Ignores the spelling of numbers, booleans and missing values, and quotes and spaces in lists. MLflow may have cut `run`."""
    one, two = _signs(run), _signs(other)
    if one == two:
        return True
    return len(run) in CUT_AT and bool(one) and _begins(two, one)


def _begins(whole: list[str | int | float], cut: list[str | int | float]) -> bool:
    """The last sign may have been cut within."""
    last = len(cut) - 1
    return whole[:last] == cut[:last] and len(whole) > last and _text(whole[last]).startswith(_text(cut[last]))


def _text(sign: str | int | float) -> str:
    return sign if isinstance(sign, str) else repr(sign)


def _signs(text: str) -> list[str | int | float]:
    """One value, or the values and brackets of a list or mapping, each in one spelling."""
    stripped = text.strip()
    if not stripped.startswith(("[", "(", "{")):
        return [plain(_unquoted(stripped))]
    bare = stripped.translate(ROUND).replace("'", "").replace('"', "")
    signs = _with_missing([sign for part in SIGNS.findall(bare) if (sign := part.strip())])
    if stripped.startswith("(") and signs[-2:] == ["none", "]"] and bare.rstrip("] ").endswith(","):
        signs[-3:-1] = []  # Python ends a tuple of one with a comma
    return signs


def _with_missing(signs: list[str]) -> list[str | int | float]:
    """YAML leaves a null in a list empty: `[true, ]`."""
    found: list[str | int | float] = []
    for sign, after in zip_longest(signs, signs[1:]):
        found.append(sign if sign in PUNCTUATION else plain(sign))
        if (sign in ",:" and after in {",", "]", "}"}) or (sign == "[" and after == ","):
            found.append("none")
    return found


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def plain(text: str) -> str | int | float:
    """A scalar in one spelling: 5e-2 is 0.05, True is true, .inf is inf, and null, none, ~ and nothing are the same."""
    lower = text.lower()
    if lower in NO_VALUE:
        return "none"
    if lower in ("true", "false"):
        return lower
    if WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(lower.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    return number if math.isfinite(number) else repr(number)


def flattened(params: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A run's parameters; a mapping that was logged as one value (`log_params` of a nested one) as a parameter for each entry."""
    for name, text in params.items():
        nested = _mapping_in(text)
        yield from _entries(name, nested) if nested else [(name, text)]


def _mapping_in(text: str) -> Mapping[object, object]:
    if not text.lstrip().startswith("{") or len(text) > WIDEST:
        return {}
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(name: str, nested: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    waiting = [(name, nested)]
    while waiting:
        above, mapping = waiting.pop()
        for key, below in mapping.items():
            if isinstance(below, dict) and below:
                waiting.append((f"{above}.{key}", below))
            else:
                yield f"{above}.{key}", str(below)


def dotted(name: str) -> str:
    """One spelling of a nested name: `train/loss` and `train__loss` are `train.loss`."""
    return name.replace("/", ".").replace("__", ".")


@dataclass(frozen=True)
class FileFigure:
    """A value in a metrics file, as written there: `name` is dotted, `path` the file's."""

    path: str
    name: str
    text: str


def strange_figures(run: Mapping[str, float], files: Iterable[FileFigure]) -> tuple[str, ...]:
    """One sentence for each metric of the run that a file contradicts: the file has it, and with another figure.

    What only one side has is no contradiction: a count, a duration, or a figure that was not logged. When several files have a metric, one
    that agrees is enough, because train and evaluate may both measure `rmse`.
    """
    held = [(one, figure) for one in files if (figure := number(one.text)) is not None]
    called = _called(run, [one.name for one, _ in held])
    beside: dict[str, list[tuple[FileFigure, float]]] = {}
    for one, figure in held:
        if one.name in called:
            beside.setdefault(called[one.name], []).append((one, figure))
    return tuple(
        f"{one.name}: run {run[name]:.10g} / {one.path} {figure:.10g}"
        for name, found in beside.items()
        if not any(same_figure(run[name], figure, one.text) for one, figure in found)
        for one, figure in found[:1]
    )


def _called(run: Mapping[str, float], names: list[str]) -> dict[str, str]:
    """The run's metric for each name in a file: of the same name, else of its last part if that could mean no other."""
    exact = {_flat_name(name): name for name in run}
    found = {name: name if name in run else exact[_flat_name(name)] for name in names if _flat_name(name) in exact}
    taken = set(found.values())
    rest = {name: name.rpartition(".")[2] for name in names if name not in found}
    ends = list(rest.values())
    distinct = {last for last in ends if len({name for name, other in rest.items() if other == last}) == 1}
    return found | {name: last for name, last in rest.items() if last in distinct and last in run and last not in taken}


def _flat_name(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", name.lower())


def number(text: str) -> float | None:
    """None for a text. A boolean is 1 or 0, as MLflow logs it."""
    value = plain(text.strip())
    if value in ("true", "false"):
        return float(value == "true")
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return float(value) if value in ("nan", "inf", "-inf") else None


def same_figure(run: float, figure: float, text: str) -> bool:
    """Whether they are equal, or one of them is the other rounded to the digits that are written."""
    if math.isnan(run) or math.isnan(figure):
        return math.isnan(run) and math.isnan(figure)
    if math.isclose(run, figure, rel_tol=SAME):
        return True
    return _is_rounded(figure, text, run) or _is_rounded(run, repr(run), figure)


def _is_rounded(rounded: float, text: str, whole: float) -> bool:
    written = re.fullmatch(r"[+-]?([0-9]*)\.([0-9]+)(?:[eE]([+-]?[0-9]{1,3}))?", text.strip())
    if written is None or not math.isfinite(rounded) or not math.isfinite(whole):
        return False
    if len((written[1] + written[2]).lstrip("0")) < FEWEST_DIGITS:
        return False
    unit = 10.0 ** (int(written[3] or 0) - len(written[2]))
    return abs(rounded - whole) <= unit / 2 * (1 + SAME)
