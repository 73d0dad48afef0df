"""REST: an issue: create, get, edit, delete, transitions and comments. `rest_extras` has links, properties, watchers and attachments."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, jsonify, request

from bot.sandbox.jira.access import caller, get_issue_for_writing, read_object, site, view
from bot.sandbox.jira.bodies import read_body
from bot.sandbox.jira.fields import JsonObject, draft_issue, edited_issue, object_in
from bot.sandbox.jira.records import Comment, Deployment, Issue
from bot.sandbox.jira.refusals import Refusal, bad_fields, bad_request
from bot.sandbox.jira.rest import api, created, no_content
from bot.sandbox.jira.workflow import Transition

LARGEST_LIST = 1000


@api.post("/issue")
def create_issue() -> Response:
    site().require("CREATE_ISSUES", "You do not have permission to create issues in this project.")
    draft = draft_issue(site(), object_in(read_object(), "fields"), view().version, caller())
    issue = site().create(draft)
    return created({"id": issue.id, "key": issue.key, "self": view().url(f"issue/{issue.id}")})


@api.get("/issue/<id_or_key>")
def get_issue(id_or_key: str) -> Response:
    issue = site().get_issue(id_or_key)
    names = frozenset(filter(None, request.args.get("fields", "").split(","))) or frozenset({"*all"})
    shown = view().issue(issue, names, frozenset(request.args.get("expand", "").split(",")))
    if "TRANSITION_ISSUES" in site().denied and "transitions" in shown:
        shown["transitions"] = []
    if wanted := request.args.get("properties"):
        keys = issue.properties.keys() if wanted == "*all" else set(wanted.split(",")) & issue.properties.keys()
        shown["properties"] = {key: issue.properties[key] for key in keys}
    return jsonify(shown)


@api.put("/issue/<id_or_key>")
def edit_issue(id_or_key: str) -> Response:
    site().require("EDIT_ISSUES", "You do not have permission to edit issues in this project.")
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        site().change(issue, edited_issue(site(), issue, read_object(), view().version), caller())
    return no_content()


@api.delete("/issue/<id_or_key>")
def delete_issue(id_or_key: str) -> Response:
    site().require("DELETE_ISSUES", "You do not have permission to delete issues in this project.")
    site().delete(get_issue_for_writing(id_or_key), caller())
    return no_content()


@api.get("/issue/<id_or_key>/transitions")
def transitions(id_or_key: str) -> Response:
    issue = site().get_issue(id_or_key)
    with_fields = "transitions.fields" in request.args.get("expand", "")
    wanted = request.args.get("transitionId")
    transitions = (
        issue.project.workflow.transitions_from(issue.status) if "TRANSITION_ISSUES" not in site().denied else ()
    )
    shown = [
        _transition_view(issue, taken, with_fields=with_fields) for taken in transitions if wanted in (None, taken.id)
    ]
    return jsonify(expand="transitions", transitions=shown)


def _transition_view(issue: Issue, taken: Transition, *, with_fields: bool) -> JsonObject:
    fields: JsonObject = {name: _screen_field(issue, name) for name in taken.screen}
    return view().transition(taken, fields=fields if with_fields else None)


def _screen_field(issue: Issue, name: str) -> JsonObject:
    if added := issue.project.field(name):
        return added.metadata(required=True)
    ids = issue.project.workflow.resolution_ids()
    allowed = {"allowedValues": [{"id": id_, "name": value} for id_, value in ids.items()]}
    return {
        "required": True,
        "name": name.capitalize(),
        "key": name,
        "fieldId": name,
        "hasDefaultValue": False,
        "operations": ["set"],
        "schema": {"type": name, "system": name},
        **(allowed if name == "resolution" else {}),
    }


@api.post("/issue/<id_or_key>/transitions")
def take_transition(id_or_key: str) -> Response:
    body = read_object()
    wanted = str(object_in(body, "transition").get("id", ""))
    if not wanted:
        raise bad_request("Missing 'transition' identifier")
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        site().require("TRANSITION_ISSUES", "You do not have permission to transition this issue.")
        taken = next(
            (taken for taken in issue.project.workflow.transitions_from(issue.status) if taken.id == wanted), None
        )
        if taken is None:
            raise bad_request(f"Transition id '{wanted}' is not valid for this issue.")
        issue = site().transition(issue, taken, _screen_values(issue, object_in(body, "fields")), caller())
    for comment in _comments_in(body):
        site().add_comment(issue, read_body(comment, view().version, "comment"), caller(), {})
    return no_content()


def _screen_values(issue: Issue, fields: JsonObject) -> dict[str, object]:
    """A select is sent by name or by id, any other field as its text."""
    values: dict[str, object] = {}
    for name, value in fields.items():
        if added := issue.project.field(name):
            values[name] = added.read(value, view().version)
        elif not isinstance(value, dict):
            values[name] = str(value)
        elif "name" in value:
            values[name] = str(value["name"])
        else:
            values[name] = _resolution_by_id(issue, str(value.get("id")))
    return values


def _resolution_by_id(issue: Issue, id_: str) -> str:
    name = issue.project.workflow.resolution_ids().get(id_)
    if name is None:
        raise bad_fields({"resolution": f"Resolution id '{id_}' is not valid"})
    return name


def _comments_in(body: JsonObject) -> list[object]:
    added = object_in(body, "update").get("comment", [])
    return [entry["add"]["body"] for entry in added] if isinstance(added, list) else []


@api.get("/issue/<id_or_key>/comment")
def comments(id_or_key: str) -> Response:
    issue = site().get_issue(id_or_key)
    start, size = request.args.get("startAt", 0, int), request.args.get("maxResults", 5000, int)
    ordered = issue.comments[::-1] if request.args.get("orderBy") == "-created" else issue.comments
    page = replace(issue, comments=ordered[start : start + size])
    shown = view().comments(page)
    return jsonify(shown | {"startAt": start, "maxResults": size, "total": len(issue.comments)})


@api.post("/issue/<id_or_key>/comment")
def add_comment(id_or_key: str) -> Response:
    site().require("ADD_COMMENTS", "You do not have the permission to comment on this issue.")
    issue, body = get_issue_for_writing(id_or_key), read_object()
    text = read_body(body.get("body"), view().version, "comment")
    if not text.as_text().strip():
        raise bad_fields({"comment": "Comment body can not be empty!"})
    comment = site().add_comment(issue, text, caller(), _properties(body))
    return created(view().comment(issue, comment))


@api.get("/issue/<id_or_key>/comment/<comment_id>")
def get_comment(id_or_key: str, comment_id: str) -> Response:
    issue, comment = _find_comment(id_or_key, comment_id)
    return jsonify(view().comment(issue, comment))


@api.put("/issue/<id_or_key>/comment/<comment_id>")
def update_comment(id_or_key: str, comment_id: str) -> Response:
    issue, comment = _find_comment(get_issue_for_writing(id_or_key).id, comment_id)
    body = read_object()
    text = read_body(body.get("body"), view().version, "comment")
    comment = replace(comment, body=text, properties=comment.properties | _properties(body))
    return jsonify(view().comment(issue, site().put_comment(issue, comment, caller())))


@api.post("/comment/list")
def comments_by_ids() -> Response:
    """Cloud only, and the one documented way to read the properties of many comments."""
    if site().deployment is Deployment.SERVER:
        raise Refusal(404, ("null for uri: comment/list",))
    given = read_object().get("ids")
    if not isinstance(given, list) or not 0 < len(given) <= LARGEST_LIST:
        raise bad_fields({"ids": f"From 1 to {LARGEST_LIST} ids are expected."})
    wanted = {str(id_) for id_ in given}
    expand = request.args.get("expand", "")
    found = [(issue, comment) for issue in site().issues() for comment in issue.comments if comment.id in wanted]
    values = [view().comment(issue, comment, expand) for issue, comment in found]
    return jsonify(startAt=0, maxResults=LARGEST_LIST, total=len(values), isLast=True, values=values)


@api.get("/comment/<comment_id>/properties/<key>")
def comment_property(comment_id: str, key: str) -> Response:
    for issue in site().issues():
        for comment in issue.comments:
            if comment.id == comment_id and key in comment.properties:
                return jsonify(key=key, value=comment.properties[key])
    raise Refusal(404, ("The comment or its property was not found.",))


def _find_comment(id_or_key: str, comment_id: str) -> tuple[Issue, Comment]:
    issue = site().get_issue(id_or_key)
    comment = next((comment for comment in issue.comments if comment.id == comment_id), None)
    if comment is None:
        raise Refusal(404, (f"Can not find a comment for the id: {comment_id}.",))
    return issue, comment


def _properties(body: JsonObject) -> dict[str, object]:
    given = body.get("properties", [])
    if not isinstance(given, list) or not all(isinstance(entry, dict) and "key" in entry for entry in given):
        raise bad_fields({"properties": "a list of objects with key and value was expected"})
    return {str(entry["key"]): entry.get("value") for entry in given}
