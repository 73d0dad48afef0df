"""The part of JQL that the sandbox supports; anything else is a 400 that names the first unknown word.

clause {AND clause} [ORDER BY field [ASC|DESC] {, field [ASC|DESC]}]
clause: field =|!= value | field [NOT] IN (value, ...) | summary ~ value | updated|created >=|<=|>|< time
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bot.sandbox.jira.deciding.times import COMPARED, read_time
from bot.sandbox.jira.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from bot.sandbox.jira.records import Issue
    from bot.sandbox.jira.site import Site

TOKEN = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(!=|>=|<=|=|>|<|~|\(|\)|,)|([^\s()=!<>~,"']+))""")

READ: dict[str, Callable[[Issue], tuple[str, ...]]] = {
    "project": lambda issue: (issue.project.key, issue.project.name),
    "labels": lambda issue: issue.labels,
    "key": lambda issue: (issue.key,),
    "id": lambda issue: (issue.id,),
    "status": lambda issue: (issue.status.name, issue.status.id),
    "statuscategory": lambda issue: (issue.status.category.value,),
    "issuetype": lambda issue: (issue.issue_type,),
    "summary": lambda issue: (issue.summary,),
}
TIMES: dict[str, Callable[[Issue], datetime]] = {
    "created": lambda issue: issue.created,
    "updated": lambda issue: issue.updated,
}
NAMES = {"issuekey": "key", "type": "issuetype", "label": "labels", **{name: name for name in (*READ, *TIMES)}}
ORDERS: dict[str, Callable[[Issue], object]] = {
    "created": lambda issue: (issue.created, int(issue.id)),
    "updated": lambda issue: issue.updated,
    "key": lambda issue: (issue.project.key, int(issue.key.rsplit("-", 1)[1])),
    "id": lambda issue: int(issue.id),
}


@dataclass(frozen=True)
class Clause:
    field: str
    operator: str
    values: tuple[str, ...]

    def holds(self, issue: Issue) -> bool:
        if self.field in TIMES:
            return COMPARED[self.operator](TIMES[self.field](issue), read_time(self.values[0], self.field))
        have = {value.casefold() for value in READ[self.field](issue)}
        wanted = {value.casefold() for value in self.values}
        if self.operator == "~":
            return any(word in value for word in wanted for value in have)
        return bool(have & wanted) is (self.operator in ("=", "in"))


@dataclass(frozen=True)
class Query:
    clauses: tuple[Clause, ...]
    orders: tuple[tuple[str, bool], ...]

    def run(self, issues: list[Issue]) -> list[Issue]:
        found = [issue for issue in issues if all(clause.holds(issue) for clause in self.clauses)]
        for field, descending in reversed(self.orders or (("created", True),)):
            found.sort(key=ORDERS[field], reverse=descending)  # type: ignore[arg-type]  # each key sorts against itself
        return found


def parse(jql: str, site: Site) -> Query:
    query = _Parser(_tokens(jql)).query()
    for clause in query.clauses:
        _check_values(clause, site)
    return query


def _tokens(jql: str) -> list[tuple[str, bool]]:
    """Each token with whether it was quoted."""
    tokens, at = [], 0
    while jql[at:].strip():
        match = TOKEN.match(jql, at)
        if match is None:
            raise bad_request(
                f"Error in the JQL Query: the character '{jql[at:].strip()[0]}' was not expected. (line 1, character {at + 1})"
            )
        quoted = match.group(1) if match.group(1) is not None else match.group(2)
        bare = match.group(3) or match.group(4)
        tokens.append((re.sub(r"\\(.)", r"\1", quoted), True) if quoted is not None else (bare, False))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, bool]]) -> None:
        self.tokens = tokens

    def query(self) -> Query:
        clauses: list[Clause] = []
        while self.tokens and not self._is("order"):
            clauses.append(self._clause())
            if self.tokens and not self._is("order"):
                self._take("and")
        return Query(tuple(clauses), self._orders())

    def _is(self, word: str) -> bool:
        return bool(self.tokens) and not self.tokens[0][1] and self.tokens[0][0].lower() == word

    def _next(self) -> str:
        if not self.tokens:
            raise bad_request("Error in the JQL Query: the query ended too early.")
        return self.tokens.pop(0)[0]

    def _take(self, word: str) -> None:
        if not self._is(word):
            got = self.tokens[0][0] if self.tokens else "the end"
            raise bad_request(f"Error in the JQL Query: Expecting '{word.upper()}' but got '{got}'.")
        self.tokens.pop(0)

    def _clause(self) -> Clause:
        name = self._next()
        field = NAMES.get(name.lower())
        if field is None:
            raise bad_request(f"Field '{name}' does not exist or you do not have permission to view it.")
        operator = self._next().lower()
        if field in TIMES or operator in COMPARED:
            return self._time(field, operator)
        if operator == "not":
            self._take("in")
            return Clause(field, "not in", self._list())
        if operator == "in":
            return Clause(field, "in", self._list())
        if operator in ("=", "!=") or (operator == "~" and field == "summary"):
            return Clause(field, operator, (self._next(),))
        raise bad_request(f"The operator '{operator}' is not supported by the '{field}' field.")

    def _time(self, field: str, operator: str) -> Clause:
        if field not in TIMES or operator not in COMPARED:
            raise bad_request(f"The operator '{operator}' is not supported by the '{field}' field.")
        value = self._next()
        read_time(value, field)
        return Clause(field, operator, (value,))

    def _list(self) -> tuple[str, ...]:
        self._take("(")
        values = [self._next()]
        while self._is(","):
            self._take(",")
            values.append(self._next())
        self._take(")")
        return tuple(values)

    def _orders(self) -> tuple[tuple[str, bool], ...]:
        if not self.tokens:
            return ()
        self._take("order")
        self._take("by")
        orders = [self._order()]
        while self._is(","):
            self._take(",")
            orders.append(self._order())
        if self.tokens:
            raise bad_request(f"Error in the JQL Query: '{self.tokens[0][0]}' was not expected after ORDER BY.")
        return tuple(orders)

    def _order(self) -> tuple[str, bool]:
        name = self._next()
        field = {"issuekey": "key"}.get(name.lower(), name.lower())
        if field not in ORDERS:
            raise bad_request(f"Not able to sort using field '{name}'.")
        descending = self._is("desc")
        if descending or self._is("asc"):
            self._next()
        return field, descending


def _check_values(clause: Clause, site: Site) -> None:
    """Jira refuses values that do not exist for these fields instead of finding nothing."""
    existing = {
        "project": {name for project in site.projects for name in (project.key, project.name)},
        "status": {name for project in site.projects for s in project.workflow.statuses for name in (s.name, s.id)},
        "issuetype": set(site.issue_type_ids()),
    }.get(clause.field)
    if clause.field == "key":
        existing = {issue.key for issue in site.issues()}
    for value in clause.values if existing is not None else ():
        if value.casefold() not in {name.casefold() for name in existing or ()}:
            raise _no_such_value(clause.field, value)


def _no_such_value(field: str, value: str) -> Refusal:
    if field == "key":
        return bad_request(f"An issue with key '{value}' does not exist for field 'key'.")
    return bad_request(f"The value '{value}' does not exist for the field '{field}'.")
