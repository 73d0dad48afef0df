"""How people name a model version: MLflow's own `models:/NAME/VERSION` and `models:/NAME@ALIAS`. Finding it is the registry's work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from bot.errors import Refused

URI = re.compile(r"models:/(?P<model>[^/:]+)(/(?P<version>[1-9][0-9]{0,8})|@(?P<alias>[^/@:]+))")


@dataclass(frozen=True)
class ModelUri:
    """Either a version's number, or the alias that holds it, is None."""

    model: str
    version: int | None
    alias: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        found = URI.fullmatch(text.strip())
        if found is None:
            raise Refused(
                f'"{text[:200]}" names no model version. Write models:/NAME/VERSION or models:/NAME@ALIAS, '
                "for example models:/bike-demand/7 or models:/bike-demand@candidate."
            )
        number = found["version"]
        return cls(found["model"], int(number) if number else None, found["alias"])
