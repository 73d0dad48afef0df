"""The shape of `policy.yaml`: which keys there are and what a single value may look like; also what editors know through the schema.

What several values must be to each other is `config.policy_laws`'s, and turning them into a `Policy` is `config.policy`'s.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)

from bot.domain.model import DEFAULT_WORKSPACE, Ask, AskKind, Target, TargetKind
from bot.domain.policy import Observed, ReasonDemand, UnknownRequester, Unruled

STAGES = ("None", "Staging", "Production", "Archived")  # mlflow/entities/model_registry/model_version_stages.py
ALIAS_LIMIT = 255  # mlflow/utils/validation.py, as the two patterns below
ALIAS = re.compile(r"[\w-]+")
VERSION_ALIAS = re.compile(r"[vV]\d+")
GROUP = re.compile(r"[\w.-]+")
EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
CHANNEL = re.compile(
    r"#[^\s#@,.:]{1,80}|[CG][A-Z0-9]{6,}"
)  # a name, or the id that Slack shows in the channel's details
PROJECT = re.compile(r"[A-Z][A-Z0-9_]*")
DURATION = re.compile(r"([0-9]{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TEXT_LIMIT = 500
QUORUM_LIMIT = 20
GROUPS_LIMIT = 8
OWN_TAGS = "countersign."
ASKING_TAG = "countersign.ask"  # of our own tags the only one that asks; the others are what the bot writes


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"must not be longer than {TEXT_LIMIT} characters")
    return text.strip()


def _lasting(text: object) -> timedelta:
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('must be a duration such as "30s", "5m", "4h" or "3d"')
    duration = timedelta(**{UNITS[found[2]]: int(found[1])})
    if duration < timedelta(seconds=1):
        raise ValueError('must be at least "1s"')
    return duration


def _alias(text: str) -> str:
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
    if not GROUP.fullmatch(text):
        raise ValueError(
            f'must be the handle of a Slack user group without the @, for example "ml-leads", not "{text}"'
        )
    return text


def _group(text: str) -> str:
    if not GROUP.fullmatch(text):
        raise ValueError(f'"{text}" cannot be the name of a group: use letters, digits, ".", "_" and "-"')
    return text


def _channel(text: str) -> str:
    if not CHANNEL.fullmatch(text) or (text.startswith("#") and text != text.lower()):
        raise ValueError(f'must be a channel such as "#model-approvals" (lower case) or its id, not "{text}"')
    return text


def _project(text: str) -> str:
    if not PROJECT.fullmatch(text):
        raise ValueError(f'must be the key of a Jira project, for example GOV, not "{text}"')
    return text


def _different(emails: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((email for email in emails if emails.count(email) > 1), None)
    if twice:
        raise ValueError(f"names {twice} twice. Remove one of them")
    return emails


def _first_version(version: int) -> int:
    if version != 1:
        raise ValueError(
            f"must be 1, not {version}: this Countersign reads only the first version of the policy's format"
        )
    return version


Text = Annotated[str, AfterValidator(_filled)]
Email = Annotated[str, AfterValidator(_email)]
GroupName = Annotated[str, AfterValidator(_group)]
Alias = Annotated[str, AfterValidator(_alias)]
Stage = Annotated[str, AfterValidator(_stage), WithJsonSchema({"type": "string", "enum": list(STAGES)})]
Duration = Annotated[
    timedelta, BeforeValidator(_lasting), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"})
]


class Shape(BaseModel):
    """Strict: no unknown key, and no value is turned into another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class OneOf(Shape):
    """A mapping of which exactly one key is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            *others, last = type(self).model_fields
            raise ValueError(f"needs exactly one of {', '.join(others)} and {last}")
        return self


class PollShape(Shape):
    """How often the registry is looked through, for what its webhooks do not say or did not deliver."""

    versions: Duration = Field(default=timedelta(seconds=30), json_schema_extra={"default": "30s"})
    """How often to look for new versions and stages; costs one call when nothing changed."""
    aliases: Duration = Field(default=timedelta(seconds=60), json_schema_extra={"default": "60s"})
    """How often to go through all models for aliases, tags and deletions."""


class PersonShape(Shape):
    """A person; Slack and Jira accounts are found by the e-mail address."""

    name: Text
    """The name to print on cards and tickets."""
    email: Email
    """The address that Slack and Jira know."""
    mlflow_user: Text | None = None
    """How MLflow's runs name this person, so that nobody approves what they trained."""


class GroupShape(OneOf):
    """Who may approve: a Slack user group, or people by e-mail."""

    slack_group: Annotated[str, AfterValidator(_handle)] | None = None
    """The handle of a Slack user group, without the @."""
    people: Annotated[tuple[Email, ...], Strict(False), Field(min_length=1), AfterValidator(_different)] | None = None
    """E-mail addresses."""


class TargetShape(OneOf):
    """Where a version wants to go."""

    alias: Alias | None = None
    """An alias, for example champion."""
    stage: Stage | None = None
    """A stage, for example Production."""
    model: Annotated[str, AfterValidator(_target_model)] | None = None
    """Another registered model, for example prod.{name}."""

    def as_target(self) -> Target:
        kind = TargetKind(next(iter(self.model_fields_set)))
        return Target(kind, {TargetKind.ALIAS: self.alias, TargetKind.STAGE: self.stage}.get(kind, self.model) or "")


class AskShape(OneOf):
    """What makes a version ask for the target."""

    alias: Alias | None = None
    """Setting this alias asks."""
    tag: Annotated[str, AfterValidator(_asking_tag)] | None = None
    """Setting this tag asks; a tag that came with a copied version never does."""
    stage: Stage | None = None
    """Moving to this stage asks."""
    new_version: Literal[True] | None = None
    """Creating a version asks."""

    def as_ask(self) -> Ask:
        return Ask(AskKind(next(iter(self.model_fields_set))), self.alias or self.tag or self.stage or "")


class NotifyShape(Shape):
    """Where the card is posted."""

    slack: Annotated[str, AfterValidator(_channel)]
    """A channel, for example "#model-approvals". Keep the quotes: # begins a comment."""


class TicketShape(Shape):
    """The Jira ticket that each request gets."""

    project: Annotated[str, AfterValidator(_project)]
    """The key of the Jira project."""
    type: Text
    """The issue type, for example Task."""
    approved: Text
    """The transition after an approval: its id, its name, or the status it leads to."""
    rejected: Text
    """The transition after a rejection: its id, its name, or the status it leads to."""


class RequirementShape(Shape):
    """So many different members of that group."""

    group: Text
    """A group from `groups`."""
    quorum: Annotated[int, Field(ge=1, le=QUORUM_LIMIT)]
    """How many different people of it must approve."""


class ApproveShape(Shape):
    """Who must approve, and what they must say."""

    all_of: Annotated[tuple[RequirementShape, ...], Strict(False), Field(min_length=1, max_length=GROUPS_LIMIT)]
    """Each of these must be met, by different people."""
    reason: Annotated[ReasonDemand, Strict(False)] = ReasonDemand.ON_REJECT
    """When a reason must be given."""
    unknown_requester: Annotated[UnknownRequester, Strict(False)] = UnknownRequester.ONE_MORE
    """When nobody knows who asked: refuse, demand one more approver, or shut out only the author."""


class RuleShape(Shape):
    """For these models and this target: who asks, who approves, who is told."""

    models: Text
    """A shell pattern for names of registered models, for example "bike-*"."""
    workspace: Text = DEFAULT_WORKSPACE
    """MLflow's workspace, or a shell pattern for several."""
    target: TargetShape
    ask_on: Annotated[tuple[AskShape, ...], Strict(False)] = ()
    """What makes a version ask by itself; without it, only the command line and the API ask."""
    observed: Annotated[Observed, Strict(False)] = Observed.ASK
    """When somebody moved the target without asking: ask for it afterwards, put it back, or only report it."""
    notify: NotifyShape
    ticket: TicketShape | None = None
    approve: ApproveShape
    expire_after: Duration | None = None
    """How long a request waits for its decision; without it, for ever."""


class PolicyShape(Shape):
    """Countersign's policy: who must approve which model promotion."""

    version: Annotated[int, AfterValidator(_first_version), WithJsonSchema({"const": 1})]
    """The version of this format: 1."""
    poll: PollShape = PollShape()
    people: Annotated[tuple[PersonShape, ...], Strict(False)] = ()
    """The people that MLflow, Slack and Jira know by different names."""
    groups: Annotated[dict[GroupName, GroupShape], Field(min_length=1)]
    """Who may approve, by the names that the rules use."""
    rules: Annotated[tuple[RuleShape, ...], Strict(False), Field(min_length=1)]
    """The first rule that matches workspace, model and target holds."""
    default: Annotated[Unruled, Strict(False)] = Unruled.REPORT
    """What becomes of moved targets that no rule speaks of."""
