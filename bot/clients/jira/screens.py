"""Reads which fields Jira shows when a ticket is opened. Cloud calls its lists `issueTypes` and `fields`, Data Center `values`.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bot.clients.jira.calls import JiraCalls, JsonObject, objects_in
from bot.clients.jira.fields import ScreenField, same, screen_field
from bot.errors import Permanent

if TYPE_CHECKING:
    from jira import JIRA


PAGE = 50  # Data Center's default; what it gives at most
PAGES = 40


def create_screen(calls: JiraCalls, project: str, issue_type: str) -> tuple[ScreenField, ...]:
    """The fields on the screen that opens a ticket of this type. Raises Permanent when the project has no such type."""
    where = f"issue/createmeta/{project}/issuetypes"
    types = calls.read(
        f"reading the issue types of {project}", lambda client: list(_entries(client, where, "issueTypes"))
    )
    found = next((str(type_["id"]) for type_ in types if same(str(type_.get("name")), issue_type)), None)
    if found is None:
        known = ", ".join(str(type_.get("name")) for type_ in types) or "none"
        raise Permanent(
            f"{project} has no issue type {issue_type} that the bot's account may open; there are: {known}. Correct the policy's "
            "ticket section. Then replay the job."
        )
    return fields_of_type(calls, project, issue_type, found)


def fields_of_type(calls: JiraCalls, project: str, issue_type: str, type_id: str) -> tuple[ScreenField, ...]:
    path = f"issue/createmeta/{project}/issuetypes/{type_id}"
    fields = calls.read(
        f"reading the create screen of {issue_type} in {project}", lambda client: list(_entries(client, path, "fields"))
    )
    return tuple(screen_field(str(field.get("fieldId") or field.get("key")), field) for field in fields)


def _entries(client: JIRA, path: str, name: str) -> Iterator[JsonObject]:
    """Reads pages until one brings nothing new."""
    seen = 0
    for _ in range(PAGES):
        answer = client._get_json(path, params={"startAt": seen, "maxResults": PAGE})
        if not isinstance(answer, Mapping):
            raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
        page = objects_in(answer, name) or objects_in(answer, "values")
        yield from page
        seen += len(page)
        total = answer.get("total")
        if not page or (isinstance(total, int) and seen >= total) or len(page) < PAGE:
            return
