"""Parses how people name the version to ship: `models:/NAME@ALIAS`, `models:/NAME/Stage` or `models:/NAME/VERSION`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bot.domain.model import Target, TargetKind
from bot.errors import Refused

# Without what MLflow's client, which reads it as an address, leaves out of a name: a query, tabs and line breaks.
URI = re.compile(
    r"models:/(?P<model>[^/:@?\x00-\x1f]+)(/(?P<version>[1-9][0-9]{0,8})|/(?P<stage>[A-Za-z]+)|@(?P<alias>[^/@:]+))"
)
STAGES = {
    stage.lower(): stage for stage in ("Staging", "Production", "Archived")
}  # MLflow's stages without "None", to which nothing ships


@dataclass(frozen=True)
class Wanted:
    """Exactly one of version, alias and stage is set."""

    model: str
    version: int | None = None
    alias: str | None = None
    stage: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Refused."""
        found = URI.fullmatch(text.strip())
        stage = STAGES.get((found["stage"] or "").lower()) if found else None
        if found is None or (found["stage"] and stage is None):
            raise Refused(
                f'"{text[:200]}" names no model version. Write models:/NAME@ALIAS, models:/NAME/Production or models:/NAME/VERSION, '
                "for example models:/bike-demand@champion."
            )
        return cls(found["model"], int(found["version"]) if found["version"] else None, found["alias"], stage)

    def target(self, said: str | None) -> Target:
        """The target that needs the approval: the given one, else the alias or stage itself. Raises Refused."""
        if said is not None:
            return Target.parse(said)
        if self.alias is not None:
            return Target(TargetKind.ALIAS, self.alias)
        if self.stage is not None:
            return Target(TargetKind.STAGE, self.stage)
        raise Refused(
            f"models:/{self.model}/{self.version} does not say where it is to ship. Add --target, for example --target alias:champion."
        )

    def __str__(self) -> str:
        return (
            f"models:/{self.model}@{self.alias}" if self.alias else f"models:/{self.model}/{self.version or self.stage}"
        )
