"""Aliases and tags that look like those that a rule waits for, and are others to MLflow: `Candidate` for `candidate`. Pure.

Nothing moves by them. They are reported, because whoever set one believes to have asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.model import AskKind
from bot.domain.policy.rules import Policy
from bot.domain.registry.snapshot import VersionSnapshot

SAME_SHAPE = str.maketrans(
    "аеорсхуіјѕһԁԛԝьвкмнтαβεηικμνορτυχγο",  # Cyrillic, then Greek
    "aeopcxyijshdqwbbkmhtabenikuvoptuxyo",
)
"""Letters of other scripts that look like Latin ones, in lower case: https://www.unicode.org/reports/tr39/#Confusable_Detection"""

WAITED_FOR = (AskKind.ALIAS, AskKind.STAGE, AskKind.TAG)


@dataclass(frozen=True, order=True)
class Lookalike:
    """`name` is there, and `meant` is the alias, stage or tag (`kind`) that a rule waits for. `version` has it."""

    kind: AskKind
    name: str
    meant: str
    version: int


def lookalikes(
    workspace: str, model: str, aliases: Mapping[str, int], versions: Iterable[VersionSnapshot], policy: Policy
) -> tuple[Lookalike, ...]:
    """Of one registered model; a name that some rule for it uses itself is none."""
    rules = policy.rules_for(workspace, model)
    waiting = {(ask.kind, ask.name) for rule in rules for ask in rule.ask_on if ask.kind in WAITED_FOR}
    used = {name for _, name in waiting} | {rule.target_for(model).name for rule in rules}
    there = {(AskKind.ALIAS, alias): number for alias, number in aliases.items()}
    for version in versions:
        number = version.id.version
        there |= {(AskKind.TAG, tag): max(number, there.get((AskKind.TAG, tag), 0)) for tag in version.tags}
        there[(AskKind.STAGE, version.stage)] = max(number, there.get((AskKind.STAGE, version.stage), 0))
    return tuple(
        sorted(
            Lookalike(kind, name, meant, number)
            for (kind, name), number in there.items()
            for wanted, meant in waiting
            if kind is wanted and name not in used and looks_like(name, meant)
        )
    )


def looks_like(name: str, meant: str) -> bool:
    """Whether they differ only in case, width, accents' composition, invisible letters, separators or letters of another script."""
    return name != meant and _shape(name) == _shape(meant)


def _shape(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(SAME_SHAPE)
    return "".join(letter for letter in folded if letter.isprintable() and not letter.isspace() and letter not in "-_.")
