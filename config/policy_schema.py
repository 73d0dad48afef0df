"""What `policy.schema.json` holds: JSON Schema for editors, which then complete keys and mark mistakes while one types."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from config.policy.shapes import PolicyShape
from config.policy.values import Shape

KEYWORD = "description"


def schema() -> str:
    whole = PolicyShape.model_json_schema(schema_generator=_EditorSchema)
    parts = {**whole.pop("$defs"), PolicyShape.__name__: whole}
    for shape in _shapes(Shape):
        if shape.__name__ in parts:
            _describe(parts[shape.__name__]["properties"], shape)
    del parts[PolicyShape.__name__]
    described = {"$schema": "http://json-schema.org/draft-07/schema#", "$defs": parts, **whole}
    return json.dumps(described, indent=2) + "\n"


class _EditorSchema(GenerateJsonSchema):
    """No null, because an empty value is a mistake, and no titles that repeat the key."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if not (key == "default" and value is None)}

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 (pydantic's signature)
        return False


def _describe(properties: dict[str, JsonSchemaValue], shape: type[Shape]) -> None:
    """Adds what the source says below each field. pydantic can do that, but would read the sources whenever a policy is read."""
    for line in reversed(shape.__mro__):
        for name, text in _texts_below_fields(line) if issubclass(line, Shape) else ():
            key = shape.model_fields[name].alias or name
            properties[key] = dict(sorted({**properties[key], KEYWORD: text}.items()))


def _texts_below_fields(shape: type[Shape]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(shape))).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, inspect.cleandoc(text.value)


def _shapes(base: type[Shape]) -> Iterator[type[Shape]]:
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)
