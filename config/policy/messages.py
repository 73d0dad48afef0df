"""Turns pydantic's errors about a policy into sentences that name the rule, the key and the fix."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.did_you_mean import guess
from config.policy.break_glass_shapes import BreakGlassShape, ReviewShape
from config.policy.calendar_shapes import CalendarShape, FreezeShape, WindowShape
from config.policy.digest_shapes import DigestNotifyShape, DigestShape, DigestTicketShape
from config.policy.fast_track_shapes import FastTrackShape, MetricShape
from config.policy.lineage_shapes import EvidenceWatchShape, LineageShape
from config.policy.parts import Finding
from config.policy.registry_shapes import RegistryShape
from config.policy.seal_shapes import SealShape
from config.policy.shapes import (
    ApproveShape,
    AskShape,
    EscalateShape,
    GroupShape,
    NotifyShape,
    PersonShape,
    PolicyShape,
    PollShape,
    RequirementShape,
    RuleShape,
    TargetShape,
)
from config.policy.ticket_shapes import DecideShape, NamedShape, PathShape, ResolutionShape, TicketShape
from config.policy.yaml_lines import Path, as_list, as_mapping

QUOTED_LENGTH = 40  # characters of a wrong value that a sentence repeats

SHAPES: dict[str, type[BaseModel]] = {
    "poll": PollShape,
    "calendar": CalendarShape,
    "people": PersonShape,
    "rules": RuleShape,
    "target": TargetShape,
    "ask_on": AskShape,
    "notify": NotifyShape,
    "ticket": TicketShape,
    "path": PathShape,
    "resolution": ResolutionShape,
    "named": NamedShape,
    "decide": DecideShape,
    "approve": ApproveShape,
    "all_of": RequirementShape,
    "escalate": EscalateShape,
    "break_glass": BreakGlassShape,
    "review": ReviewShape,
    "fast_track": FastTrackShape,
    "lineage": LineageShape,
    "seal": SealShape,
    "digest": DigestShape,
    "evidence_watch": EvidenceWatchShape,
}

NAMED = {"groups": "group", "freezes": "freeze", "registries": "registry"}  # mappings from names that people chose

# https://docs.pydantic.dev/latest/errors/validation_errors/
WANTED = {
    "int_type": "must be a whole number, not {given}",
    "float_type": "must be a number, not {given}",
    "finite_number": "must be a finite number, not {given}",
    "bool_type": "must be true or false, not {given}",
    "tuple_type": "must be a list, not {given}",
    "dict_type": "must be a mapping, not {given}",
    "model_type": "must be a mapping, not {given}",
    "string_type": "must be text, not {given}: put it in quotes",
    "missing": "is missing",
    "too_short": "must not be empty",
    "too_long": "has {actual_length} entries, but {max_length} are the most",
    "greater_than": "must be more than {gt}, not {given}",
    "greater_than_equal": "must be at least {ge}, not {given}",
    "less_than_equal": "must be at most {le}, not {given}",
    "enum": "must be {expected}, not {given}",
    "literal_error": "must be {expected}, not {given}",
    "value_error": "{error}",
}
LIMITS = ("greater_than", "greater_than_equal", "less_than_equal", "finite_number")


def shape_findings(error: ValidationError, content: object) -> Iterator[Finding]:
    for details in error.errors(include_url=False):
        path: Path = tuple(details["loc"])
        if details["type"] == "value_error" and path[-1:] == ("[key]",):  # the key itself is wrong, not its value
            yield path[:-1], str(details["ctx"]["error"])
        elif not _follows_from_another(details):
            yield path, _sentence(details, path, content)


def _follows_from_another(details: ErrorDetails) -> bool:
    """Broken items are not counted, so a list of only broken ones is called too short as well."""
    return details["type"] == "too_short" and bool(details["input"])


def _sentence(details: ErrorDetails, path: Path, content: object) -> str:
    if details["type"] == "extra_forbidden":
        owner, inside = _place(path, content)
        key = str(path[-1])
        parent = inside.removesuffix(key).rstrip(".")
        fields = _shape_at(path[:-1]).model_fields
        known = frozenset(field.alias or name for name, field in fields.items())
        hint = guess(key, known) or f" Known are {', '.join(sorted(known))}."
        return f'{owner}unknown key "{key}"{f" in {parent}" if parent else ""}.{hint}'
    owner, keys = _place(path, content)
    wanted = WANTED.get(details["type"], details["msg"])
    context = {name: _said(value) for name, value in details.get("ctx", {}).items()}
    if details["type"] == "value_error":
        context = {"error": str(details["ctx"]["error"])}
    return f"{owner}{keys} " + wanted.format(given=_given(details), **context)


def _place(path: Path, content: object) -> tuple[str, str]:
    """Where the mistake is, such as `rule "bike-*": ` and the keys below, without positions, which the line gives anyway."""
    section, *rest = path or ("",)
    keys = ".".join(step for step in rest if isinstance(step, str))
    if section in ("rules", "people") and rest:
        return _entry(str(section), rest[0], content), keys or "it"
    if section in NAMED and rest:
        below = ".".join(step for step in rest[1:] if isinstance(step, str))
        return f'{NAMED[str(section)]} "{rest[0]}": ', below or "it"
    return "", ".".join(step for step in path if isinstance(step, str)) or "the policy"


def _entry(section: str, index: str | int, content: object) -> str:
    word, naming = {"rules": ("rule", "models"), "people": ("person", "name")}[section]
    entries = as_list(as_mapping(content).get(section))
    name = as_mapping(entries[int(index)]).get(naming)
    return f'{word} "{name}": ' if isinstance(name, str) and name.strip() else f"{word} {int(index) + 1}: "


def _shape_at(path: Path) -> type[BaseModel]:
    match path:
        case ("groups", _):
            return GroupShape
        case ("registries", _):
            return RegistryShape
        case ("freezes", _):
            return FreezeShape
        case ("freezes", *_):
            return WindowShape
        case (*_, "metrics", str()):
            return MetricShape
        case ("digest", "notify"):
            return DigestNotifyShape
        case ("digest", "ticket"):
            return DigestTicketShape
    named = [step for step in path if isinstance(step, str)]
    return SHAPES[named[-1]] if named else PolicyShape


def _said(value: object) -> str:
    """A limit, or the values to choose from, which pydantic puts in single quotes."""
    return f"{value:g}" if isinstance(value, float) else str(value).replace("'", "").lower()


def _given(details: ErrorDetails) -> str:
    """Decimals come as text, but are not quoted in the file."""
    quoted = _quoted(details["input"])
    return quoted.strip('"') if details["type"] in LIMITS else quoted


def _quoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= QUOTED_LENGTH else text[:QUOTED_LENGTH] + " ..."
