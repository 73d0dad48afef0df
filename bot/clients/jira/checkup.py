"""What `countersign doctor` and `countersign init` read from Jira: account, projects, issue types, statuses, screens, permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from bot.clients.jira.calls import TIMEOUT, JiraCalls, JsonObject, object_in, objects_in
from bot.clients.jira.fields import ScreenField
from bot.clients.jira.screens import fields_of_type
from bot.errors import Permanent

if TYPE_CHECKING:
    from jira import JIRA


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/ and why each is needed
PERMISSIONS: Mapping[str, str] = {
    "BROWSE_PROJECTS": "see the project and its tickets",
    "CREATE_ISSUES": "open tickets",
    "EDIT_ISSUES": "keep their descriptions up to date",
    "ADD_COMMENTS": "write the decision",
    "TRANSITION_ISSUES": "close them",
    "LINK_ISSUES": "link them to MLflow and Slack",
}
PERMISSIONS_FOR_DIGEST: Mapping[str, str] = {
    "BROWSE_PROJECTS": "see the project and its tickets",
    "CREATE_ISSUES": "open the week's ticket",
    "ADD_COMMENTS": "write the sha256 of the files and the ledger's checkpoint",
    "CREATE_ATTACHMENTS": "attach the report and the records",
}


PAGE_OF_PROJECTS = 50  # Jira Cloud gives no more in one page
DONE = "done"  # the key of the category of statuses in which nothing is left to do; keys are not translated


@dataclass(frozen=True)
class ProjectName:
    key: str
    name: str


@dataclass(frozen=True)
class ProjectSeen:
    """`issue_types` maps their names to their ids; `subtasks` are those of sub-tasks. `by_team`: its team manages it, without schemes.

    `service_desk`: it is one of Jira Service Management's, whose tickets may have approvals.
    """

    key: str
    issue_types: Mapping[str, str]
    by_team: bool = False
    subtasks: tuple[str, ...] = ()
    service_desk: bool = False


@dataclass(frozen=True)
class CreateScreen:
    """The fields on the screen that opens a ticket."""

    shown: tuple[ScreenField, ...]

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(field.id for field in self.shown)

    @property
    def required(self) -> frozenset[str]:
        return frozenset(field.id for field in self.shown if field.required)


class JiraCheckup:
    """Opens no connection before the first call."""

    def __init__(self, url: str, *, email: str, api_token: str, token: str) -> None:
        self._url = url
        self._calls = JiraCalls(url, email=email, api_token=api_token, token=token, timeout=TIMEOUT)

    def told_deployment(self) -> str:
        """`Cloud` or `Server`, as the site reports without a login; empty when it requires one."""
        try:
            told = requests.get(f"{self._url}/rest/api/2/serverInfo", timeout=TIMEOUT, allow_redirects=False).json()
        except (requests.RequestException, ValueError):  # the call with credentials reports the cause
            return ""
        return str(told.get("deploymentType", "")) if isinstance(told, Mapping) else ""

    def deployment(self) -> str:
        """`Cloud` or `Data Center`. Raises Permanent when the credentials are of the other kind."""
        return "Cloud" if self._calls.cloud() else "Data Center"

    def account(self) -> str:
        """The display name of the token's account."""
        me = self._get("asking who the bot is", "myself")
        return str(me.get("displayName") or me["name"])

    def projects(self) -> tuple[ProjectName, ...]:
        """Those that the account sees. https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/"""
        if not self._calls.cloud():
            listed = self._get_list("listing the projects", "project")
            return tuple(ProjectName(str(one["key"]), str(one["name"])) for one in listed)
        found: list[ProjectName] = []
        while True:
            asked = {"startAt": len(found), "maxResults": PAGE_OF_PROJECTS}
            page = self._get("listing the projects", "project/search", asked)
            values = objects_in(page, "values")
            found += [ProjectName(str(one["key"]), str(one["name"])) for one in values]
            if page.get("isLast") is not False or not values:
                return tuple(found)

    def resolutions(self) -> tuple[str, ...]:
        return tuple(str(one["name"]) for one in self._get_list("listing the resolutions", "resolution"))

    def final_statuses(self, project: ProjectSeen, issue_type: str) -> tuple[str, ...]:
        """The statuses of the issue type's workflow in which a ticket is done."""
        of_type = [one for one in self._statuses(project) if one.get("name") == issue_type]
        statuses = [status for type_ in of_type for status in objects_in(type_, "statuses")]
        return tuple(str(one["name"]) for one in statuses if object_in(one, "statusCategory").get("key") == DONE)

    def project(self, key: str) -> ProjectSeen:
        found = self._get(f"reading the project {key}", f"project/{key}")
        listed = objects_in(found, "issueTypes")
        types = {str(type_["name"]): str(type_["id"]) for type_ in listed}
        subtasks = tuple(str(type_["name"]) for type_ in listed if type_.get("subtask") is True)
        is_desk = found.get("projectTypeKey") == "service_desk"
        return ProjectSeen(str(found["key"]), types, found.get("simplified") is True, subtasks, is_desk)

    def may_browse_people(self) -> bool:
        """The global permission Browse users and groups."""
        answer = self._get("asking what the account may do", "mypermissions", {"permissions": "USER_PICKER"})
        return object_in(object_in(answer, "permissions"), "USER_PICKER").get("havePermission") is True

    def shows_address(self, email: str) -> bool:
        """Whether an account is found by the address, and shows it."""
        asked = {"query" if self._calls.cloud() else "username": email}
        found = self._calls.read(
            "looking for a person", lambda client: {"list": client._get_json("user/search", params=asked)}
        )
        return any(str(one.get("emailAddress", "")).lower() == email.lower() for one in objects_in(found, "list"))

    def link_types(self) -> tuple[str, ...]:
        """Their names. Raises Permanent when an administrator has switched links off."""
        found = self._get("reading the types of links", "issueLinkType")
        return tuple(str(type_["name"]) for type_ in objects_in(found, "issueLinkTypes"))

    def missing_permissions(self, key: str, wanted: Iterable[str]) -> tuple[str, ...]:
        asked = {"projectKey": key, "permissions": ",".join(wanted)}
        answer = self._get(f"asking what the account may do in {key}", "mypermissions", asked)
        held = object_in(answer, "permissions")
        return tuple(name for name in wanted if object_in(held, name).get("havePermission") is not True)

    def create_screen(self, project: ProjectSeen, issue_type: str) -> CreateScreen:
        """A field with a default is not required."""
        return CreateScreen(fields_of_type(self._calls, project.key, issue_type, project.issue_types[issue_type]))

    def statuses(self, project: ProjectSeen, issue_type: str) -> tuple[str, ...]:
        """The statuses in the issue type's workflow. Jira lists transitions for one ticket only, from its current status."""
        of_type = (type_ for type_ in self._statuses(project) if type_.get("name") == issue_type)
        return tuple(str(status["name"]) for type_ in of_type for status in objects_in(type_, "statuses"))

    def _statuses(self, project: ProjectSeen) -> list[JsonObject]:
        """One for each issue type, with its `statuses`."""
        return self._get_list(f"reading the statuses of {project.key}", f"project/{project.key}/statuses")

    def _get_list(self, what: str, path: str) -> list[JsonObject]:
        answer = self._calls.read(what, lambda client: {"list": client._get_json(path)})
        return objects_in(answer, "list")

    def _get(self, what: str, path: str, params: Mapping[str, object] | None = None) -> Mapping[str, object]:
        def ask(client: JIRA) -> Mapping[str, object]:
            answer = client._get_json(path, params=dict(params or {}))
            if not isinstance(answer, Mapping):
                raise Permanent(f"Jira answered {what} in a form that is not its own. Check JIRA_URL and any proxy.")
            return answer

        return self._calls.read(what, ask)
