"""A registered model and its versions, as the registry shows them at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.model import Target, TargetKind, VersionId


@dataclass(frozen=True)
class VersionSnapshot:
    """A model version as the registry shows it now."""

    id: VersionId
    stage: str
    tags: Mapping[str, str]
    source: str
    run_id: str | None
    updated: datetime

    @property
    def is_copy(self) -> bool:
        """Copied from another registered model: MLflow's source is then `models:/name/version`, not `models:/m-…`."""
        return self.source.startswith("models:/") and "/" in self.source.removeprefix("models:/")


@dataclass(frozen=True)
class VersionPage:
    """Of a listing of versions. `mark` names it, so that a listing can begin with it another time."""

    mark: str
    versions: Iterable[VersionSnapshot]


@dataclass(frozen=True)
class ModelSnapshot:
    """A registered model as the registry shows it now, with all its versions, newest first. `unread`: why some are missing."""

    workspace: str
    name: str
    created: datetime
    aliases: Mapping[str, int]
    versions: tuple[VersionSnapshot, ...]
    unread: str = ""

    def version(self, number: int) -> VersionSnapshot | None:
        return next((seen for seen in self.versions if seen.id.version == number), None)

    def holders(self, target: Target) -> tuple[VersionId, ...]:
        """Who holds an alias (at most one), a stage, or, when this is the target model, any of its versions; newest first."""
        if target.kind is TargetKind.ALIAS:
            seen = self.version(self.aliases[target.name]) if target.name in self.aliases else None
            return (seen.id,) if seen else ()
        if target.kind is TargetKind.STAGE:
            return tuple(seen.id for seen in self.versions if seen.stage == target.name)
        return tuple(seen.id for seen in self.versions) if target.name == self.name else ()
