"""The site's records as Jira's JSON, for one API version and one kind of deployment. No decisions here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.jira.records import Deployment

if TYPE_CHECKING:
    from datetime import datetime

    from bot.sandbox.jira.bodies import Body
    from bot.sandbox.jira.fields import JsonObject
    from bot.sandbox.jira.records import (
        Attachment,
        Change,
        Comment,
        Issue,
        LinkType,
        Project,
        RemoteLink,
        SandboxUser,
    )
    from bot.sandbox.jira.site import Site
    from bot.sandbox.jira.workflow import Status, Transition

CATEGORY_IDS = {"new": 2, "indeterminate": 4, "done": 3}
CATEGORY_NAMES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}


def as_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@dataclass(frozen=True)
class View:
    site: Site
    version: str

    def url(self, path: str) -> str:
        return f"{self.site.base_url}/rest/api/{self.version}/{path}"

    def body(self, body: Body) -> object:
        return body.as_document() if self.version == "3" else body.as_markup()

    def user(self, user: SandboxUser) -> JsonObject:
        shared: JsonObject = {"displayName": user.display_name, "active": user.active}
        if user.shows_email:
            shared["emailAddress"] = user.email
        if self.site.deployment is Deployment.CLOUD:
            where = self.url(f"user?accountId={user.account_id}")
            return {
                "self": where,
                "accountId": user.account_id,
                "accountType": user.account_type,
                "timeZone": "Etc/UTC",
                **shared,
            }
        return {
            "self": self.url(f"user?username={user.account_id}"),
            "name": user.account_id,
            "key": user.account_id,
            **shared,
        }

    def status(self, status: Status) -> JsonObject:
        category = status.category.value
        return {
            "self": self.url(f"status/{status.id}"),
            "id": status.id,
            "name": status.name,
            "description": "",
            "statusCategory": {"id": CATEGORY_IDS[category], "key": category, "name": CATEGORY_NAMES[category]},
        }

    def issue_type(self, name: str) -> JsonObject:
        id_ = self.site.issue_type_ids()[name]
        is_subtask = any(name in project.subtask_types for project in self.site.projects)
        return {"self": self.url(f"issuetype/{id_}"), "id": id_, "name": name, "description": "", "subtask": is_subtask}

    def project(self, project: Project) -> JsonObject:
        id_ = self.site.project_id(project)
        return {
            "self": self.url(f"project/{id_}"),
            "id": id_,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "service_desk" if project.service_desk else "software",
            "style": "next-gen" if project.team_managed else "classic",
            "simplified": project.team_managed,
        }

    def whole_project(self, project: Project) -> JsonObject:
        return self.project(project) | {"issueTypes": [self.issue_type(name) for name in project.issue_types]}

    def issue(self, issue: Issue, names: frozenset[str], expand: frozenset[str] = frozenset()) -> JsonObject:
        shown: JsonObject = {
            "id": issue.id,
            "key": issue.key,
            "self": self.url(f"issue/{issue.id}"),
            "expand": "transitions,changelog",
        }
        if names != {"id"}:
            fields = self.fields(issue)
            shown["fields"] = fields if "*all" in names else {name: fields[name] for name in fields if name in names}
        if "transitions" in expand:
            shown["transitions"] = [
                self.transition(transition) for transition in issue.project.workflow.transitions_from(issue.status)
            ]
        if "changelog" in expand:
            shown["changelog"] = self.changelog(issue)
        return shown

    def fields(self, issue: Issue) -> JsonObject:
        return {
            "summary": issue.summary,
            "description": self.body(issue.description) if issue.description else None,
            "project": self.project(issue.project),
            "issuetype": self.issue_type(issue.issue_type),
            "status": self.status(issue.status),
            "resolution": {"name": issue.resolution} if issue.resolution else None,
            "priority": {"name": issue.priority},
            "labels": list(issue.labels),
            "reporter": self.user(issue.reporter),
            "creator": self.user(issue.reporter),
            "assignee": self.user(issue.assignee) if issue.assignee else None,
            "created": as_time(issue.created),
            "updated": as_time(issue.updated),
            "comment": self.comments(issue),
            "attachment": [self.attachment(attachment) for attachment in issue.attachments],
            "issuelinks": self.links(issue),
            **({"parent": self.short(self.site.get_issue(issue.parent))} if issue.parent else {}),
            **issue.custom,
        }

    def short(self, issue: Issue) -> JsonObject:
        """An issue as another one shows it."""
        fields = {"summary": issue.summary, "status": self.status(issue.status)}
        return {"id": issue.id, "key": issue.key, "self": self.url(f"issue/{issue.id}"), "fields": fields}

    def links(self, issue: Issue) -> list[JsonObject]:
        shown: list[JsonObject] = []
        for link in self.site.links:
            if issue.id in (link.start, link.end):
                other, side = (link.end, "outwardIssue") if issue.id == link.start else (link.start, "inwardIssue")
                shown.append(
                    {"id": link.id, "type": self.link_type(link.type), side: self.short(self.site.get_issue(other))}
                )
        return shown

    def link_type(self, type_: LinkType) -> JsonObject:
        return {"name": type_.name, "inward": type_.inward, "outward": type_.outward}

    def comments(self, issue: Issue) -> JsonObject:
        comments = [self.comment(issue, comment) for comment in issue.comments]
        return {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0}

    def comment(self, issue: Issue, comment: Comment, expand: str = "") -> JsonObject:
        shown: JsonObject = {
            "self": self.url(f"issue/{issue.id}/comment/{comment.id}"),
            "id": comment.id,
            "author": self.user(comment.author),
            "body": self.body(comment.body),
            "created": as_time(comment.created),
            "updated": as_time(comment.updated),
        }
        if "properties" in expand:
            shown["properties"] = [{"key": key, "value": value} for key, value in comment.properties.items()]
        return shown

    def remote_link(self, issue: Issue, link: RemoteLink) -> JsonObject:
        shown: JsonObject = {
            "id": int(link.id),
            "self": self.url(f"issue/{issue.key}/remotelink/{link.id}"),
            "application": {"name": link.application} if link.application else {},
            "object": {
                "url": link.url,
                "title": link.title,
                "summary": link.summary,
                "icon": {},
                "status": {"icon": {}},
            },
        }
        optional = {"globalId": link.global_id, "relationship": link.relationship}
        return shown | {name: value for name, value in optional.items() if value}

    def transition(self, transition: Transition, *, fields: JsonObject | None = None) -> JsonObject:
        shown: JsonObject = {
            "id": transition.id,
            "name": transition.name,
            "to": self.status(transition.to),
            "hasScreen": bool(transition.screen),
            "isGlobal": False,
            "isInitial": False,
            "isAvailable": True,
            "isConditional": False,
        }
        return shown if fields is None else shown | {"fields": fields}

    def changelog(self, issue: Issue) -> JsonObject:
        """Cloud begins with the newest entry here, and Data Center with the oldest."""
        cloud = self.site.deployment is Deployment.CLOUD
        histories = [self.change(change) for change in (reversed(issue.history) if cloud else issue.history)]
        return {"startAt": 0, "maxResults": len(histories), "total": len(histories), "histories": histories}

    def change(self, change: Change) -> JsonObject:
        return {
            "id": change.id,
            "author": self.user(change.author),
            "created": as_time(change.created),
            "items": self.change_items(change),
        }

    def change_items(self, change: Change) -> list[JsonObject]:
        return [
            {
                "field": item.field,
                "fieldtype": "jira",
                **({"fieldId": item.field} if self.site.deployment is Deployment.CLOUD else {}),
                "from": item.before_id,
                "fromString": item.before,
                "to": item.after_id,
                "toString": item.after,
            }
            for item in change.items
        ]

    def attachment(self, attachment: Attachment) -> JsonObject:
        return {
            "self": self.url(f"attachment/{attachment.id}"),
            "id": attachment.id,
            "filename": attachment.filename,
            "author": self.user(attachment.author),
            "created": as_time(attachment.created),
            "size": len(attachment.content),
            "mimeType": attachment.mime_type,
            "content": f"{self.site.base_url}/secure/attachment/{attachment.id}/{attachment.filename}",
        }
