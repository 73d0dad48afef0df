"""What pydantic found wrong with a policy's shape, said in sentences that name the rule, the key and the mend."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.policy_laws import Finding, guess
from config.policy_shape import (
    ApproveShape,
    AskShape,
    GroupShape,
    NotifyShape,
    PersonShape,
    PolicyShape,
    PollShape,
    RequirementShape,
    RuleShape,
    TargetShape,
    TicketShape,
)
from config.yaml_lines import Path, as_list, as_mapping

QUOTED_LENGTH = 40  # characters of a wrong value that a sentence repeats

SHAPES: dict[str, type[BaseModel]] = {
    "poll": PollShape,
    "people": PersonShape,
    "rules": RuleShape,
    "target": TargetShape,
    "ask_on": AskShape,
    "notify": NotifyShape,
    "ticket": TicketShape,
    "approve": ApproveShape,
    "all_of": RequirementShape,
}

# https://docs.pydantic.dev/latest/errors/validation_errors/
WANTED = {
    "int_type": "must be a whole number, not {given}",
    "tuple_type": "must be a list, not {given}",
    "dict_type": "must be a mapping, not {given}",
    "model_type": "must be a mapping, not {given}",
    "string_type": "must be text, not {given}: put it in quotes",
    "missing": "is missing",
    "too_short": "must not be empty",
    "too_long": "has {actual_length} entries, but {max_length} are the most",
    "greater_than_equal": "must be at least {ge}, not {given}",
    "less_than_equal": "must be at most {le}, not {given}",
    "enum": "must be {expected}, not {given}",
    "literal_error": "must be {expected}, not {given}",
    "value_error": "{error}",
}


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
        owner, _ = _place(path[:-1], content)
        known = frozenset(_shape_at(path[:-1]).model_fields)
        hint = guess(str(path[-1]), known) or f" Known are {', '.join(sorted(known))}."
        return f'{owner}unknown key "{path[-1]}".{hint}'
    owner, keys = _place(path, content)
    wanted = WANTED.get(details["type"], details["msg"])
    context = {name: str(value).replace("'", "").lower() for name, value in details.get("ctx", {}).items()}
    if details["type"] == "value_error":
        context = {"error": str(details["ctx"]["error"])}
    return f"{owner}{keys} " + wanted.format(given=_quoted(details["input"]), **context)


def _place(path: Path, content: object) -> tuple[str, str]:
    """Whose mistake it is, such as `rule "bike-*": `, and the keys below, without the positions that the line tells anyway."""
    section, *rest = path or ("",)
    keys = ".".join(step for step in rest if isinstance(step, str))
    if section in ("rules", "people") and rest:
        return _entry(str(section), rest[0], content), keys or "it"
    if section == "groups" and rest:
        return f'group "{rest[0]}": ', ".".join(step for step in rest[1:] if isinstance(step, str)) or "it"
    return "", ".".join(step for step in path if isinstance(step, str)) or "the policy"


def _entry(section: str, index: str | int, content: object) -> str:
    word, naming = {"rules": ("rule", "models"), "people": ("person", "name")}[section]
    entries = as_list(as_mapping(content).get(section))
    name = as_mapping(entries[int(index)]).get(naming)
    return f'{word} "{name}": ' if isinstance(name, str) and name.strip() else f"{word} {int(index) + 1}: "


def _shape_at(path: Path) -> type[BaseModel]:
    if path[:1] == ("groups",):
        return GroupShape
    named = [step for step in path if isinstance(step, str)]
    return SHAPES[named[-1]] if named else PolicyShape


def _quoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= QUOTED_LENGTH else text[:QUOTED_LENGTH] + " ..."
