"""What Jira says about who did what to a ticket: its changelog, and the answers of approvers in Jira Service Management. Parsing is pure.

Cloud pages the changelog from the oldest entry on; Data Center adds all of it to the issue.
https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-changelog-get
https://developer.atlassian.com/server/jira/platform/rest/v10000/api-group-issue/#api-api-2-issue-issueidorkey-get
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bot.clients.jira.calls import JsonObject, account_of, object_in, objects_in
from bot.domain.ticket_votes.history import TicketAct
from bot.errors import Permanent

if TYPE_CHECKING:
    from jira import JIRA


PAGE = 100  # Cloud gives no more at once
LONGEST = 5000  # entries; a ticket that people write on every minute is no place to decide
TEXTS = ("summary", "description")


def read_changelog(client: JIRA, issue_id: str, *, cloud: bool) -> list[TicketAct]:
    """Oldest first. Raises Permanent for a history that is too long."""
    entries = list(_pages(client, issue_id)) if cloud else _whole(client, issue_id)
    acts = [act for entry in entries if (act := as_act(entry)) is not None]
    return sorted(acts, key=lambda act: int(act.id))


def _pages(client: JIRA, issue_id: str) -> Iterator[JsonObject]:
    start = 0
    while True:
        page = _object(client._get_json(f"issue/{issue_id}/changelog", params={"startAt": start, "maxResults": PAGE}))
        values = objects_in(page, "values")
        yield from values
        start += len(values)
        if not values or page.get("isLast") is True or start >= int(str(page.get("total", 0))):
            return
        if start >= LONGEST:
            raise too_long()


def too_long() -> Permanent:
    return Permanent(f"The ticket's history has more than {LONGEST} entries. Decide on the request's card.")


def _whole(client: JIRA, issue_id: str) -> list[JsonObject]:
    issue = _object(client._get_json(f"issue/{issue_id}", params={"fields": "status", "expand": "changelog"}))
    changelog = object_in(issue, "changelog")
    entries = objects_in(changelog, "histories")
    if len(entries) < int(str(changelog.get("total", len(entries)))):
        raise Permanent("Jira shows only a part of the ticket's history. Decide on the request's card.")
    if len(entries) > LONGEST:
        raise too_long()
    return entries


def as_act(entry: JsonObject) -> TicketAct | None:
    """None for an entry that neither moves the ticket nor edits its text. Fields that plug-ins name alike are not Jira's own."""
    items = [item for item in objects_in(entry, "items") if item.get("fieldtype") == "jira"]
    move = next((item for item in items if item.get("field") == "status"), None)
    edits = any(str(item.get("field")).lower() in TEXTS for item in items)
    if move is None and not edits:
        return None
    return TicketAct(
        str(int(str(entry["id"]))),
        account_of(entry.get("author")),
        datetime.fromisoformat(str(entry["created"])),
        str((move or {}).get("fromString") or ""),
        str((move or {}).get("toString") or ""),
        edits=edits,
    )


def plain(body: object) -> str:
    """The text of a comment: markup as it is written (version 2), or a document (version 3), of which the text is taken."""
    if isinstance(body, str):
        return body.strip()
    return "\n".join(filter(None, (_text_of(block).strip() for block in objects_in(_object(body), "content"))))


def _text_of(node: JsonObject) -> str:
    if node.get("type") == "hardBreak":
        return "\n"
    own = str(node.get("text") or object_in(node, "attrs").get("text") or "")
    return own + "".join(_text_of(inner) for inner in objects_in(node, "content"))


def _object(answer: object) -> JsonObject:
    if not isinstance(answer, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
    return answer
