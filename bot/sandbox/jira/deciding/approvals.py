"""Approvals of Jira Service Management: who is asked, what each answered, and where the final decision brings the issue.

https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/#api-rest-servicedeskapi-request-issueidorkey-approval-get
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, request

from bot.sandbox.jira.access import require_credentials, require_gateway, require_quota, sandbox, site
from bot.sandbox.jira.records import Approval, Deployment, Issue, SandboxUser
from bot.sandbox.jira.refusals import Refusal
from bot.sandbox.jira.site import Site
from bot.sandbox.jira.views import View, as_time

service_desk = Blueprint("service_desk", __name__, url_prefix="/rest/servicedeskapi")

LARGEST_PAGE = 50
PENDING, APPROVED, DECLINED = "pending", "approved", "declined"
TAKEN = {APPROVED: "Approve", DECLINED: "Decline"}  # the transitions of the workflow's approval step


@service_desk.before_request
def authenticate() -> None:
    require_quota()
    require_gateway()
    require_credentials()


@service_desk.get("/request/<id_or_key>/approval")
def approvals(id_or_key: str) -> Response:
    if site().deployment is Deployment.SERVER and request.headers.get("X-ExperimentalApi", "").lower() != "opt-in":
        raise Refusal(
            412, ("This API is experimental. Experimental APIs are opted in to with the X-ExperimentalApi header.",)
        )
    issue = _request_of_customer(id_or_key)
    start, size = request.args.get("start", 0, int), min(request.args.get("limit", LARGEST_PAGE, int), LARGEST_PAGE)
    values = [_shown(approval) for approval in issue.approvals[start : start + size]]
    return jsonify(
        _expands=[],
        size=len(values),
        start=start,
        limit=size,
        isLastPage=start + size >= len(issue.approvals),
        values=values,
    )


def _request_of_customer(id_or_key: str) -> Issue:
    issue = site().get_issue(id_or_key)
    if not issue.project.service_desk:
        raise Refusal(404, ("Customer request does not exist.",))
    return issue


def _shown(approval: Approval) -> dict[str, object]:
    view = View(site(), "2")
    approvers = [{"approver": view.user(who), "approverDecision": said} for who, said in approval.approvers]
    bot_is_asked = any(who == sandbox().bot and said == PENDING for who, said in approval.approvers)
    completed = {"completedDate": _date(approval.completed)} if approval.completed else {}
    return {
        "id": approval.id,
        "name": approval.name,
        "finalDecision": approval.decision,
        "canAnswerApproval": bot_is_asked,
        "approvers": approvers,
        "createdDate": _date(approval.created),
        **completed,
    }


def _date(moment: datetime) -> dict[str, object]:
    return {
        "iso8601": moment.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "jira": as_time(moment),
        "friendly": moment.strftime("%d/%b/%y %I:%M %p"),
        "epochMillis": int(moment.timestamp() * 1000),
    }


# What people do on the page


def ask(site: Site, issue: Issue, people: tuple[SandboxUser, ...], needed: int) -> Issue:
    """A status of the workflow asks these people; `needed` of them decide."""
    if not issue.project.service_desk:
        raise Refusal(400, (f"{issue.project.key} is no service desk, so it has no approvals.",))
    with site.lock:
        issue = site.get_issue(issue.id)
        asked = tuple((person, PENDING) for person in people)
        new = Approval(site.next_id(), "Waiting for approval", asked, needed, datetime.now(UTC))
        return site.touch(replace(issue, approvals=(*issue.approvals, new)))


def answer(site: Site, issue: Issue, approval_id: str, person: SandboxUser, said: str) -> Issue:
    """The answer that completes the approval takes the workflow's transition as the approver, without its screen."""
    with site.lock:
        issue = site.get_issue(issue.id)
        approval = next((one for one in issue.approvals if one.id == approval_id), None)
        if approval is None or said not in TAKEN:
            raise Refusal(404, ("The approval does not exist.",))
        if (person, PENDING) not in approval.approvers or approval.completed:
            raise Refusal(403, ("You are not an approver of this request, or you have answered it.",))
        answered = replace(
            approval, approvers=tuple((who, said if who == person else before) for who, before in approval.approvers)
        )
        if answered.decision != PENDING:
            answered = replace(answered, completed=datetime.now(UTC))
        others = tuple(answered if one.id == approval_id else one for one in issue.approvals)
        issue = site.touch(replace(issue, approvals=others))
        taken = issue.project.workflow.find_transition(issue.status, TAKEN.get(answered.decision, ""))
        if answered.completed and taken is not None:
            resolution = taken.sets_resolution or issue.project.workflow.resolutions[-1]
            issue = site.change(issue, replace(issue, status=taken.to, resolution=resolution), person)
    return issue
