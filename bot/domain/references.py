"""References to a request's message, picture and ticket at the vendors, and a rule's ticket settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.figures import OMIT_EMPTY


@dataclass(frozen=True)
class Image:
    """A picture uploaded to the notifier, by its id there; `alt` describes it."""

    file: str
    alt: str


@dataclass(frozen=True)
class PostedCard:
    """The request's message. Clicks are accepted only from this message. `thread` is the message that it is a reply to, if it is one."""

    team: str
    app: str
    channel: str
    message: str
    url: str
    thread: str = field(default="", metadata={OMIT_EMPTY: True})

    @property
    def root(self) -> str:
        """The message that replies to this one belong to: a reply has none of its own."""
        return self.thread or self.message


@dataclass(frozen=True)
class TicketField:
    """A field that the policy fills in, by its name or id. `value` is JSON text, so that a list or a mapping stays hashable."""

    name: str
    value: str


@dataclass(frozen=True)
class TicketMove:
    """Where a decision sends a ticket: `to` names a transition (id or name) or its target status.

    `path` names what lies between, in order. `resolution` (id or name) and `fields` fill the screens on the way. `avoid` names where the
    ticket must not even pass.
    """

    to: str
    path: tuple[str, ...] = ()
    resolution: str = ""
    fields: tuple[TicketField, ...] = ()
    avoid: str = ""


class Relation(StrEnum):
    """What our ticket is to the one that somebody names."""

    NONE = ""
    SUBTASK = "subtask"
    LINK = "link"


@dataclass(frozen=True)
class SeenTicket:
    """A ticket of this name as Jira knows it now; `key` is another one than `name` once it was moved to another project."""

    name: str
    has_project: bool = False
    key: str = ""
    project: str = ""
    is_subtask: bool = False

    @property
    def is_there(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True)
class NamedTicket:
    """A ticket that the request or the version names, and what ours is to it. Without a relation, `trouble` says why.

    `refused`: the others that are there and named before it, each with the reason why ours is not related to it.
    `in_request`: by the requester's comment; otherwise by the version's description, of which the registry does not say who wrote it.
    """

    key: str
    relation: Relation
    in_request: bool
    trouble: str = ""
    refused: tuple[str, ...] = field(default=(), metadata={OMIT_EMPTY: True})


@dataclass(frozen=True)
class TicketPlan:
    """A rule's ticket settings. `approved` and `rejected` name a transition (id or name) or its target status.

    `relation` is what a new ticket becomes to one that is named in a comment: `relation_type` is the sub-task's issue type, or the link's.
    `relation_projects`: those whose tickets may be linked to; without any, the ticket's own. `break_glass_type`: the issue type after
    break glass, where it is another one. `decide_approve` and `decide_reject` are the statuses by which people vote in the ticket, and
    `approvals`: whether its approvers' answers are votes; empty where they may not.
    """

    project: str
    type: str
    approved: str
    rejected: str
    fields: tuple[TicketField, ...] = ()
    approved_path: tuple[str, ...] = ()
    rejected_path: tuple[str, ...] = ()
    approved_resolution: str = ""
    rejected_resolution: str = ""
    relation: Relation = Relation.NONE
    relation_type: str = ""
    relation_projects: tuple[str, ...] = ()
    break_glass_type: str = ""
    decide_approve: str = ""
    decide_reject: str = ""
    approvals: bool = False

    @property
    def decides(self) -> bool:
        """Whether people may decide in the ticket."""
        return bool(self.decide_approve or self.approvals)

    def on_approval(self) -> TicketMove:
        return TicketMove(self.approved, self.approved_path, self.approved_resolution, self.fields, self.rejected)

    def on_rejection(self) -> TicketMove:
        return TicketMove(self.rejected, self.rejected_path, self.rejected_resolution, self.fields, self.approved)


@dataclass(frozen=True)
class TicketRef:
    id: str
    key: str
    url: str
