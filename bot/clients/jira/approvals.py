"""The approvals of Jira Service Management on a ticket: what each approver answered.

https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#api-rest-servicedeskapi-request-issueidorkey-approval-get
https://developer.atlassian.com/server/jira-servicedesk/rest/v1005/api-group-approval
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.clients.jira.calls import JsonObject, account_of, object_in, objects_in
from bot.domain.model import Verdict
from bot.domain.ticket_votes.history import TicketAct

if TYPE_CHECKING:
    from jira import JIRA


PAGE = 50
PAGES = 20
ANSWERS = {"approved": Verdict.APPROVE, "declined": Verdict.REJECT}
NO_APPROVALS = 404  # the ticket is no request of a service desk
HEADERS = {"X-ExperimentalApi": "opt-in"}  # Data Center calls its approvals experimental


def read_answers(client: JIRA, issue_id: str) -> list[TicketAct] | None:
    """None for a ticket that is no request of a service desk.

    Jira does not say when an approver answered: `createdDate` and `completedDate` are the whole approval's.
    """
    found: list[TicketAct] = []
    start = 0
    for _ in range(PAGES):
        page = _page(client, issue_id, start)
        if page is None:
            return None
        approvals = objects_in(page, "values")
        for approval in approvals:
            found += answers_in(approval)
        start += len(approvals)
        if not approvals or page.get("isLastPage") is not False:
            break
    return found


def answers_in(approval: JsonObject) -> list[TicketAct]:
    """Each answer by its approval and account, since an approver answers once."""
    at = datetime.fromtimestamp(int(str(object_in(approval, "createdDate")["epochMillis"])) / 1000, UTC)
    acts = []
    for one in objects_in(approval, "approvers"):
        account, answer = account_of(one.get("approver")), ANSWERS.get(str(one.get("approverDecision")))
        if answer is not None:
            acts.append(TicketAct(f"approval-{approval['id']}-{account}", account, at, answer=answer))
    return acts


def _page(client: JIRA, issue_id: str, start: int) -> JsonObject | None:
    from jira import JIRAError

    base = client._options["server"]
    address = f"{base}/rest/servicedeskapi/request/{issue_id}/approval"
    try:
        answer = client._session.get(address, params={"start": start, "limit": PAGE}, headers=HEADERS).json()
    except JIRAError as error:
        if error.status_code == NO_APPROVALS:
            return None
        raise
    if not isinstance(answer, Mapping):
        raise ValueError("not an object")  # noqa: TRY004 - the answer is wrong, not the caller
    return answer
