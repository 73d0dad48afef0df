"""Combinators that check the shape of a JSON document and collect every mistake with its JSON pointer.

The limits are in `limits`. The sentences are Slack's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ..wire import units

Mistakes = list[str]
Check = Callable[[object, str], Mistakes]


def at(pointer: str, sentence: str) -> Mistakes:
    return [f"{sentence} [json-pointer:{pointer}]"]


def text(maximum: int, minimum: int = 1) -> Check:
    def check(value: object, pointer: str) -> Mistakes:
        if not isinstance(value, str):
            return at(pointer, "must provide a string")
        if units(value) > maximum:
            return at(pointer, f"must be less than {maximum + 1} characters")
        if len(value) < minimum:
            return at(pointer, f"must be more than {minimum - 1} characters")
        return []

    return check


def flag(value: object, pointer: str) -> Mistakes:
    return [] if isinstance(value, bool) else at(pointer, "must be a boolean")


def number(value: object, pointer: str) -> Mistakes:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if is_number else at(pointer, "must be a number")


def integer(value: object, pointer: str) -> Mistakes:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return [] if is_integer else at(pointer, "must provide an integer")


def word(*allowed: str) -> Check:
    def check(value: object, pointer: str) -> Mistakes:
        return [] if value in allowed else at(pointer, f"must be one of: {', '.join(allowed)}")

    return check


def like(pattern: str) -> Check:
    def check(value: object, pointer: str) -> Mistakes:
        is_like = isinstance(value, str) and re.match(pattern, value)
        return [] if is_like else at(pointer, f"input must match regex pattern: {pattern}")

    return check


def web_address(value: object, pointer: str) -> Mistakes:
    mistakes = text(3000)(value, pointer)
    if mistakes or str(value).startswith(("https://", "http://")):
        return mistakes
    return at(pointer, "must be a valid url")


def items(check: Check, maximum: int, minimum: int = 1) -> Check:
    def check_all(value: object, pointer: str) -> Mistakes:
        if not isinstance(value, list):
            return at(pointer, "must provide an array")
        if len(value) > maximum:
            return at(pointer, f"no more than {maximum} items allowed")
        if len(value) < minimum:
            return at(pointer, f"no less than {minimum} items allowed")
        return [mistake for index, item in enumerate(value) for mistake in check(item, f"{pointer}/{index}")]

    return check_all


def nullable(check: Check) -> Check:
    return lambda value, pointer: [] if value is None else check(value, pointer)


@dataclass(frozen=True)
class Shape:
    """An object with these properties and no others. `one_of` names properties of which at least one must be there."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    one_of: Collection[str] = ()

    def __call__(self, value: object, pointer: str) -> Mistakes:
        if not isinstance(value, dict):
            return at(pointer, "must provide an object")
        missing = [f"missing required field: {name}" for name in self.required if name not in value]
        if self.one_of and not any(name in value for name in self.one_of):
            missing.append(f"missing required field: {' or '.join(self.one_of)}")
        mistakes = [mistake for sentence in missing for mistake in at(pointer, sentence)]
        for name, inner in value.items():
            mistakes += self._property(name, inner, pointer)
        return mistakes

    def _property(self, name: str, value: object, pointer: str) -> Mistakes:
        check = self.required.get(name) or self.optional.get(name)
        if check is None:
            return at(pointer, f"invalid additional property: {name}")
        return check(value, f"{pointer}/{name}")


def by_type(shapes: Mapping[str, Shape]) -> Check:
    """An object whose `type` says which of these shapes it must have."""

    def check(value: object, pointer: str) -> Mistakes:
        if not isinstance(value, dict):
            return at(pointer, "must provide an object")
        kind = value.get("type")
        if kind is None:
            return at(pointer, "missing required field: type")
        shape = shapes.get(kind) if isinstance(kind, str) else None
        if shape is None:
            return at(f"{pointer}/type", f"unsupported type: {kind}")
        return shape({name: inner for name, inner in value.items() if name != "type"}, pointer)

    return check
