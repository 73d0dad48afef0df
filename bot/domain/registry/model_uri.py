"""How people name a model version: MLflow's own `models:/NAME/VERSION` and `models:/NAME@ALIAS`. Finding it is the registry's work.

In another workspace than the default one of the default registry, its place follows: `models:/NAME/VERSION in eu/team-a`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import Refused

URI = re.compile(r"models:/(?P<model>[^/:?\x00-\x1f]+)(/(?P<version>[1-9][0-9]{0,8})|@(?P<alias>[^/@:]+))")

COPY = re.compile(
    r"models:/(?P<model>[^/?\x00-\x1f]+)/(?P<version>[0-9]{1,9})"
)  # MLflow leaves out what follows a `?`, tabs and line breaks, so a name with them leads it to another version
IN_PLACE = re.compile(r"(?P<uri>.+) in (?P<workspace>[^\s]+)")  # as a version of another workspace is shown


def source_of(source: str) -> tuple[str, int] | None:
    """Model and number in a copy's source, `models:/NAME/VERSION`; None when it is not a copy."""
    found = COPY.fullmatch(source)
    return (found["model"], int(found["version"])) if found else None


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
