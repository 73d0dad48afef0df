"""The state of a Jira site and the only ways to change it.

REST, pages and Python callers all use it. No HTTP here.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

from bot.sandbox.jira.records import (
    Attachment,
    Change,
    ChangedField,
    Comment,
    Deployment,
    Issue,
    IssueLink,
    LinkType,
    Project,
    RemoteLink,
)
from bot.sandbox.jira.refusals import Refusal, bad_fields, bad_request, no_such_issue

if TYPE_CHECKING:
    from bot.sandbox.jira.bodies import Body
    from bot.sandbox.jira.records import SandboxUser
    from bot.sandbox.jira.workflow import Transition

PERMISSIONS = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "DELETE_ISSUES",
    "TRANSITION_ISSUES",
    "RESOLVE_ISSUES",
    "ASSIGN_ISSUES",
    "ADD_COMMENTS",
    "EDIT_OWN_COMMENTS",
    "CREATE_ATTACHMENTS",
    "LINK_ISSUES",
    "ADMINISTER",
    "USER_PICKER",
)


LINK_TYPES = (
    LinkType("Blocks", "is blocked by", "blocks"),
    LinkType("Relates", "relates to", "relates to"),
)


class Happening(StrEnum):
    """The events of a webhook, by Jira's names."""

    ISSUE_CREATED = "jira:issue_created"
    ISSUE_UPDATED = "jira:issue_updated"
    ISSUE_DELETED = "jira:issue_deleted"
    COMMENT_CREATED = "comment_created"
    COMMENT_UPDATED = "comment_updated"


@dataclass(frozen=True)
class News:
    happening: Happening
    issue: Issue
    actor: SandboxUser
    change: Change | None = None
    comment: Comment | None = None


@dataclass(frozen=True)
class _Version:
    """An issue from `since` (monotonic seconds) on; None when it was deleted. The search index reads these with a lag."""

    since: float
    issue: Issue | None


class Site:
    def __init__(
        self,
        deployment: Deployment,
        people: tuple[SandboxUser, ...],
        projects: tuple[Project, ...],
        search_lag: float,
        denied: frozenset[str],
    ) -> None:
        self.deployment = deployment
        self.people = people
        self.projects = projects
        self.search_lag = search_lag
        self.denied = denied
        self.base_url = "http://localhost"
        self.revision = 0
        self.link_types: tuple[LinkType, ...] | None = LINK_TYPES  # None: an administrator has switched links off
        self.links: tuple[IssueLink, ...] = ()
        self.unseen_projects: frozenset[str] = frozenset()
        self.tell: Callable[[News], None] = lambda _news: None
        self.lock = threading.RLock()
        self._issues: dict[str, Issue] = {}
        self._versions: dict[str, list[_Version]] = {}
        self._ids = count(10_001)
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))  # by the project's key

    # Reading

    def issues(self) -> list[Issue]:
        """Newest first."""
        with self.lock:
            return sorted(self._issues.values(), key=lambda issue: int(issue.id), reverse=True)

    def get_issue(self, id_or_key: str) -> Issue:
        with self.lock:
            found = self._issues.get(id_or_key) or next(
                (i for i in self._issues.values() if id_or_key.upper() in (i.key, *i.former_keys)), None
            )
        if found is None or not self.may_browse(found.project):
            raise no_such_issue()
        return found

    def indexed_issues(self, fresh: frozenset[str] = frozenset()) -> list[Issue]:
        """What search sees: every issue as it was `search_lag` seconds ago, except the ids in `fresh`."""
        horizon = time.monotonic() - self.search_lag
        with self.lock:
            seen = [self._indexed(id_, float("inf") if id_ in fresh else horizon) for id_ in self._versions]
        return [issue for issue in seen if issue is not None]

    def _indexed(self, issue_id: str, horizon: float) -> Issue | None:
        versions = [version for version in self._versions[issue_id] if version.since <= horizon]
        return versions[-1].issue if versions else None

    def find_project(self, id_or_key: str) -> Project | None:
        return next((p for p in self.projects if id_or_key.upper() in (p.key.upper(), self.project_id(p))), None)

    def may_browse(self, project: Project) -> bool:
        return "BROWSE_PROJECTS" not in self.denied and project.key not in self.unseen_projects

    def get_project(self, id_or_key: str) -> Project:
        project = self.find_project(id_or_key)
        if project is None or not self.may_browse(project):
            raise Refusal(404, (f"No project could be found with key '{id_or_key}'.",))
        return project

    def project_id(self, project: Project) -> str:
        return str(10_000 + self.projects.index(project))

    def issue_type_ids(self) -> dict[str, str]:
        """Name to id, over all projects."""
        names = dict.fromkeys(name for project in self.projects for name in project.issue_types)
        return {name: str(10_100 + index) for index, name in enumerate(names)}

    def find_person(self, handle: str) -> SandboxUser | None:
        """By account id, e-mail address or printed name."""
        wanted = handle.casefold()
        return next(
            (
                p
                for p in self.people
                if wanted in (p.account_id.casefold(), p.email.casefold(), p.display_name.casefold())
            ),
            None,
        )

    # Changing

    def require(self, permission: str, message: str) -> None:
        if permission in self.denied:
            raise Refusal(403, (message,))

    def next_id(self) -> str:
        return str(next(self._ids))

    def create(self, draft: Issue) -> Issue:
        """Gives the draft its id and key, and sends the webhook."""
        with self.lock:
            key = f"{draft.project.key}-{next(self._numbers[draft.project.key])}"
            issue = replace(draft, id=self.next_id(), key=key, watchers=(draft.reporter,))
            self._store(issue.id, issue)
        self.tell(News(Happening.ISSUE_CREATED, issue, issue.reporter))
        return issue

    def change(self, before: Issue, after: Issue, actor: SandboxUser) -> Issue:
        """Stores `after` with a history entry for the differences; without any, sends no webhook."""
        items = tuple(_differences(before, after))
        if not items:
            return before
        with self.lock:
            change = Change(self.next_id(), actor, datetime.now(UTC), items)
            issue = self.touch(replace(after, history=(*after.history, change)))
        self.tell(News(Happening.ISSUE_UPDATED, issue, actor, change))
        return issue

    def touch(self, issue: Issue) -> Issue:
        """Stores a changed issue without a history entry: links, properties, watchers."""
        with self.lock:
            if issue.id not in self._issues:
                raise no_such_issue()
            touched = replace(issue, updated=datetime.now(UTC))
            self._store(issue.id, touched)
            return touched

    def delete(self, issue: Issue, actor: SandboxUser) -> None:
        with self.lock:
            del self._issues[issue.id]
            self._versions[issue.id].append(_Version(time.monotonic(), None))
            self.revision += 1
        self.tell(News(Happening.ISSUE_DELETED, issue, actor))

    def transition(self, issue: Issue, taken: Transition, screen: Mapping[str, object], actor: SandboxUser) -> Issue:
        """`screen` holds the values from the transition's screen."""
        if missing := [name for name in taken.screen if not screen.get(name)]:
            raise bad_fields({name: f"{_label(issue.project, name)} is required." for name in missing})
        if unknown := screen.keys() - set(taken.screen):
            name = min(unknown)
            raise bad_fields({name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."})
        resolution = screen.get("resolution", taken.sets_resolution)
        if resolution is not None and resolution not in issue.project.workflow.resolutions:
            raise bad_fields({"resolution": f"Resolution name '{resolution}' is not valid"})
        custom = issue.custom | {name: value for name, value in screen.items() if issue.project.field(name)}
        return self.change(
            issue,
            replace(issue, status=taken.to, resolution=str(resolution) if resolution else None, custom=custom),
            actor,
        )

    def move(self, issue: Issue, project: Project, actor: SandboxUser) -> Issue:
        """To another project, which gives it a new key. A status that the other workflow lacks becomes its first one."""
        if project.key == issue.project.key or issue.issue_type not in project.issue_types:
            raise bad_request(f"{issue.key} cannot be moved to {project.key}.")
        with self.lock:
            status = next(
                (one for one in project.workflow.statuses if one == issue.status), project.workflow.statuses[0]
            )
            key = f"{project.key}-{next(self._numbers[project.key])}"
            former = (*issue.former_keys, issue.key)
            return self.change(
                issue, replace(issue, project=project, key=key, status=status, former_keys=former), actor
            )

    def get_transition(self, issue: Issue, id_or_name: str) -> Transition:
        taken = issue.project.workflow.find_transition(issue.status, id_or_name)
        if taken is None:
            raise bad_request(f"Transition id '{id_or_name}' is not valid for this issue.")
        return taken

    def add_comment(self, issue: Issue, body: Body, author: SandboxUser, properties: dict[str, object]) -> Comment:
        now = datetime.now(UTC)
        comment = Comment(self.next_id(), author, body, now, now, properties)
        with self.lock:
            issue = self.get_issue(issue.id)
            issue = self.touch(replace(issue, comments=(*issue.comments, comment)))
        self.tell(News(Happening.COMMENT_CREATED, issue, author, comment=comment))
        return comment

    def put_comment(self, issue: Issue, comment: Comment, actor: SandboxUser) -> Comment:
        comment = replace(comment, updated=datetime.now(UTC))
        with self.lock:
            issue = self.get_issue(issue.id)
            others = tuple(comment if old.id == comment.id else old for old in issue.comments)
            issue = self.touch(replace(issue, comments=others))
        self.tell(News(Happening.COMMENT_UPDATED, issue, actor, comment=comment))
        return comment

    def put_remote_link(self, issue: Issue, link: RemoteLink) -> tuple[RemoteLink, bool]:
        """Adds the link, or replaces one with the same global id; the second value says whether it is new."""
        with self.lock:
            links = self.get_issue(issue.id).remote_links
            old = next((old for old in links if old.global_id and old.global_id == link.global_id), None)
            link = replace(link, id=old.id if old else self.next_id())
            kept = tuple(other for other in links if other is not old)
            self.touch(replace(self.get_issue(issue.id), remote_links=(*kept, link)))
        return link, old is None

    def add_link(self, type_: LinkType, start: Issue, end: Issue) -> None:
        """As in Jira, a second link of the same type between the same issues is not made, and is no fault."""
        with self.lock:
            there = {(link.type.name, link.start, link.end) for link in self.links}
            if (type_.name, start.id, end.id) not in there:
                self.links = (*self.links, IssueLink(self.next_id(), type_, start.id, end.id))
                self.touch(self.get_issue(start.id))
                self.touch(self.get_issue(end.id))

    def add_attachment(
        self, issue: Issue, filename: str, mime_type: str, content: bytes, author: SandboxUser
    ) -> Attachment:
        attachment = Attachment(self.next_id(), filename, mime_type, content, author, datetime.now(UTC))
        with self.lock:
            issue = self.get_issue(issue.id)
            self.touch(replace(issue, attachments=(*issue.attachments, attachment)))
        return attachment

    def _store(self, issue_id: str, issue: Issue) -> None:
        self._issues[issue_id] = issue
        self._versions.setdefault(issue_id, []).append(_Version(time.monotonic(), issue))
        self.revision += 1


def _label(project: Project, name: str) -> str:
    field = project.field(name)
    return field.name if field else name.capitalize()


def _differences(before: Issue, after: Issue) -> list[ChangedField]:
    watched = {
        "summary": (before.summary, after.summary),
        "description": (before.description_text, after.description_text),
        "labels": (" ".join(before.labels), " ".join(after.labels)),
        "priority": (before.priority, after.priority),
        "assignee": (_name(before.assignee), _name(after.assignee)),
        "resolution": (before.resolution or "", after.resolution or ""),
        "status": (before.status.name, after.status.name),
    }
    ids = {"status": (before.status.id, after.status.id)}
    moved = {"project": (before.project.name, after.project.name), "Key": (before.key, after.key)}
    return [
        ChangedField(field, old, new, *ids.get(field, (None, None)))
        for field, (old, new) in (moved | watched).items()
        if old != new
    ]


def _name(person: SandboxUser | None) -> str:
    return person.display_name if person else ""
