"""The records of a Jira site, frozen: people, projects, issues and their comments, links and files.

A change replaces the whole issue, so that the search index can lag behind. `site` makes the changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.sandbox.jira.bodies import Body
from bot.sandbox.jira.screens import Field
from bot.sandbox.jira.workflow import DEFAULT_WORKFLOW, Status, Workflow


class Deployment(StrEnum):
    CLOUD = "cloud"
    SERVER = "server"


@dataclass(frozen=True)
class SandboxUser:
    """`account_id` is the accountId on Cloud and the user name on Data Center.

    `account_type` (atlassian, app, customer) is Cloud's. `shows_email`: whether the person lets others see the address.
    """

    account_id: str
    display_name: str
    email: str
    active: bool = True
    account_type: str = "atlassian"
    shows_email: bool = True

    @property
    def initials(self) -> str:
        words = re.findall(r"\w+", self.display_name)
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@dataclass(frozen=True)
class Project:
    """`fields` are beyond Jira's own, of which `hidden` are not on the create screen. `subtask_types` are among `issue_types`."""

    key: str
    name: str
    issue_types: tuple[str, ...] = ("Task", "Bug", "Story")
    workflow: Workflow = DEFAULT_WORKFLOW
    fields: tuple[Field, ...] = ()
    hidden: frozenset[str] = frozenset()
    team_managed: bool = False
    subtask_types: tuple[str, ...] = ()
    service_desk: bool = False

    def field(self, id_: str) -> Field | None:
        return next((field for field in self.fields if field.id == id_), None)


@dataclass(frozen=True)
class Comment:
    id: str
    author: SandboxUser
    body: Body
    created: datetime
    updated: datetime
    properties: dict[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.as_text()


@dataclass(frozen=True)
class RemoteLink:
    id: str
    global_id: str
    title: str
    url: str
    summary: str = ""
    relationship: str = ""
    application: str = ""


@dataclass(frozen=True)
class LinkType:
    """The issue that a link starts from shows `outward`, the other one `inward`."""

    name: str
    inward: str
    outward: str


@dataclass(frozen=True)
class IssueLink:
    """Between two issues, by their ids."""

    id: str
    type: LinkType
    start: str
    end: str


@dataclass(frozen=True)
class Attachment:
    id: str
    filename: str
    mime_type: str
    content: bytes
    author: SandboxUser
    created: datetime


@dataclass(frozen=True)
class ChangedField:
    """The ids are those of statuses and projects; other fields have none."""

    field: str
    before: str
    after: str
    before_id: str | None = None
    after_id: str | None = None


@dataclass(frozen=True)
class Approval:
    """Who is asked, each with what they said so far: pending, approved or declined. `needed` approvals are enough; one refusal declines."""

    id: str
    name: str
    approvers: tuple[tuple[SandboxUser, str], ...]
    needed: int
    created: datetime
    completed: datetime | None = None

    @property
    def decision(self) -> str:
        said = [answer for _, answer in self.approvers]
        if "declined" in said:
            return "declined"
        return "approved" if said.count("approved") >= self.needed else "pending"


@dataclass(frozen=True)
class Change:
    id: str
    author: SandboxUser
    created: datetime
    items: tuple[ChangedField, ...]


@dataclass(frozen=True)
class Issue:
    id: str
    key: str
    project: Project
    issue_type: str
    summary: str
    reporter: SandboxUser
    created: datetime
    updated: datetime
    status: Status
    description: Body | None = None
    labels: tuple[str, ...] = ()
    priority: str = "Medium"
    assignee: SandboxUser | None = None
    resolution: str | None = None
    comments: tuple[Comment, ...] = ()
    remote_links: tuple[RemoteLink, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    watchers: tuple[SandboxUser, ...] = ()
    properties: dict[str, object] = field(default_factory=dict)
    history: tuple[Change, ...] = ()
    custom: dict[str, object] = field(default_factory=dict)
    parent: str = ""  # its id
    former_keys: tuple[str, ...] = ()  # by which it is still found after it was moved to another project
    approvals: tuple[Approval, ...] = ()

    @property
    def is_subtask(self) -> bool:
        return self.issue_type in self.project.subtask_types

    @property
    def description_text(self) -> str:
        return self.description.as_text() if self.description else ""
