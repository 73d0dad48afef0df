"""The pages to click on, and the JSON routes behind their buttons, which tests and the demo also call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for

from bot.sandbox.jira.access import read_object, sandbox, site
from bot.sandbox.jira.refusals import Refusal, bad_request
from bot.sandbox.jira.rest_extras import download
from bot.sandbox.jira.views import View
from bot.sandbox.jira.workflow import RESOLUTIONS

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from bot.sandbox.jira.records import Issue, Project

pages = Blueprint("pages", __name__, template_folder="templates", static_folder="static")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def add_security_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.get("/")
def first_board() -> AnyResponse:
    return redirect(url_for("pages.board", key=site().projects[0].key))


@pages.get("/projects/<key>/board")
def board(key: str) -> str:
    project = site().get_project(key)
    issues = [issue for issue in site().issues() if issue.project.key == project.key]
    columns = [(status, [issue for issue in issues if issue.status == status]) for status in project.workflow.statuses]
    return render_template("board.html", **_frame(project), columns=columns)


@pages.get("/browse/<key>")
def ticket(key: str) -> tuple[str, int]:
    try:
        issue = site().get_issue(key)
    except Refusal:
        return render_template("gone.html", **_frame(site().projects[0]), key=key), 404
    transitions = issue.project.workflow.transitions_from(issue.status)
    return render_template(
        "ticket.html", **_frame(issue.project), issue=issue, transitions=transitions, resolutions=RESOLUTIONS
    ), 200


@pages.get("/_sandbox/attachments/<attachment_id>/<filename>")
def attachment(attachment_id: str, filename: str) -> Response:
    """For people on the pages, who are logged in; a bot sends its token to `/secure/attachment`."""
    return download(attachment_id, filename)


def _frame(project: Project) -> dict[str, object]:
    people = [person for person in site().people if person.active and person != sandbox().bot]
    hues = {person.account_id: at % 6 for at, person in enumerate(site().people)}
    return {
        "project": project,
        "projects": site().projects,
        "people": people,
        "hues": hues,
        "deployment": site().deployment,
    }


@pages.get("/_sandbox/revision")
def revision() -> Response:
    """Grows with every change of the site; the pages poll it to know when to refresh."""
    return jsonify(revision=site().revision)


@pages.get("/_sandbox/issues")
def list_issues() -> Response:
    return jsonify(issues=[_as_json(issue) for issue in sandbox().issues()])


@pages.get("/_sandbox/issues/<key>")
def show_issue(key: str) -> Response:
    return jsonify(_as_json(sandbox().issue(key)))


@pages.post("/_sandbox/issues/<key>/transition")
def take_transition(key: str) -> Response:
    asked = _read_words("name", "person", "resolution", "comment")
    resolution, comment = asked["resolution"] or None, asked["comment"]
    return jsonify(_as_json(sandbox().transition(key, asked["name"], asked["person"], resolution, comment)))


@pages.post("/_sandbox/issues/<key>/text")
def edit_text(key: str) -> Response:
    asked = _read_words("person", "summary", "description")
    edited = sandbox().edit(key, asked["person"], summary=asked["summary"], description=asked["description"])
    return jsonify(_as_json(edited))


@pages.post("/_sandbox/issues/<key>/project")
def move_to_project(key: str) -> Response:
    asked = _read_words("person", "project")
    return jsonify(_as_json(sandbox().move(key, asked["project"], asked["person"])))


@pages.post("/_sandbox/issues/<key>/approvals")
def ask_for_approval(key: str) -> Response:
    """The person who acts asks themselves, as a workflow asks whom its status names."""
    asked = _read_words("person")
    sandbox().ask_approval(key, asked["person"])
    return jsonify(_as_json(sandbox().issue(key)))


@pages.post("/_sandbox/issues/<key>/approvals/<approval_id>")
def answer_approval(key: str, approval_id: str) -> Response:
    asked = _read_words("person", "decision")
    return jsonify(_as_json(sandbox().answer_approval(key, approval_id, asked["person"], asked["decision"])))


@pages.post("/_sandbox/issues/<key>/comments")
def add_comment(key: str) -> Response:
    asked = _read_words("text", "person")
    sandbox().comment(key, asked["text"], asked["person"])
    return jsonify(_as_json(sandbox().issue(key)))


@pages.delete("/_sandbox/issues/<key>")
def delete_issue(key: str) -> Response:
    sandbox().delete(key, request.args.get("person"))
    return jsonify(deleted=key)


def _read_words(*names: str) -> dict[str, str]:
    """Accepts only JSON, which a form on another site cannot send without a preflight request."""
    if not request.is_json:
        raise bad_request("The content type must be application/json.")
    body = read_object()
    return {name: str(body.get(name) or "") for name in names}


def _as_json(issue: Issue) -> dict[str, object]:
    shown = View(site(), "2").issue(issue, frozenset({"*all"}), frozenset({"changelog", "transitions"}))
    shown["remoteLinks"] = [View(site(), "2").remote_link(issue, link) for link in issue.remote_links]
    return shown
