"""REST: an issue's changelog in pages, which only Cloud has. Data Center adds the whole changelog to the issue (`expand=changelog`)."""

from __future__ import annotations

from flask import Response, jsonify, request

from bot.sandbox.jira.access import site, view
from bot.sandbox.jira.records import Deployment
from bot.sandbox.jira.refusals import Refusal, bad_request
from bot.sandbox.jira.rest import api

LARGEST_PAGE = 100


@api.get("/issue/<id_or_key>/changelog")
def changelog(id_or_key: str) -> Response:
    """Oldest first."""
    if site().deployment is Deployment.SERVER:
        raise Refusal(404, (f"null for uri: issue/{id_or_key}/changelog",))
    issue = site().get_issue(id_or_key)
    start, size = _number("startAt", 0), min(_number("maxResults", LARGEST_PAGE), LARGEST_PAGE)
    values = [view().change(change) for change in issue.history[start : start + size]]
    where, total = view().url(f"issue/{issue.id}/changelog"), len(issue.history)
    is_last = start + size >= total
    following = {} if is_last else {"nextPage": f"{where}?startAt={start + size}&maxResults={size}"}
    page = {"startAt": start, "maxResults": size, "total": total, "isLast": is_last, "values": values}
    return jsonify({"self": f"{where}?startAt={start}&maxResults={size}", **following, **page})


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f"The value '{text}' of '{name}' is not a number of zero or more.")
    return int(text)
