"""How people name a model version: MLflow's own `models:/NAME/VERSION` and `models:/NAME@ALIAS`. Finding it is the registry's work.

In another workspace than the default one of the default registry, its place follows: `models:/NAME/VERSION in eu/team-a`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import Refused

URI = re.compile(r"models:/(?P<model>[^/:]+)(/(?P<version>[1-9][0-9]{0,8})|@(?P<alias>[^/@:]+))")

IN_PLACE = re.compile(r"(?P<uri>.+) in (?P<workspace>[^\s]+)")  # as a version of another workspace is shown


@dataclass(frozen=True)
class ModelUri:
    """Either a version's number, or the alias that holds it, is None."""

    model: str
    version: int | None
    alias: str | None
    workspace: str = DEFAULT

    @classmethod
    def parse(cls, text: str) -> Self:
        found, workspace = URI.fullmatch(text.strip()), DEFAULT
        placed = IN_PLACE.fullmatch(text.strip())
        if placed is not None and (found is None or " " in (found["alias"] or "")):
            found, workspace = URI.fullmatch(placed["uri"]), str(Workspace.parse(placed["workspace"]))
        if found is None:
            raise Refused(
                f'"{text[:200]}" names no model version. Write models:/NAME/VERSION or models:/NAME@ALIAS, '
                "for example models:/bike-demand/7 or models:/bike-demand@candidate."
            )
        number = found["version"]
        return cls(found["model"], int(number) if number else None, found["alias"], workspace)
