"""Looks for a ticket that somebody names. That Jira does not find it, or does not show it to this account, is an answer and no fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.clients.jira.calls import JsonObject, object_in
from bot.domain.references import SeenTicket

if TYPE_CHECKING:
    from jira import JIRA


UNSEEN = frozenset({403, 404})  # Jira answers 404 for most of what an account may not see


def seen_ticket(client: JIRA, name: str) -> SeenTicket:
    """`name` has the form of a ticket's key."""
    if _read(client, f"project/{name.rpartition('-')[0]}", {}) is None:
        return SeenTicket(name)
    issue = _read(client, f"issue/{name}", {"fields": "issuetype,project"})
    if issue is None:
        return SeenTicket(name, has_project=True)
    fields = object_in(issue, "fields")
    is_subtask = object_in(fields, "issuetype").get("subtask") is True
    return SeenTicket(name, True, str(issue["key"]), str(object_in(fields, "project")["key"]), is_subtask)


def _read(client: JIRA, path: str, params: Mapping[str, str]) -> JsonObject | None:
    from jira import JIRAError

    try:
        answer = client._get_json(path, params=dict(params))
    except JIRAError as error:
        if error.status_code in UNSEEN:
            return None
        raise
    if not isinstance(answer, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
    return answer
