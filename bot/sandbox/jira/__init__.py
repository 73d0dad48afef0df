"""A local Jira: REST as Cloud or as Data Center, signed webhooks, and pages to click on. State lives in memory, for demo and tests.

    jira = JiraSandbox(deployment=Deployment.SERVER)
    with serving(jira) as url:            # JIRA_URL; the board is at url, a ticket at url/browse/GOV-1
        ...

This imitates the vendor and contains none of Countersign's own logic.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from bot.sandbox.faults import Faults
from bot.sandbox.jira import rest_extras, rest_issues, rest_search, rest_site  # noqa: F401  # they put their routes on the blueprint
from bot.sandbox.jira.access import GATEWAY, SANDBOX, Credentials, WriteLimit
from bot.sandbox.jira.bodies import Body
from bot.sandbox.jira.deciding import approvals, changelog  # noqa: F401  # the latter puts its route on the blueprint
from bot.sandbox.jira.fields import draft_issue
from bot.sandbox.jira.pages import add_security_headers, pages
from bot.sandbox.jira.records import Comment, Deployment, Issue, Project, RemoteLink, SandboxUser
from bot.sandbox.jira.refusals import Refusal
from bot.sandbox.jira.rest import api, refusal_response
from bot.sandbox.jira.screens import Field
from bot.sandbox.jira.site import Site
from bot.sandbox.jira.webhooks import Webhooks
from bot.sandbox.jira.workflow import STEPPED_WORKFLOW, Category, Status, Transition, Workflow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = [
    "CLOUD_ID",
    "STEPPED_WORKFLOW",
    "Category",
    "Comment",
    "Deployment",
    "Field",
    "Issue",
    "JiraSandbox",
    "Project",
    "Refusal",
    "RemoteLink",
    "SandboxUser",
    "Status",
    "Transition",
    "Workflow",
]

PEOPLE = (
    SandboxUser("ana", "Ana Ruiz", "ana@example.com"),
    SandboxUser("ben", "Ben Okafor", "ben@example.com"),
    SandboxUser("cy", "Cy Lindqvist", "cy@example.com"),
)
PROJECTS = (Project("GOV", "Model governance"),)
BOT_EMAIL = "countersign@example.com"
CALLS_KEPT = 2000
CLOUD_ID = "8a1d2c44-0000-4000-8000-5d1b7a3e9f10"
ATTACHMENT_LIMIT = 10 * 1024 * 1024  # bytes; Data Center's own default


class JiraSandbox:
    """A WSGI application. `search_lag`, `webhook_url`, `limit_writes`, `denied_permissions` and `attachment_limit` may be changed
    while it runs; the last is in bytes. So may what real sites do to a token:

    - `token_expired`: some calls answer 200 with nothing in it and a header, as to someone without an account; others 401.
    - `quota`: as many calls are left, of all kinds; then each is answered 429 with `quota_resets` seconds to wait. None: no quota.
    - `scopes`: of a scoped token, which works only below /ex/jira/CLOUD_ID, the path of Atlassian's gateway. None: one without scopes.
    """

    def __init__(
        self,
        *,
        deployment: Deployment = Deployment.CLOUD,
        people: tuple[SandboxUser, ...] = PEOPLE,
        projects: tuple[Project, ...] = PROJECTS,
        email: str = BOT_EMAIL,
        api_token: str = "sandbox-api-token",
        token: str = "sandbox-token",
        webhook_url: str | None = None,
        webhook_secret: str = "sandbox-jira-webhook-secret",
        webhook_pauses: tuple[float, ...] = (0.5, 2.0, 5.0),
        search_lag: float = 0.0,
        limit_writes: bool = False,
        denied_permissions: frozenset[str] = frozenset(),
    ) -> None:
        known = next((person for person in people if person.email == email), None)
        self.bot = known or SandboxUser("countersign", "Countersign", email)
        self.email, self.api_token, self.token = email, api_token, token
        self.calls: deque[str] = deque(maxlen=CALLS_KEPT)
        self.site = Site(deployment, people if known else (*people, self.bot), projects, search_lag, denied_permissions)
        self.webhooks = Webhooks(self.site, webhook_url, webhook_secret, webhook_pauses)
        self.site.tell = self.webhooks.tell
        self.credentials = Credentials(email, api_token, token)
        self.write_limit = WriteLimit(on=limit_writes)
        self.attachment_limit = ATTACHMENT_LIMIT
        self.token_expired = False
        self.quota: int | None = None
        self.quota_resets = 60
        self.scopes: frozenset[str] | None = None
        self.faults = Faults(_application())

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[SANDBOX] = self
        self.site.base_url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        if environ["PATH_INFO"].startswith(f"/ex/jira/{CLOUD_ID}/"):
            environ[GATEWAY] = True
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(f"/ex/jira/{CLOUD_ID}")
        if environ["PATH_INFO"].startswith("/rest/"):
            self.calls.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.faults(environ, start_response)

    # For tests and the demo

    def issues(self) -> list[Issue]:
        """Newest first."""
        return self.site.issues()

    def issue(self, key: str) -> Issue:
        return self.site.get_issue(key)

    def comments(self, key: str) -> tuple[Comment, ...]:
        return self.issue(key).comments

    def remote_links(self, key: str) -> tuple[RemoteLink, ...]:
        return self.issue(key).remote_links

    def transition(self, key: str, name: str, person: str, resolution: str | None = None, comment: str = "") -> Issue:
        """`name` is a transition's name or id; `person` an account id, an e-mail address or a display name.

        The comment is the one of the transition's screen.
        """
        actor, screen = self._person(person), {"resolution": resolution} if resolution else {}
        with self.site.lock:
            issue = self.issue(key)
            issue = self.site.transition(issue, self.site.get_transition(issue, name), screen, actor)
        if comment.strip():
            self.site.add_comment(issue, Body(markup=comment), actor, {})
        return issue

    def edit(self, key: str, person: str, *, summary: str = "", description: str = "") -> Issue:
        """As a person does on the page."""
        with self.site.lock:
            issue = self.issue(key)
            text = Body(markup=description) if description else issue.description
            after = replace(issue, summary=summary or issue.summary, description=text)
            return self.site.change(issue, after, self._person(person))

    def move(self, key: str, project: str, person: str) -> Issue:
        return self.site.move(self.issue(key), self.site.get_project(project), self._person(person))

    def ask_approval(self, key: str, *people: str, needed: int = 1) -> str:
        """As a status of a service desk's workflow does; returns the approval's id."""
        asked = tuple(self._person(person) for person in people)
        return approvals.ask(self.site, self.issue(key), asked, needed).approvals[-1].id

    def answer_approval(self, key: str, approval_id: str, person: str, said: str) -> Issue:
        """`said` is approved or declined."""
        return approvals.answer(self.site, self.issue(key), approval_id, self._person(person), said)

    def open(self, project: str, summary: str, person: str) -> Issue:
        """As a person does on the page."""
        fields: dict[str, object] = {
            "project": {"key": project},
            "issuetype": {"name": self.site.get_project(project).issue_types[0]},
            "summary": summary,
        }
        return self.site.create(draft_issue(self.site, fields, "2", self._person(person)))

    def comment(self, key: str, text: str, person: str) -> Comment:
        if not text.strip():
            raise Refusal(400, errors={"comment": "Comment body can not be empty!"})
        return self.site.add_comment(self.issue(key), Body(markup=text), self._person(person), {})

    def delete(self, key: str, person: str | None = None) -> None:
        self.site.delete(self.issue(key), self._person(person) if person else self.site.people[0])

    def _person(self, handle: str) -> SandboxUser:
        person = self.site.find_person(handle)
        if person is None:
            raise Refusal(404, (f"There is nobody called '{handle}' on this site.",))
        return person

    # Switches

    @property
    def search_lag(self) -> float:
        """Seconds until search sees a change."""
        return self.site.search_lag

    @search_lag.setter
    def search_lag(self, seconds: float) -> None:
        self.site.search_lag = seconds

    @property
    def webhook_url(self) -> str | None:
        return self.webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.webhooks.url = url

    @property
    def limit_writes(self) -> bool:
        """Whether the 21st write to an issue within 2 seconds is answered with 429."""
        return self.write_limit.on

    @limit_writes.setter
    def limit_writes(self, on: bool) -> None:
        self.write_limit.on = on

    @property
    def denied_permissions(self) -> frozenset[str]:
        """Jira's permission keys that the bot does not have, such as `ADD_COMMENTS`."""
        return self.site.denied

    @denied_permissions.setter
    def denied_permissions(self, keys: frozenset[str]) -> None:
        self.site.denied = keys


@cache
def _application() -> Flask:
    """Shared by all sandboxes; it holds no state."""
    flask = Flask(__name__, static_folder=None)
    flask.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    flask.register_blueprint(pages)
    flask.register_blueprint(api)
    flask.register_blueprint(approvals.service_desk)
    flask.add_url_rule("/secure/attachment/<attachment_id>/<filename>", view_func=rest_extras.attachment_content)
    flask.add_url_rule("/rest/applinks/latest/listApplicationlinks", view_func=_no_application_links)
    flask.register_error_handler(Refusal, refusal_response)
    flask.register_error_handler(HTTPException, _http_refusal)
    flask.after_request(add_security_headers)
    return flask


def _no_application_links() -> Response:
    return jsonify(list=[])


def _http_refusal(error: HTTPException) -> Response:
    if request.path.startswith("/rest/"):
        return refusal_response(Refusal(error.code or 500, (error.description or "",)))
    return error.get_response()  # type: ignore[return-value]  # werkzeug's own page is enough here
