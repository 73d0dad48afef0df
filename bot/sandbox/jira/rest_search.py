"""REST: search. Cloud has `search/jql` with page tokens and answers 410 on the old `search`; Data Center has only the old one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from flask import Response, jsonify, request

from bot.sandbox.jira import jql
from bot.sandbox.jira.access import read_object, site, view
from bot.sandbox.jira.records import Deployment, Issue
from bot.sandbox.jira.refusals import Refusal, bad_request
from bot.sandbox.jira.rest import api

REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
LARGEST_PAGE = 100


@dataclass(frozen=True)
class Asked:
    jql: str
    fields: frozenset[str]
    expand: frozenset[str]
    start: int
    size: int
    token: str
    fresh: frozenset[str]


@api.route("/search", methods=["GET", "POST"])
def search() -> Response:
    if site().deployment is Deployment.CLOUD:
        raise Refusal(410, (REMOVED,))
    asked = _read("*all")
    found = jql.parse(asked.jql, site()).run(site().indexed_issues())
    issues = _shown(found[asked.start : asked.start + asked.size], asked)
    return jsonify(expand="schema,names", startAt=asked.start, maxResults=asked.size, total=len(found), issues=issues)


@api.route("/search/jql", methods=["GET", "POST"])
def enhanced_search() -> Response:
    if site().deployment is Deployment.SERVER:
        raise Refusal(404, ("null for uri: search/jql",))
    asked = _read("id")
    query = jql.parse(asked.jql, site())
    if not query.clauses:
        raise bad_request("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    start = _start_of(asked)
    found = query.run(site().indexed_issues(asked.fresh))
    end = start + min(asked.size, LARGEST_PAGE)
    next_page = {"nextPageToken": _token(asked.jql, end)} if end < len(found) else {}
    return jsonify(issues=_shown(found[start:end], asked), isLast=end >= len(found), **next_page)


def _shown(issues: list[Issue], asked: Asked) -> list[object]:
    return [view().issue(issue, asked.fields, asked.expand) for issue in issues]


def _read(default_fields: str) -> Asked:
    """From the query, where lists are repeated or joined by commas, or from the body of a POST."""
    given: dict[str, object] = read_object() if request.method == "POST" else dict(request.args.lists())
    fields = _words(given.get("fields")) or {default_fields}
    return Asked(
        jql=_one(given.get("jql"), ""),
        fields=frozenset({"*all"} if fields & {"*all", "*navigable"} else fields),
        expand=frozenset(_words(given.get("expand"))),
        start=_number(given.get("startAt"), 0, "startAt"),
        size=_number(given.get("maxResults"), 50, "maxResults"),
        token=_one(given.get("nextPageToken"), ""),
        fresh=frozenset(_words(given.get("reconcileIssues"))),
    )


def _words(value: object) -> set[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return {word.strip() for item in values for word in str(item).split(",") if word.strip()}


def _one(value: object, default: str) -> str:
    value = value[0] if isinstance(value, list) and value else value
    return str(value) if value is not None else default


def _number(value: object, default: int, name: str) -> int:
    text = _one(value, str(default))
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"The value '{text}' of '{name}' is not a number of zero or more.")
    return int(text)


def _token(query: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{offset}:{hashlib.sha256(query.encode()).hexdigest()[:16]}".encode()).decode()


def _start_of(asked: Asked) -> int:
    if not asked.token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(asked.token).decode().partition(":")[0])
    except (binascii.Error, ValueError) as error:
        raise bad_request("The nextPageToken is not valid.") from error
    if asked.token != _token(asked.jql, offset):
        raise bad_request("The nextPageToken belongs to another query.")
    return offset
