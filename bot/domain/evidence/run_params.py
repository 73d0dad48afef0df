"""How a run's parameters compare with those of a `dvc.lock`: the same value may be written in several ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

SEED_NAMES = ("seed", "random_state", "random_seed")
NOTHING = frozenset({"", "~", "null", "none"})


def differences(run: Mapping[str, str], locked: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """How many are the same, and what differs, one entry each. A run's `learning_rate` stands for the lock's `train.learning_rate`
    when no other locked parameter ends so; what only one of the two knows is left out."""
    ends = Counter(name.rpartition(".")[2] for name in locked)
    full = {name.rpartition(".")[2]: name for name in locked}
    equal, other = 0, []
    for name in sorted(run):
        known = name if name in locked else full[name] if ends[name] == 1 else None
        if known is None:
            continue
        if _plain(run[name]) == _plain(locked[known]):
            equal += 1
        else:
            other.append(f"{known}: run {run[name][:40]} / lock {locked[known][:40]}")
    return equal, tuple(other)


def is_seed(name: str) -> bool:
    last = name.rpartition(".")[2].rpartition("__")[2].lower()
    return last in SEED_NAMES


def same_value(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(text: str) -> str | float:
    """A number as a number, whatever its digits; nothing as nothing; a list without what it is quoted with."""
    stripped = text.strip()
    if stripped.lower() in NOTHING:
        return "none"
    if stripped.lower() in ("true", "false"):
        return stripped.lower()
    try:
        return float(stripped)
    except ValueError:
        is_list = stripped.startswith("[")
        return stripped.replace("'", "").replace('"', "").replace(" ", "") if is_list else stripped
