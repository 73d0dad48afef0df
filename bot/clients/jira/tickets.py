"""The TicketSystem on Jira, Cloud and Data Center: finding, opening, describing, linking, commenting and moving tickets.

Calls, their failures and attachments are in `calls`, the rendering of texts in `documents`, moves in `moving`, fields in `fields`
and `screens`, the parsing of webhooks in `webhook`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from bot.clients.jira import webhook
from bot.clients.jira.calls import (
    TIMEOUT,
    JiraCalls,
    account_of,
    attached_by,
    name_on_ticket,
    object_in,
    objects_in,
    post,
    post_file,
)
from bot.clients.jira.decisions import JiraDecisions
from bot.clients.jira.documents import card_as_adf, card_as_wiki, fitting_card, fitting_text, text_as_adf, text_as_wiki
from bot.clients.jira.fields import fields_on
from bot.clients.jira.looking_up import seen_ticket
from bot.clients.jira.moving import PROPERTY, move_ticket
from bot.clients.jira.screens import create_screen
from bot.clients.plain_text import is_web_address, one_line
from bot.domain.card.card import Card
from bot.domain.references import SeenTicket, TicketMove, TicketPlan, TicketRef
from bot.errors import Permanent
from bot.ports import Attachment, Ticket, TicketHint
from bot.ports.tickets import NOTHING_MORE

if TYPE_CHECKING:
    from jira import JIRA, Issue
    from jira.resources import Comment


LABEL = "countersign"
MARKER = "countersign:"  # begins the lines that name a comment's keys
LINE_LIMIT = 255  # of summaries, labels, global ids and titles of links
SETTLES_ON_CLOUD = 120.0  # seconds; the search index usually lags by seconds, at worst by minutes
SETTLES_ON_DATA_CENTER = 15.0  # seconds; the lag of the other nodes' indexes
COMMENTS_PAGE = 100
IDS_AT_ONCE = 1000


class JiraTickets:
    """Opens no connection before the first call; thread-safe. `webhook_secrets` are accepted newest first."""

    def __init__(
        self,
        url: str,
        *,
        email: str = "",
        api_token: str = "",
        token: str = "",
        webhook_secrets: Sequence[str] = (),
        timeout: float = TIMEOUT,
    ) -> None:
        self._calls = JiraCalls(url, email=email, api_token=api_token, token=token, timeout=timeout)
        self._secrets = tuple(webhook_secrets)
        self._account = ""
        self.decisions = JiraDecisions(self._calls, api_token or token)
        self.name = "Jira"
        self.search_settles = SETTLES_ON_CLOUD if api_token else SETTLES_ON_DATA_CENTER

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        return webhook.read_webhook(headers, body, self._secrets)

    # Found or opened

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None:
        """The oldest ticket with exactly this label that our own account created: anyone can write a label."""
        from jira import Issue

        me = self._me()
        jql = f"project = {_quoted(plan.project)} AND labels = {_quoted(key)} ORDER BY created ASC"
        found = self._calls.read(
            f"looking for a ticket labelled {key} in {plan.project}",
            lambda client: [
                self._as_ticket(issue)
                for issue in client.search_issues(jql, fields="status,labels,creator")
                if isinstance(issue, Issue) and key in issue.fields.labels and _creator_of(issue) == me
            ],
        )
        return found[0] if found else None

    def open_ticket(self, plan: TicketPlan, card: Card, key: str, parent: str = "") -> Ticket:
        """The status stays empty: reading it could fail, and nothing may fail after the create."""
        self._calls.site()  # asked before, because nothing may fail after the create
        given = self._given_fields(plan)
        fields = given | {
            "project": {"key": plan.project},
            "issuetype": {"name": plan.type},
            "summary": one_line(card.title, LINE_LIMIT),
            "description": self._description(card),
            "labels": [LABEL, key, *_labels_in(given)],
            **({"parent": {"key": parent}} if parent else {}),
        }
        made = self._calls.write_once(
            f"opening a {plan.type} in {plan.project}",
            lambda client: self._ref(client.create_issue(fields=fields, prefetch=False)),
        )
        return Ticket(made, "")

    def get_ticket(self, ref: TicketRef) -> Ticket:
        """Reads by id, which stays the same when the ticket moves to another project and gets a new key."""
        return self._calls.read(
            f"reading {ref.key}", lambda client: self._as_ticket(client.issue(ref.id, fields="status"))
        )

    def look_up(self, name: str) -> SeenTicket:
        return self._calls.read(f"looking for {name}", lambda client: seen_ticket(client, name))

    # Kept up to date

    def relate(self, ref: TicketRef, to: str, link_type: str) -> None:
        """Repeatable: Jira makes no second link of the same type between two tickets."""
        link = {"type": {"name": link_type}, "inwardIssue": {"key": ref.key}, "outwardIssue": {"key": to}}
        self._calls.write(f"linking {ref.key} to {to}", lambda client: post(client, "issueLink", link))

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None:
        """Repeatable: Jira replaces a link that has the same global id."""
        if not is_web_address(url):
            raise Permanent(f"{ref.key} cannot be linked to {url!r}, which is not a web address. Correct its source.")
        link = {
            "globalId": f"system=countersign&id={key}",
            "object": {"url": url, "title": one_line(title, LINE_LIMIT)},
        }
        self._calls.write(f"linking {ref.key}", lambda client: post(client, f"issue/{ref.id}/remotelink", link)["id"])

    def comment(
        self, ref: TicketRef, key: str, text: str, *, also: Mapping[str, str] = NOTHING_MORE, is_new: bool = False
    ) -> None:
        there = frozenset() if is_new else self._commented(ref)
        texts = {key: said for key, said in {key: text, **also}.items() if key not in there}
        if not texts:
            return
        keys, said = list(texts), "\n\n".join(texts.values())
        if self._calls.cloud():
            mark = {"key": PROPERTY, "value": {"key": keys[0], "keys": keys}}
            self._add_comment(ref, {"body": fitting_text(said, text_as_adf), "properties": [mark]})
        else:
            marks = "\n".join(f"{MARKER}{one}" for one in keys)
            self._add_comment(ref, {"body": f"{fitting_text(said, text_as_wiki)}\n\n{marks}"})

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        """One call per file, so that a refused file does not block the others."""
        look = partial(attached_by, self._me(), issue_id=ref.id)
        there = self._calls.read(f"reading what is attached to {ref.key}", look)
        refused: list[Permanent] = []
        for file in files:
            if name_on_ticket(file) not in there:
                refused += self._attach(ref, file)
        if refused:
            raise refused[0]

    def move(self, ref: TicketRef, to: TicketMove | str) -> None:
        """When transition and status have different names, notes the move first, so that a repeat sees that it was made."""
        move_ticket(self._calls, ref, TicketMove(to) if isinstance(to, str) else to)

    def _attach(self, ref: TicketRef, file: Attachment) -> list[Permanent]:
        """What Jira said when it refused."""
        try:
            self._calls.write_once(
                f"attaching {file.name} to {ref.key}", partial(post_file, issue_id=ref.id, file=file)
            )
        except Permanent as refusal:
            return [refusal]
        return []

    # Comments of our own

    def _own_comments(self, ref: TicketRef) -> list[Comment]:
        """Only comments by our own account: anyone could copy a mark."""
        me = self._me()
        comments = self._calls.read(
            f"reading the comments of {ref.key}", lambda client: list(_all_comments(client, ref.id))
        )
        return [comment for comment in comments if account_of(comment.raw.get("author")) == me]

    def _commented(self, ref: TicketRef) -> frozenset[str]:
        """The keys of all our comments."""
        mine = self._own_comments(ref)
        return frozenset(self._marks(mine) if self._calls.cloud() else chain.from_iterable(map(marks_in, mine)))

    def _marks(self, comments: list[Comment]) -> Iterator[str]:
        """The list of comments omits properties; the documented way is to read them by comment id."""
        if not comments:
            return
        ids = {"ids": [int(comment.id) for comment in comments[-IDS_AT_ONCE:]]}
        answer = self._calls.read(
            "reading what the comments are about", lambda client: post(client, "comment/list?expand=properties", ids)
        )
        for comment in objects_in(answer, "values"):
            for mark in objects_in(comment, "properties"):
                if mark.get("key") == PROPERTY:
                    value = object_in(mark, "value")
                    keys = value.get("keys")
                    yield str(value.get("key"))  # all that releases before wrote
                    yield from map(str, keys if isinstance(keys, list) else ())

    def _add_comment(self, ref: TicketRef, body: Mapping[str, object]) -> None:
        self._calls.write_once(
            f"commenting on {ref.key}", lambda client: post(client, f"issue/{ref.id}/comment", body)["id"]
        )

    def _me(self) -> str:
        if not self._account:
            self._account = self._calls.read("asking who the bot is", _myself)
        return self._account

    # Forms

    def _given_fields(self, plan: TicketPlan) -> dict[str, object]:
        """What the policy fills in when a ticket is opened. Fields that the screen lacks may be on the screen of a transition."""
        if not plan.fields:
            return {}
        where = f"the create screen of {plan.type} in {plan.project}"
        screen = create_screen(self._calls, plan.project, plan.type)
        return fields_on(screen, plan.fields, where, cloud=self._calls.cloud())

    def _description(self, card: Card) -> object:
        return fitting_card(card, card_as_adf) if self._calls.cloud() else fitting_card(card, card_as_wiki)

    def _as_ticket(self, issue: Issue) -> Ticket:
        return Ticket(self._ref(issue), str(issue.fields.status.name))

    def _ref(self, issue: Issue) -> TicketRef:
        return TicketRef(str(issue.id), str(issue.key), f"{self._calls.site()}/browse/{issue.key}")


def _labels_in(given: Mapping[str, object]) -> list[str]:
    """Others beside ours, by which we find it again."""
    labels = given.get("labels")
    return [str(label) for label in labels] if isinstance(labels, list) else []


def _quoted(text: str) -> str:
    """A JQL string."""
    return '"' + one_line(text, LINE_LIMIT).replace("\\", "\\\\").replace('"', '\\"') + '"'


def marks_in(comment: Comment) -> Iterator[str]:
    """On a Data Center the last paragraph, which no text of a comment can become: ours always follows."""
    last = comment.body.replace("\r\n", "\n").rstrip().rpartition("\n\n")[2]
    return (line.removeprefix(MARKER) for line in last.splitlines() if line.startswith(MARKER))


def _all_comments(client: JIRA, issue_id: str) -> list[Comment]:
    """Reads pages until one brings nothing new: Cloud returns at most 100 a call, and an old site may ignore paging."""
    comments: dict[str, Comment] = {}
    while True:
        page = client.comments(issue_id, start_at=len(comments), max_results=COMMENTS_PAGE)
        new = {comment.id: comment for comment in page if comment.id not in comments}
        comments |= new
        if len(new) < COMMENTS_PAGE:
            return list(comments.values())


def _myself(client: JIRA) -> str:
    account = account_of(client.myself())
    if not account:
        raise ValueError("an account without an id")
    return account


def _creator_of(issue: Issue) -> str:
    """Jira sets it once; the reporter can be changed."""
    return account_of(object_in(object_in(issue.raw, "fields"), "creator"))
