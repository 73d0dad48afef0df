"""Reads JSON from the database as our dataclasses.

pydantic builds what it reads with at the first use: for a large dataclass that takes 10 ms and more.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


class JsonReader(Generic[T]):
    """The methods are those of pydantic's TypeAdapter; they raise pydantic.ValidationError."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter

        return TypeAdapter(self._kind)

    def validate_json(self, text: str | bytes) -> T:
        return self._adapter.validate_json(text)

    def validate_python(self, value: object) -> T:
        return self._adapter.validate_python(value)

    def dump_json(self, value: T) -> bytes:
        return self._adapter.dump_json(value)
