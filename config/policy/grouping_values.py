"""From how many cards on they share one: a number, or `never`."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

GROUP_LIMIT = 1_000
NEVER = "never"
SHOWN = 40  # characters of a wrong value that the sentence repeats


def _number_or_never(value: object, _read: ValidatorFunctionWrapHandler) -> int | str:
    """One sentence for both ways, where a union would say two."""
    if value == NEVER:
        return NEVER
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= GROUP_LIMIT:
        return value
    given = json.dumps(value, default=str)[:SHOWN]
    raise ValueError(f"must be a whole number from 1 to {GROUP_LIMIT:,}, or never, not {given}")


GroupAbove = Annotated[
    Annotated[int, Field(ge=1, le=GROUP_LIMIT)] | Literal["never"],
    WrapValidator(_number_or_never),
]
