"""The shape of a rule's `ticket`: the project, and what Jira's screens and workflow ask for beyond it."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, Strict, WithJsonSchema, model_validator

from bot.domain.references import Relation, TicketField, TicketPlan
from config.policy.values import ProjectKey, Shape, Text, different

OWN_FIELDS = ("project", "issuetype", "summary", "description")
STEPS_LIMIT = 10
PROJECTS_LIMIT = 50


def _fields(given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    own = next((name for name in given if name.strip().casefold() in OWN_FIELDS), None)
    if own is not None:
        raise ValueError(f'cannot fill in "{own}", because the bot does. Remove it')
    return given


def _for_both(given: object) -> object:
    """A list holds for both decisions."""
    return {"approved": given, "rejected": given} if isinstance(given, list | tuple) else given


TicketFields = Annotated[dict[Text, JsonValue], AfterValidator(_fields)]
Steps = Annotated[tuple[Text, ...], Strict(False), Field(max_length=STEPS_LIMIT), AfterValidator(different)]
LIST_OR_EACH = WithJsonSchema(
    {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}, "maxItems": STEPS_LIMIT},
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    name: {"type": "array", "items": {"type": "string"}, "maxItems": STEPS_LIMIT}
                    for name in ("approved", "rejected")
                },
            },
        ]
    }
)


class PathShape(Shape):
    """What lies between a new ticket and where a decision sends it."""

    approved: Steps = ()
    """The transitions or statuses on the way after an approval, in order."""
    rejected: Steps = ()
    """The transitions or statuses on the way after a rejection, in order."""


class ResolutionShape(Shape):
    """The resolution for a screen that asks for one."""

    approved: Text | None = None
    """The id or the name after an approval."""
    rejected: Text | None = None
    """The id or the name after a rejection."""


class DecideShape(Shape):
    """By which statuses people decide in the ticket."""

    approve: Text | None = None
    """The status that a person moves the ticket to in order to approve. Without it, the one in `approved`."""
    reject: Text | None = None
    """The status that a person moves the ticket to in order to reject. Without it, the one in `rejected`."""
    approvals: bool = False
    """Whether the answers of approvers in Jira Service Management are votes too. Only for projects that are service desks."""


def _decide(given: object) -> object:
    """`true` for the statuses in `approved` and `rejected`, `false` for none."""
    if given is True:
        return {}
    return None if given is False else given


DECIDE = WithJsonSchema(
    {
        "anyOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "approve": {"type": "string"},
                    "reject": {"type": "string"},
                    "approvals": {"type": "boolean"},
                },
            },
        ]
    }
)


class NamedShape(Shape):
    """What the ticket becomes to one that a comment names. One of the two."""

    subtask: Text | None = None
    """The issue type, for example Sub-task: the ticket is opened as one of the named ticket, which must be in the same project."""
    link: Text | None = None
    """The name of the link type, for example Relates: the ticket is linked to the named one."""
    projects: Annotated[
        tuple[ProjectKey, ...], Strict(False), Field(max_length=PROJECTS_LIMIT), AfterValidator(different)
    ] = ()
    """The keys of the projects whose tickets may be linked to. Default: the ticket's own project alone."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> NamedShape:
        if (self.subtask is None) == (self.link is None):
            raise ValueError("takes one of the two: subtask, with an issue type, or link, with a link type")
        if self.subtask is not None and self.projects:
            raise ValueError("takes `projects` only with link: a sub-task must be in its parent's project. Remove it")
        return self


class TicketShape(Shape):
    """The Jira ticket that each request gets."""

    project: ProjectKey
    """The key of the Jira project."""
    type: Text
    """The issue type, for example Task."""
    break_glass_type: Text | None = None
    """The issue type of a ticket about a broken glass, for example Incident; without it, the same type."""
    approved: Text
    """The transition after an approval: its id, its name, or the status it leads to."""
    rejected: Text
    """The transition after a rejection: its id, its name, or the status it leads to."""
    path: Annotated[PathShape, BeforeValidator(_for_both), LIST_OR_EACH] = PathShape()
    """The steps between, for a workflow that does not lead there at once: transitions or statuses in order. Without it, the bot takes a
    step only where a single one leads on."""
    resolution: ResolutionShape = ResolutionShape()
    """For a screen that asks for a resolution, where none is named like the status or the transition."""
    fields: TicketFields = Field(default_factory=dict)
    """What else to fill in, by a field's name or id in Jira: when the ticket is opened, and on the screens of its transitions."""

    named: NamedShape | None = None
    """What to do with a ticket that the request's comment or the version's description names, such as `ML-4521: retrained on May data`.
    Without it, such a name is only text."""

    decide: Annotated[DecideShape | None, BeforeValidator(_decide), DECIDE] = None
    """Lets people decide in the ticket: the one who moves it to a status named here casts their vote, under the same rules as on the card.
    `true`: by the statuses in `approved` and `rejected`. See jira.md."""

    @model_validator(mode="after")
    def _check_decide(self) -> TicketShape:
        if self.decide is not None:
            approve, reject = self.decide.approve or self.approved, self.decide.reject or self.rejected
            if approve.strip().casefold() == reject.strip().casefold():
                raise ValueError(
                    f'`decide` has the same status, "{approve}", for both answers, so that no one could know what a move means. '
                    "Name two under `decide: {approve: ..., reject: ...}`"
                )
        return self

    def as_ticket_plan(self) -> TicketPlan:
        return TicketPlan(
            self.project,
            self.type,
            self.approved,
            self.rejected,
            as_ticket_fields(self.fields),
            self.path.approved,
            self.path.rejected,
            self.resolution.approved or "",
            self.resolution.rejected or "",
            *self._relation(),
            self.named.projects if self.named else (),
            self.break_glass_type or "",
            (self.decide.approve or self.approved) if self.decide else "",
            (self.decide.reject or self.rejected) if self.decide else "",
            self.decide is not None and self.decide.approvals,
        )

    def _relation(self) -> tuple[Relation, str]:
        if self.named is None:
            return Relation.NONE, ""
        if self.named.subtask is not None:
            return Relation.SUBTASK, self.named.subtask
        return Relation.LINK, self.named.link or ""


def as_ticket_fields(fields: dict[str, JsonValue]) -> tuple[TicketField, ...]:
    return tuple(TicketField(name, json.dumps(value, ensure_ascii=False)) for name, value in fields.items())
