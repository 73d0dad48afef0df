"""MLflow's entities turned into ours. No I/O, and no import of mlflow but for its types.

Tags, aliases and sources are made storable here. A model's name is left as it is: changed, it would be another model's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.domain.model import DEFAULT_WORKSPACE, VersionId
from bot.domain.names import storable
from bot.domain.registry.snapshot import VersionSnapshot
from bot.ports import ModelSummary

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_time(milliseconds: int | None) -> datetime:
    """Exact to the millisecond, as a version's identity needs: a float of seconds would round."""
    return EPOCH + timedelta(milliseconds=milliseconds or 0)


def as_version_seen(found: ModelVersion, workspace: str = DEFAULT_WORKSPACE) -> VersionSnapshot:
    created = as_time(found.creation_timestamp)
    return VersionSnapshot(
        id=VersionId(workspace, found.name, int(found.version), created),
        stage=storable(found.current_stage or "None"),
        tags={storable(name): storable(text) for name, text in found.tags.items()},
        source=storable(found.source or ""),
        run_id=storable(found.run_id) if found.run_id else None,
        updated=max(created, as_time(found.last_updated_timestamp)),
    )


def as_summary(found: RegisteredModel, workspace: str = DEFAULT_WORKSPACE) -> ModelSummary:
    """`latest_versions` holds the newest of each stage, so the newest of all is among them."""
    latest = tuple(as_version_seen(version, workspace) for version in found.latest_versions)
    return ModelSummary(
        workspace=workspace,
        name=found.name,
        created=as_time(found.creation_timestamp),
        aliases={storable(alias): int(version) for alias, version in found.aliases.items()},
        latest=latest,
        newest=max((seen.id.version for seen in latest), default=0),
    )
