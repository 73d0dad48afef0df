"""What a single value of `policy.yaml` may look like, and the strict mapping that holds them. Times are `config.policy.times`'s.

Each type here says by itself what is wrong with a value; which keys there are is `config.policy.shapes`'s.
"""

from __future__ import annotations

import re
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticKnownError

from bot.domain.policy.git_remote import why_no_remote
from bot.language import LANGUAGES
from config.did_you_mean import guess

STAGES = ("None", "Staging", "Production", "Archived")  # mlflow/entities/model_registry/model_version_stages.py
ALIAS_LIMIT = 255  # mlflow/utils/validation.py, as the two patterns below
ALIAS = re.compile(r"[\w-]+")
VERSION_ALIAS = re.compile(r"[vV]\d+")
PLAIN_NAME = re.compile(r"[\w.-]+")
EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
CHANNEL = re.compile(
    r"#[^\s#@,.:]{1,80}|[CG][A-Z0-9]{6,}"
)  # a name, or the id that Slack shows in the channel's details
GROUP_ID = re.compile(r"S(?=[A-Z]*\d)[A-Z0-9]{7,}")
PROJECT = re.compile(r"[A-Z][A-Z0-9_]*")
STORE = re.compile(r"([a-z][a-z0-9+.-]*:|/)[^\s%?#]*")
BRANCH = re.compile(r"[\w][\w./-]{0,200}")
DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
TEXT_LIMIT = 500
OWN_TAGS = "countersign."
ASKING_TAG = "countersign.ask"  # of our own tags the only one that asks; the others are what the bot writes

Entry = TypeVar("Entry")


class Shape(BaseModel):
    """Strict: no unknown key, and no value is turned into another type.

    pydantic builds its validators when the first policy is read, at once for a shape and all within it. What is written below a field is
    its description in `config.policy_schema`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class OneOf(Shape):
    """A mapping of which exactly one key is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            *others, last = type(self).model_fields
            raise ValueError(f"needs exactly one of {', '.join(others)} and {last}")
        return self


def different(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """For lists in which nothing may occur twice."""
    seen: set[Entry] = set()
    for entry in entries:
        if entry in seen:
            raise ValueError(f"names {entry} twice. Remove one of them")
        seen.add(entry)
    return entries


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"must not be longer than {TEXT_LIMIT} characters")
    return text.strip()


def _number(value: object) -> object:
    """YAML's decimals arrive here as the text that was written; digits alone that arrive as text were in quotes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise PydanticKnownError("float_type")
    return float(value)


def alias_name(text: str) -> str:
    """Raises ValueError with how the sentence about it goes on."""
    if not ALIAS.fullmatch(text) or len(text) > ALIAS_LIMIT:
        raise ValueError("must be an alias that MLflow accepts: letters, digits, _ and -, at most 255 of them")
    if text.lower() == "latest" or VERSION_ALIAS.fullmatch(text):
        raise ValueError(f'cannot be "{text}", because MLflow keeps "latest" and v1, v2 ... for itself')
    return text


def _stage(text: str) -> str:
    known = next((stage for stage in STAGES if stage.lower() == text.lower()), None)
    if known is None:
        raise ValueError(f'cannot be "{text}", because MLflow knows only the stages {", ".join(STAGES)}')
    return known


def _target_model(text: str) -> str:
    rest = text.replace("{name}", "", 1)
    if not text.strip() or any(character in rest for character in "{}/:"):
        raise ValueError('must be the name of a registered model, in which one "{name}" stands for the model\'s own')
    if text == "{name}":
        raise ValueError('cannot be "{name}" alone, because a model cannot be copied into itself')
    return text


def _asking_tag(text: str) -> str:
    if text.startswith(OWN_TAGS) and text != ASKING_TAG:
        raise ValueError(
            f'cannot be "{text}", because tags that begin with {OWN_TAGS} are the bot\'s own. Use {ASKING_TAG}'
        )
    return _filled(text)


def _email(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError(f'must be an e-mail address, not "{text}"')
    return text.lower()


def _handle(text: str) -> str:
    if GROUP_ID.fullmatch(text):
        raise ValueError(f'must be the handle of a Slack user group, for example "ml-leads", and "{text}" is its id')
    if not PLAIN_NAME.fullmatch(text):
        raise ValueError(
            f'must be the handle of a Slack user group without the @, for example "ml-leads", not "{text}"'
        )
    return text


def _group(text: str) -> str:
    if not PLAIN_NAME.fullmatch(text):
        raise ValueError(f'"{text}" cannot be the name of a group: use letters, digits, ".", "_" and "-"')
    return text


def _freeze(text: str) -> str:
    if not PLAIN_NAME.fullmatch(text):
        raise ValueError(f'"{text}" cannot be the name of a freeze: use letters, digits, ".", "_" and "-"')
    return text


def _metric(text: str) -> str:
    if not text.strip() or len(text) > TEXT_LIMIT:
        raise ValueError(f"A metric's name must have at least one and at most {TEXT_LIMIT} characters")
    return text


def _channel(text: str) -> str:
    if not CHANNEL.fullmatch(text) or (text.startswith("#") and text != text.lower()):
        raise ValueError(f'must be a channel such as "#model-approvals" (lower case) or its id, not "{text}"')
    return text


def _project(text: str) -> str:
    if not PROJECT.fullmatch(text):
        raise ValueError(f'must be the key of a Jira project, for example GOV, not "{text}"')
    return text


def _store(text: str) -> str:
    if not STORE.fullmatch(text) or ".." in text:
        raise ValueError(f'must be how a location begins, such as "mlflow-artifacts:" or "s3://models/", not "{text}"')
    return text


def _git_remote(text: str) -> str:
    reason = why_no_remote(text)
    if reason:
        raise ValueError(reason)
    return text


def _branch(text: str) -> str:
    if not BRANCH.fullmatch(text) or ".." in text:
        raise ValueError(f'must be the name of a branch, for example "main", not "{text[:80]}"')
    return text


def _first_version(version: int) -> int:
    if version != 1:
        raise ValueError(
            f"must be 1, not {version}: this Countersign reads only the first version of the policy's format"
        )
    return version


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f'must be {" or ".join(LANGUAGES)}, not "{text[:80]}".{guess(text[:2].lower(), LANGUAGES)}')
    return text


Text = Annotated[str, AfterValidator(_filled)]
Language = Annotated[str, AfterValidator(_language), WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})]
Number = Annotated[
    float, BeforeValidator(_number), Field(allow_inf_nan=False), WithJsonSchema({"type": "number"})
]  # never true or false, NaN or infinite
Share = Annotated[Number, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Gain = Annotated[Number, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Email = Annotated[str, AfterValidator(_email)]
GroupName = Annotated[str, AfterValidator(_group)]
FreezeName = Annotated[str, AfterValidator(_freeze)]
MetricName = Annotated[str, AfterValidator(_metric)]
GroupHandle = Annotated[str, AfterValidator(_handle)]
Alias = Annotated[str, AfterValidator(alias_name)]
Stage = Annotated[str, AfterValidator(_stage), WithJsonSchema({"type": "string", "enum": list(STAGES)})]
TargetModel = Annotated[str, AfterValidator(_target_model)]
AskingTag = Annotated[str, AfterValidator(_asking_tag)]
Channel = Annotated[str, AfterValidator(_channel)]
ProjectKey = Annotated[str, AfterValidator(_project)]
GitRemote = Annotated[str, AfterValidator(_git_remote)]
BranchName = Annotated[str, AfterValidator(_branch)]
StorePrefix = Annotated[str, AfterValidator(_store)]
FormatVersion = Annotated[int, AfterValidator(_first_version), WithJsonSchema({"const": 1})]
