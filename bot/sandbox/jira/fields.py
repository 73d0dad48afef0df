"""Reads the `fields` of a create or an edit, collecting every mistake into Jira's `errors` map. What is stored is decided in site.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from bot.sandbox.jira.bodies import read_body
from bot.sandbox.jira.records import Issue
from bot.sandbox.jira.refusals import Refusal, bad_fields

if TYPE_CHECKING:
    from bot.sandbox.jira.records import Project, SandboxUser
    from bot.sandbox.jira.site import Site

JsonObject: TypeAlias = dict[str, object]
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
TEXT_LINE_LIMIT = 255


class _Wrong(ValueError):
    """What is wrong with one field, in Jira's words."""


def object_in(parent: JsonObject, name: str) -> JsonObject:
    """The object under `name`, empty when absent."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_fields({name: "data was not an object"})
    return value


def draft_issue(site: Site, fields: JsonObject, version: str, reporter: SandboxUser) -> Issue:
    """An issue without id and key, or every mistake at once."""
    errors: dict[str, str] = {}
    project = _find_by_id_or_key(site, fields.get("project"), errors)
    issue_type = _find_issue_type(site, project, fields.get("issuetype"), errors)
    parent = _find_parent(site, project, issue_type, fields.get("parent"), errors)
    rest = {name: value for name, value in fields.items() if name not in ("project", "issuetype", "parent")}
    custom = _read_custom(project, rest, version, errors) if project else {}
    changes = _read_fields(site, {"summary": None, **rest}, version, errors)
    if errors or project is None:
        raise bad_fields(errors)
    now = datetime.now(UTC)
    blank = Issue(
        "", "", project, issue_type, "", reporter, created=now, updated=now, status=project.workflow.statuses[0]
    )
    return replace(blank, custom=custom, parent=parent, **changes)  # type: ignore[arg-type]  # the readers below give each field its type


def _read_custom(project: Project, fields: JsonObject, version: str, errors: dict[str, str]) -> JsonObject:
    """Takes the fields that the project added, and those that its create screen lacks, out of `fields`."""
    read: JsonObject = {}
    for name in project.hidden & fields.keys():
        errors[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
        fields.pop(name)
    for field in project.fields:
        if field.id in fields and field.on_create:
            try:
                read[field.id] = field.read(fields.pop(field.id), version)
            except Refusal as refusal:
                errors.update(refusal.errors)
        elif field.required and field.on_create:
            errors[field.id] = f"{field.name} is required."
    return read


def edited_issue(site: Site, issue: Issue, body: JsonObject, version: str) -> Issue:
    errors: dict[str, str] = {}
    changes = _read_fields(site, object_in(body, "fields"), version, errors)
    labels = _updated_labels(issue, body, errors)
    if errors:
        raise bad_fields(errors)
    return replace(issue, **({"labels": labels} | changes))  # type: ignore[arg-type]  # as above


def _find_by_id_or_key(site: Site, raw: object, errors: dict[str, str]) -> Project | None:
    given = raw if isinstance(raw, dict) else {}
    project = site.find_project(str(given.get("key") or given.get("id") or ""))
    if project is None:
        errors["project"] = "Specify a valid project ID or key" if given else "project is required"
    return project


def _find_issue_type(site: Site, project: Project | None, raw: object, errors: dict[str, str]) -> str:
    given = raw if isinstance(raw, dict) else {}
    ids = site.issue_type_ids()
    offered = project.issue_types if project else tuple(ids)
    for name in offered:
        if name == given.get("name") or ids[name] == str(given.get("id", "")):
            return name
    errors["issuetype"] = "Specify a valid issue type" if given else "issue type is required"
    return ""


def _find_parent(site: Site, project: Project | None, issue_type: str, raw: object, errors: dict[str, str]) -> str:
    """The parent's id. https://developer.atlassian.com/server/jira/platform/jira-rest-api-examples/#creating-a-sub-task"""
    is_subtask = project is not None and issue_type in project.subtask_types
    if raw is None:
        if is_subtask:
            errors["issuetype"] = "Issue type is a sub-task but parent issue key or id not specified."
        return ""
    if not isinstance(raw, dict):
        errors["parent"] = "data was not an object"
        return ""
    named = str(raw.get("id") or raw.get("key") or "")
    parent = next((issue for issue in site.issues() if named in (issue.id, issue.key)), None)
    if parent is None or parent.project.key in site.unseen_projects:
        errors["parent"] = "Could not find issue by id or key."
    elif not is_subtask:
        errors["parentId"] = "Given parent issue does not belong to appropriate hierarchy."
    elif project is None or parent.project.key != project.key:
        errors["pid"] = "Sub-tasks must be created in the same project as the parent."
    elif parent.is_subtask:
        errors["parentIssueId"] = f"Issue {parent.key} is itself a sub-task."
    return parent.id if parent else ""


def _read_fields(site: Site, raw: JsonObject, version: str, errors: dict[str, str]) -> JsonObject:
    read: JsonObject = {}
    for name, value in raw.items():
        try:
            read[name] = _read_field(site, name, value, version)
        except _Wrong as wrong:
            errors[name] = str(wrong)
        except Refusal as refusal:
            errors.update(refusal.errors)
    return read


def _read_field(site: Site, name: str, value: object, version: str) -> object:
    if name == "description":
        return None if value is None else read_body(value, version, "description")
    if name not in READERS:
        raise _Wrong(f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")
    return READERS[name](site, value)


def _summary(_site: Site, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("You must specify a summary of the issue.")
    if "\n" in value or "\r" in value:
        raise _Wrong("The summary is invalid because it contains newline characters.")
    if len(value) > TEXT_LINE_LIMIT:
        raise _Wrong("Summary must be less than 255 characters.")
    return value


def _labels(_site: Site, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise _Wrong("data was not an array of strings")
    for label in value:
        _check_label(label)
    return tuple(dict.fromkeys(value))


def _check_label(label: str) -> None:
    if not label or any(character.isspace() for character in label):
        raise _Wrong(f"The label '{label}' contains spaces which is invalid.")
    if len(label) > TEXT_LINE_LIMIT:
        raise _Wrong(f"The label '{label[:20]}...' exceeds the maximum length of 255 characters.")


def _priority(_site: Site, value: object) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    if name not in PRIORITIES:
        raise _Wrong("The priority selected is invalid.")
    return str(name)


def _person(site: Site, value: object) -> SandboxUser | None:
    if value is None:
        return None
    handle = value.get("accountId") or value.get("name") if isinstance(value, dict) else None
    person = site.find_person(str(handle))
    if person is None:
        raise _Wrong(f"User '{handle}' does not exist.")
    return person


READERS: dict[str, Callable[[Site, object], object]] = {
    "summary": _summary,
    "labels": _labels,
    "priority": _priority,
    "assignee": _person,
    "reporter": _person,
}


def _updated_labels(issue: Issue, body: JsonObject, errors: dict[str, str]) -> tuple[str, ...]:
    """The `update` member: only labels can be added and removed one by one here."""
    update = object_in(body, "update")
    for name in update.keys() - {"labels"}:
        errors[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
    labels = list(issue.labels)
    operations = update.get("labels", [])
    for operation in operations if isinstance(operations, list) else []:
        try:
            labels = _with_operation(labels, operation)
        except _Wrong as wrong:
            errors["labels"] = str(wrong)
    return tuple(labels)


def _with_operation(labels: list[str], operation: object) -> list[str]:
    match operation:
        case {"add": str(label)}:
            _check_label(label)
            return [*labels, label] if label not in labels else labels
        case {"remove": str(label)}:
            return [other for other in labels if other != label]
        case {"set": list(new)}:
            return [str(label) for label in new]
    raise _Wrong("The operation must be one of add, remove, set.")
