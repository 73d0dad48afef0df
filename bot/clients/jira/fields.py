"""The fields of Jira's screens, and the values that a policy gives them. Pure.

A policy names a field as people see it, or by its id, and writes a value as people would: `Low`, `[ML]`, `3`. What Jira wants depends on
the field's type, which its metadata says. A value that is a mapping already is sent as it is.
https://developer.atlassian.com/server/jira/platform/jira-rest-api-examples/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.clients.jira.calls import JsonObject, object_in, objects_in
from bot.clients.jira.documents import text_as_adf
from bot.domain.references import TicketField
from bot.errors import Permanent

OF_THE_BOT = frozenset({"project", "issuetype", "summary", "description"})
LONG_TEXTS = ("environment",)
BY_NAME = frozenset({"component", "version", "priority", "resolution", "group", "securitylevel"})


@dataclass(frozen=True)
class Choice:
    """A value that a field allows."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} (id {self.id})" if self.id else self.name


@dataclass(frozen=True)
class ScreenField:
    """A field on a screen; `allowed` is empty when Jira lists no values. `long` is for text of several lines."""

    id: str
    name: str = ""
    allowed: tuple[Choice, ...] = ()
    required: bool = True
    type: str = "string"
    items: str = ""
    long: bool = False

    def __str__(self) -> str:
        shown = f'"{self.name}" ({self.id})' if self.name and not same(self.name, self.id) else self.id
        return f"{shown}: {', '.join(map(str, self.allowed)) or 'any ' + (self.items or self.type)}"


def same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def screen_field(id_: str, shown: JsonObject) -> ScreenField:
    """A field with a default is not required."""
    schema = object_in(shown, "schema")
    allowed = tuple(
        Choice(str(value.get("id") or ""), str(value.get("name") or value.get("value") or value.get("key") or ""))
        for value in objects_in(shown, "allowedValues")
    )
    return ScreenField(
        id_,
        str(shown.get("name") or ""),
        allowed,
        required=shown.get("required") is True and shown.get("hasDefaultValue") is not True,
        type=str(schema.get("type") or "any"),
        items=str(schema.get("items") or ""),
        long=str(schema.get("custom") or "").endswith(":textarea") or schema.get("system") in LONG_TEXTS,
    )


def fields_on(
    screen: Sequence[ScreenField], given: Sequence[TicketField], where: str, *, cloud: bool
) -> dict[str, object]:
    """What to send, by the fields' ids, for those of `given` that are on the screen. Raises Permanent for a value that does not fit."""
    found = ((field_called(field.name, screen, where), field) for field in given)
    return {on.id: _as_jira(on, json.loads(field.value), where, cloud=cloud) for on, field in found if on is not None}


def field_called(name: str, screen: Sequence[ScreenField], where: str) -> ScreenField | None:
    """By id, else by name. Raises Permanent when two have the name."""
    by_id = next((field for field in screen if same(field.id, name)), None)
    named = [field for field in screen if same(field.name, name)]
    if by_id is None and len(named) > 1:
        raise Permanent(
            f'{where} has {len(named)} fields called "{name}": {", ".join(field.id for field in named)}. Write the id of one in the '
            "policy's ticket section. Then replay the job."
        )
    return by_id or next(iter(named), None)


def choice(field: ScreenField, wanted: str) -> Choice | None:
    """By id, else by name."""
    by_id = (value for value in field.allowed if value.id and value.id == wanted.strip())
    return next(by_id, None) or next((value for value in field.allowed if same(value.name, wanted)), None)


def _as_jira(field: ScreenField, value: object, where: str, *, cloud: bool) -> object:
    if field.id in OF_THE_BOT:
        raise Permanent(
            f'"{field.name or field.id}" of {where} is what the bot writes itself. Remove it from the policy\'s ticket section.'
        )
    if isinstance(value, Mapping):
        return value
    if field.type == "array":
        entries = value if isinstance(value, list) else [value]
        return [_one(field, field.items, entry, where, cloud=cloud) for entry in entries]
    if isinstance(value, list):
        raise Permanent(_unfit(field, value, where))
    return _one(field, field.type, value, where, cloud=cloud)


def _one(field: ScreenField, type_: str, value: object, where: str, *, cloud: bool) -> object:
    if isinstance(value, Mapping):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    if field.allowed and type_ != "string":
        found = choice(field, text)
        if found is None:
            raise Permanent(_unfit(field, value, where))
        return {"id": found.id} if found.id else {"name": found.name}
    return _by_type(field, type_, text, where, cloud=cloud)


def _by_type(field: ScreenField, type_: str, text: str, where: str, *, cloud: bool) -> object:
    if type_ == "number":
        try:
            return float(text)
        except ValueError:
            raise Permanent(_unfit(field, text, where)) from None
    if type_ == "option":
        return {"value": text}
    if type_ == "user":
        return {"accountId" if cloud else "name": text}
    if type_ in ("issuelink", "project"):
        return {"key": text}
    if type_ in BY_NAME:
        return {"name": text}
    return text_as_adf(text) if field.long and cloud else text


def _unfit(field: ScreenField, value: object, where: str) -> str:
    return (
        f"{where} does not take {json.dumps(value, ensure_ascii=False)} for {field}. Correct `fields` in the policy's ticket section. "
        "Then replay the job."
    )
