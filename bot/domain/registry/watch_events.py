"""What happened to a place, beside the moves in `bot.domain.events`: its watch began, or a version left it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.events import RegistryEvent
from bot.domain.model import Target, VersionId


@dataclass(frozen=True)
class HolderLeft(RegistryEvent):
    """A version left a stage or a target model by hand while others hold it still; `stays` is the newest of them."""

    target: Target
    model: str
    version: VersionId
    stays: VersionId


@dataclass(frozen=True)
class WatchBegun(RegistryEvent):
    """From now on these versions hold the target as baseline: they were there when a rule began to cover it."""

    target: Target
    model: str
    handling: str
    holders: tuple[VersionId, ...]
