"""Is this still the registry that we know? An emptied database, another server or an old backup looks as if people had deleted everything.

From what was known and what is there now comes the sentence that says why the registry is not believed. Why the bounds are what they
are is in docs/decisions/0004-a-registry-that-shrinks.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.names import shown

FEW = 3  # so many registered models must be lost at once before the same registry is doubted
FEW_OF_UNKNOWN = 2  # and so many when the registry does not say which one it is
NAMES_TOLD = 5


@dataclass(frozen=True)
class ModelMark:
    """A registered model in short; `newest` is its highest version number, 0 when there is none."""

    name: str
    created: datetime
    newest: int


@dataclass(frozen=True)
class Holdings:
    """What a registry holds. `identity` is unique to it; None when it does not give one, or was never asked."""

    identity: str | None
    models: tuple[ModelMark, ...]


def lost_models(before: Holdings, now: Holdings) -> tuple[str, ...]:
    """The names of those that are missing, were created again, or hold fewer versions. One that was renamed is not lost.

    Names may have been exchanged, so a model that is not under its own name may be under any name that is not held as before.
    """
    there = {(model.name, model.created): model for model in now.models}
    known = {(model.name, model.created) for model in before.models}
    renamed = {mark[1]: model for mark, model in there.items() if mark not in known}
    lost = []
    for model in before.models:
        found = there.get((model.name, model.created)) or renamed.get(model.created)
        if found is None or found.newest < model.newest:
            lost.append(model.name)
    return tuple(lost)


def doubt(before: Holdings, now: Holdings) -> str:
    """Why the registry is not believed; empty when it is. A person who deletes a few models is believed."""
    lost = lost_models(before, now)
    if not lost:
        return ""
    said = _what_is_lost(lost, len(before.models))
    if None not in (before.identity, now.identity) and before.identity != now.identity:
        return f"It is another registry than before ({now.identity}, where {before.identity} was known). {said}"
    few = FEW if before.identity is not None and now.identity is not None else FEW_OF_UNKNOWN
    return said if len(lost) >= few and 2 * len(lost) > len(before.models) else ""


def _what_is_lost(lost: Iterable[str], known: int) -> str:
    names = sorted(shown(name) for name in lost)
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    told = f"{', '.join(names[:NAMES_TOLD])}{more}"
    return f"{len(names)} of {known} registered models are missing, were created again, or hold fewer versions: {told}."
