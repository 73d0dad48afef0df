"""REST: what does not belong to one issue: me, my permissions, projects, fields, create metadata, users."""

from __future__ import annotations

from flask import Response, jsonify, request

from bot.sandbox.jira.access import caller, site, view
from bot.sandbox.jira.fields import PRIORITIES, JsonObject
from bot.sandbox.jira.records import Deployment, Project, SandboxUser
from bot.sandbox.jira.refusals import Refusal, bad_request
from bot.sandbox.jira.rest import api
from bot.sandbox.jira.site import PERMISSIONS

# id -> (name, required, type, items)
FIELDS: dict[str, tuple[str, bool, str, str | None]] = {
    "summary": ("Summary", True, "string", None),
    "parent": ("Parent", True, "issuelink", None),
    "project": ("Project", True, "project", None),
    "issuetype": ("Issue Type", True, "issuetype", None),
    "description": ("Description", False, "string", None),
    "labels": ("Labels", False, "array", "string"),
    "priority": ("Priority", False, "priority", None),
    "assignee": ("Assignee", False, "user", None),
    "reporter": ("Reporter", False, "user", None),
    "status": ("Status", False, "status", None),
    "resolution": ("Resolution", False, "resolution", None),
    "created": ("Created", False, "datetime", None),
    "updated": ("Updated", False, "datetime", None),
    "comment": ("Comment", False, "comments-page", None),
    "attachment": ("Attachment", False, "array", "attachment"),
}
NOT_ON_THE_CREATE_SCREEN = frozenset({"status", "resolution", "created", "updated", "comment", "attachment"})


def _schema(id_: str) -> JsonObject:
    _, _, kind, items = FIELDS[id_]
    schema: JsonObject = {"type": kind, "system": id_}
    return schema | {"items": items} if items else schema


@api.get("/myself")
def myself() -> Response:
    return jsonify(view().user(caller()))


@api.get("/mypermissions")
def my_permissions() -> Response:
    if project_key := request.args.get("projectKey"):
        site().get_project(project_key)
    asked = request.args.get("permissions", "").split(",") if request.args.get("permissions") else list(PERMISSIONS)
    if site().deployment is Deployment.CLOUD and "permissions" not in request.args:
        raise bad_request("The 'permissions' query parameter is required.")
    if unknown := set(asked) - set(PERMISSIONS):
        raise bad_request(f"Unrecognized permission: {min(unknown)}")
    return jsonify(permissions={key: _permission(key) for key in asked})


def _permission(key: str) -> JsonObject:
    """Browse users and groups is a global permission, all others are of the project."""
    held = key not in site().denied
    name = key.replace("_", " ").capitalize()
    return {
        "id": str(PERMISSIONS.index(key) + 1),
        "key": key,
        "name": name,
        "type": "GLOBAL" if key == "USER_PICKER" else "PROJECT",
        "havePermission": held,
    }


@api.get("/project")
def projects() -> Response:
    return jsonify([view().project(project) for project in site().projects if site().may_browse(project)])


@api.get("/project/search")
def search_projects() -> Response:
    """Cloud's alone: what the account may browse, at most 50 a page."""
    if site().deployment is Deployment.SERVER:
        raise Refusal(404, ("No project could be found with key 'search'.",))
    seen = [project for project in site().projects if site().may_browse(project)]
    start, size = request.args.get("startAt", 0, int), min(request.args.get("maxResults", 50, int), 50)
    page = [view().project(project) for project in seen[start : start + size]]
    return jsonify(startAt=start, maxResults=size, total=len(seen), isLast=start + size >= len(seen), values=page)


@api.get("/project/<id_or_key>")
def project(id_or_key: str) -> Response:
    return jsonify(view().whole_project(site().get_project(id_or_key)))


@api.get("/project/<id_or_key>/statuses")
def project_statuses(id_or_key: str) -> Response:
    found = site().get_project(id_or_key)
    statuses = [view().status(status) for status in found.workflow.statuses]
    return jsonify([view().issue_type(name) | {"statuses": statuses} for name in found.issue_types])


@api.get("/issuetype")
def issue_types() -> Response:
    return jsonify([view().issue_type(name) for name in site().issue_type_ids()])


@api.get("/status")
def statuses() -> Response:
    unique = dict.fromkeys(status for project in site().projects for status in project.workflow.statuses)
    return jsonify([view().status(status) for status in unique])


@api.get("/resolution")
def resolutions() -> Response:
    found = {id_: name for project in site().projects for id_, name in project.workflow.resolution_ids().items()}
    return jsonify([{"id": id_, "name": name} for id_, name in found.items()])


@api.get("/priority")
def priorities() -> Response:
    return jsonify([{"id": str(at + 1), "name": name} for at, name in enumerate(PRIORITIES)])


@api.get("/field")
def fields() -> Response:
    return jsonify(
        [
            {
                "id": id_,
                "key": id_,
                "name": FIELDS[id_][0],
                "custom": False,
                "clauseNames": [id_],
                "schema": _schema(id_),
            }
            for id_ in FIELDS
        ]
    )


# Create metadata: the old call in one piece (gone from Data Center 9), the new ones by project and type


@api.get("/issue/createmeta")
def old_create_metadata() -> Response:
    if site().deployment is Deployment.SERVER:
        raise Refusal(404, ("Issue Does Not Exist",))
    wanted = {key for key in request.args.get("projectKeys", "").split(",") if key}
    with_fields = "projects.issuetypes.fields" in request.args.get("expand", "")
    found = [project for project in site().projects if not wanted or project.key in wanted]
    return jsonify(projects=[_old_project_metadata(project, with_fields=with_fields) for project in found])


def _old_project_metadata(found: Project, *, with_fields: bool) -> JsonObject:
    def of_type(name: str) -> JsonObject:
        shown = {str(field["fieldId"]): field for field in _create_screen(found, name)}
        return view().issue_type(name) | ({"fields": shown} if with_fields else {})

    return view().project(found) | {"issuetypes": [of_type(name) for name in found.issue_types]}


@api.get("/issue/createmeta/<id_or_key>/issuetypes")
def create_metadata(id_or_key: str) -> Response:
    found = site().get_project(id_or_key)
    return _page("issueTypes", [view().issue_type(name) for name in found.issue_types])


@api.get("/issue/createmeta/<id_or_key>/issuetypes/<type_id>")
def create_metadata_of_type(id_or_key: str, type_id: str) -> Response:
    found = site().get_project(id_or_key)
    name = next((name for name in found.issue_types if site().issue_type_ids()[name] == type_id), None)
    if name is None:
        raise Refusal(404, ("The issue type could not be found in this project.",))
    return _page("fields", _create_screen(found, name))


def _create_screen(found: Project, type_name: str) -> list[JsonObject]:
    absent = NOT_ON_THE_CREATE_SCREEN | found.hidden | (frozenset() if type_name in found.subtask_types else {"parent"})
    own = [_field_metadata(name) for name in FIELDS if name not in absent]
    return own + [field.metadata(required=field.required) for field in found.fields if field.on_create]


def _field_metadata(id_: str) -> JsonObject:
    name, required, _, _ = FIELDS[id_]
    return {
        "fieldId": id_,
        "key": id_,
        "name": name,
        "required": required,
        "hasDefaultValue": False,
        "schema": _schema(id_),
    }


def _page(cloud_name: str, values: list[JsonObject]) -> Response:
    """Cloud names the list after what is in it, Data Center calls it `values`."""
    start, size = request.args.get("startAt", 0, int), min(request.args.get("maxResults", 50, int), 50)
    page: JsonObject = {"startAt": start, "maxResults": size, "total": len(values)}
    is_last, values = start + size >= len(values), values[start : start + size]
    if site().deployment is Deployment.CLOUD:
        return jsonify(page | {cloud_name: values})
    return jsonify(page | {"values": values, "isLast": is_last})


@api.get("/user")
def user() -> Response:
    site().require("USER_PICKER", "You do not have permission to browse users.")
    handle = request.args.get("accountId") or request.args.get("username") or request.args.get("key") or ""
    found = next((person for person in site().people if person.account_id == handle), None)
    if found is None:
        raise Refusal(404, (f"The user named '{handle}' does not exist",))
    return jsonify(view().user(found))


@api.get("/user/search")
def search_users() -> Response:
    return _people_page(_matching_people())


@api.get("/user/assignable/search")
def search_assignable_users() -> Response:
    if key := request.args.get("issueKey"):
        site().get_issue(key)
    elif key := request.args.get("project"):
        site().get_project(key)
    else:
        raise bad_request("A project key or an issue key is required.")
    return _people_page([person for person in _matching_people() if person.active])


def _matching_people() -> list[SandboxUser]:
    wanted = (request.args.get("query") or request.args.get("username") or "").casefold()
    return [
        p for p in site().people if any(wanted in name.casefold() for name in (p.display_name, p.email, p.account_id))
    ]


def _people_page(people: list[SandboxUser]) -> Response:
    start, size = request.args.get("startAt", 0, int), request.args.get("maxResults", 50, int)
    return jsonify([view().user(person) for person in people[start : start + size]])
