"""What hangs on a ticket: which files our account has attached, and attaching one. Which of them are wanted is in `jira`."""

from __future__ import annotations

from collections.abc import Mapping

from jira import JIRA

from bot.clients.jira.calls import object_in, objects_in
from bot.clients.plain_text import one_line
from bot.errors import Permanent
from bot.ports import Attachment

NAME_LIMIT = 250
# Jira refuses a file that a page could send from a browser:
# https://support.atlassian.com/jira/kb/rest-api-calls-with-a-browser-user-agent-header-may-fail-csrf-checks/
NOT_FROM_A_PAGE = {"X-Atlassian-Token": "no-check", "Content-Type": None}


def name_on_ticket(file: Attachment) -> str:
    return one_line(file.name, NAME_LIMIT)


def attached_by(account: str, client: JIRA, issue_id: str) -> frozenset[str]:
    """Others' files are left out, so that nobody can keep ours away by attaching one under its name."""
    fields = object_in(client._get_json(f"issue/{issue_id}", params={"fields": "attachment"}), "fields")
    if "attachment" not in fields:
        raise Permanent(
            "Jira shows no attachments of this ticket: switch them on under System, Attachments, and show the field in the project's "
            "field configuration. Then replay the job."
        )
    files = objects_in(fields, "attachment")
    return frozenset(str(file["filename"]) for file in files if account_of(file.get("author")) == account)


def post_file(client: JIRA, issue_id: str, file: Attachment) -> None:
    """The library's own `add_attachment` forgets the media type and reads the answer as a list that must not be empty."""
    part = {"file": (name_on_ticket(file), file.path.read_bytes(), file.media_type)}
    response = client._session.post(
        client._get_url(f"issue/{issue_id}/attachments"), files=part, headers=NOT_FROM_A_PAGE
    )
    attached = response.json()
    if not isinstance(attached, list) or not attached:
        raise ValueError("no list of attachments")


def account_of(person: object) -> str:
    """The account id on Cloud, the user's key on Data Center (its name can be changed); empty for nobody."""
    account = person if isinstance(person, Mapping) else {}
    return str(account.get("accountId") or account.get("key") or "")
