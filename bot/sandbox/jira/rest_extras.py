"""REST: an issue's remote links, properties, watchers and attachments."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

from flask import Response, jsonify, request, send_file

from bot.sandbox.jira.access import caller, get_issue_for_writing, read_object, require_credentials, sandbox, site, view
from bot.sandbox.jira.fields import JsonObject, object_in
from bot.sandbox.jira.records import Attachment, Deployment, LinkType, RemoteLink
from bot.sandbox.jira.refusals import Refusal, bad_fields
from bot.sandbox.jira.rest import api, created, no_content


@api.get("/issue/<id_or_key>/remotelink")
def remote_links(id_or_key: str) -> Response:
    issue = site().get_issue(id_or_key)
    global_id = request.args.get("globalId")
    if global_id is None:
        return jsonify([view().remote_link(issue, link) for link in issue.remote_links])
    found = next((link for link in issue.remote_links if link.global_id == global_id), None)
    if found is None:
        raise Refusal(404, (f"The remote issue link with global ID '{global_id}' does not exist.",))
    return jsonify(view().remote_link(issue, found))


@api.post("/issue/<id_or_key>/remotelink")
def put_remote_link(id_or_key: str) -> Response:
    site().require("LINK_ISSUES", "You do not have permission to link issues in this project.")
    link = _read_link(read_object())
    stored, is_new = site().put_remote_link(get_issue_for_writing(id_or_key), link)
    where = view().url(f"issue/{id_or_key}/remotelink/{stored.id}")
    return created({"id": int(stored.id), "self": where}, 201 if is_new else 200)


def _read_link(body: JsonObject) -> RemoteLink:
    shown = object_in(body, "object")
    link = RemoteLink(
        id="",
        global_id=str(body.get("globalId", "")),
        title=str(shown.get("title", "")),
        url=str(shown.get("url", "")),
        summary=str(shown.get("summary", "")),
        relationship=str(body.get("relationship", "")),
        application=str(object_in(body, "application").get("name", "")),
    )
    errors = {name: f"'{name}' is required." for name in ("title", "url") if not getattr(link, name)}
    errors |= {
        name: f"'{name}' is longer than 255 characters."
        for name in ("title", "global_id")
        if len(getattr(link, name)) > 255
    }
    if errors:
        raise bad_fields(errors)
    return link


@api.delete("/issue/<id_or_key>/remotelink")
def delete_remote_link(id_or_key: str) -> Response:
    global_id = request.args.get("globalId", "")
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        kept = tuple(link for link in issue.remote_links if link.global_id != global_id)
        if kept == issue.remote_links:
            raise Refusal(404, (f"The remote issue link with global ID '{global_id}' does not exist.",))
        site().touch(replace(issue, remote_links=kept))
    return no_content()


@api.get("/issueLinkType")
def link_types() -> Response:
    return jsonify(issueLinkTypes=[view().link_type(type_) for type_ in _link_types()])


@api.post("/issueLink")
def link_issues() -> Response:
    """The answer has no body, also to a link that is there already."""
    site().require("LINK_ISSUES", "No Link Issue Permission for issue.")
    body = read_object()
    name = str(object_in(body, "type").get("name", ""))
    type_ = next((one for one in _link_types() if one.name == name), None)
    if type_ is None:
        raise Refusal(404, (f"No issue link type with name '{name}' found.",))
    start, end = (object_in(body, side) for side in ("inwardIssue", "outwardIssue"))
    site().add_link(type_, *(site().get_issue(str(one.get("key") or one.get("id") or "")) for one in (start, end)))
    return Response(status=201)


def _link_types() -> tuple[LinkType, ...]:
    types = site().link_types
    if types is None:
        raise Refusal(404, ("Issue linking is currently disabled.",))
    return types


@api.get("/issue/<id_or_key>/properties")
def issue_properties(id_or_key: str) -> Response:
    return jsonify(
        keys=[
            {"key": key, "self": view().url(f"issue/{id_or_key}/properties/{key}")}
            for key in site().get_issue(id_or_key).properties
        ]
    )


@api.get("/issue/<id_or_key>/properties/<key>")
def issue_property(id_or_key: str, key: str) -> Response:
    properties = site().get_issue(id_or_key).properties
    if key not in properties:
        raise Refusal(404, (f"The property {key} does not exist.",))
    return jsonify(key=key, value=properties[key])


@api.put("/issue/<id_or_key>/properties/<key>")
def put_issue_property(id_or_key: str, key: str) -> Response:
    value = request.get_json(silent=True, force=True)
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        is_new = key not in issue.properties
        site().touch(replace(issue, properties=issue.properties | {key: value}))
    return no_content(201 if is_new else 200)


@api.delete("/issue/<id_or_key>/properties/<key>")
def delete_issue_property(id_or_key: str, key: str) -> Response:
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        site().touch(
            replace(issue, properties={name: value for name, value in issue.properties.items() if name != key})
        )
    return no_content()


@api.get("/issue/<id_or_key>/watchers")
def watchers(id_or_key: str) -> Response:
    issue = site().get_issue(id_or_key)
    people = [view().user(person) for person in issue.watchers]
    return jsonify(watchCount=len(people), isWatching=caller() in issue.watchers, watchers=people)


@api.post("/issue/<id_or_key>/watchers")
def add_watcher(id_or_key: str) -> Response:
    handle = request.get_json(silent=True, force=True)
    handle = next(iter(handle.values()), "") if isinstance(handle, dict) else handle
    person = site().find_person(str(handle)) if handle else caller()
    if person is None:
        raise Refusal(400, (f"The user '{handle}' does not exist.",))
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        site().touch(replace(issue, watchers=tuple(dict.fromkeys((*issue.watchers, person)))))
    return no_content()


@api.delete("/issue/<id_or_key>/watchers")
def remove_watcher(id_or_key: str) -> Response:
    name = "accountId" if site().deployment is Deployment.CLOUD else "username"
    with site().lock:
        issue = get_issue_for_writing(id_or_key)
        kept = tuple(person for person in issue.watchers if person.account_id != request.args.get(name))
        site().touch(replace(issue, watchers=kept))
    return no_content()


@api.post("/issue/<id_or_key>/attachments")
def add_attachments(id_or_key: str) -> Response:
    site().require("CREATE_ATTACHMENTS", "You do not have permission to create attachments for this issue.")
    if request.headers.get("X-Atlassian-Token") != "no-check":
        raise Refusal(403, ("XSRF check failed",))
    issue = get_issue_for_writing(id_or_key)
    added = [
        site().add_attachment(issue, name, mime_type, content, caller()) for name, mime_type, content in _sent_files()
    ]
    return created([view().attachment(attachment) for attachment in added], 200)


def _sent_files() -> list[tuple[str, str, bytes]]:
    """All files or none: one that is too large refuses the whole call."""
    sent = [
        (file.filename or "unnamed", file.mimetype or "application/octet-stream", file.read())
        for file in request.files.getlist("file")
    ]
    limit = sandbox().attachment_limit
    for name, _, content in sent:
        if len(content) > limit:
            raise Refusal(413, (f"The file {name} exceeds its maximum permitted size of {limit} bytes.",))
    return sent


@api.get("/attachment/meta")
def attachment_settings() -> Response:
    return jsonify(enabled=True, uploadLimit=sandbox().attachment_limit)


@api.get("/attachment/<attachment_id>")
def attachment(attachment_id: str) -> Response:
    return jsonify(view().attachment(_find_attachment(attachment_id)))


def attachment_content(attachment_id: str, filename: str) -> Response:
    """Outside the REST API, as in Jira."""
    require_credentials()
    return download(attachment_id, filename)


def download(attachment_id: str, filename: str) -> Response:
    """Always a download, so that an attached HTML page never runs on the site."""
    found = _find_attachment(attachment_id)
    if filename != found.filename:
        raise Refusal(404, ("The attachment does not exist.",))
    return send_file(BytesIO(found.content), mimetype=found.mime_type, as_attachment=True, download_name=found.filename)


def _find_attachment(attachment_id: str) -> Attachment:
    attached = (attachment for issue in site().issues() for attachment in issue.attachments)
    found = next((attachment for attachment in attached if attachment.id == attachment_id), None)
    if found is None:
        raise Refusal(404, (f"The attachment with id '{attachment_id}' does not exist",))
    return found
