"""The TicketSystem on Jira, Cloud and Data Center: finding, opening, describing, linking, commenting and moving tickets.

Calls, their failures and attachments are in `calls`, the rendering of texts in `documents`, the choice of a transition in `transitions`,
the parsing of webhooks in `webhook`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from jira import JIRA, Issue
from jira.resources import Comment

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
    put,
)
from bot.clients.jira.documents import card_as_adf, card_as_wiki, fitting_card, fitting_text, text_as_adf, text_as_wiki
from bot.clients.jira.transitions import ScreenField, Transition, choose_transition, same
from bot.clients.plain_text import is_web_address, one_line
from bot.domain.card.card import Card
from bot.domain.references import TicketPlan, TicketRef
from bot.errors import Permanent
from bot.ports import Attachment, Ticket, TicketHint

LABEL = "countersign"
PROPERTY = "countersign"  # on a comment: its key; on an issue: the intended transition and its target status
LINE_LIMIT = 255  # of summaries, labels, global ids and titles of links
SETTLES_ON_CLOUD = 120.0  # seconds; the search index usually lags by seconds, at worst by minutes
SETTLES_ON_DATA_CENTER = 15.0  # seconds; the lag of the other nodes' indexes
COMMENTS_PAGE = 100
IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class Noted:
    """An earlier move took the transition `asked` (an id or a name) to this status."""

    asked: str
    status: str


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
        self.search_settles = SETTLES_ON_CLOUD if api_token else SETTLES_ON_DATA_CENTER

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        return webhook.read_webhook(headers, body, self._secrets)

    # Found or opened

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None:
        """The oldest ticket with exactly this label that our own account created: anyone can write a label."""
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

    def open_ticket(self, plan: TicketPlan, card: Card, key: str) -> Ticket:
        """The status stays empty: reading it could fail, and nothing may fail after the create."""
        fields = {
            "project": {"key": plan.project},
            "issuetype": {"name": plan.type},
            "summary": one_line(card.title, LINE_LIMIT),
            "description": self._description(card),
            "labels": [LABEL, key],
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

    # Kept up to date

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None:
        """Repeatable: Jira replaces a link that has the same global id."""
        if not is_web_address(url):
            raise Permanent(f"{ref.key} cannot be linked to {url!r}, which is not a web address. Correct its source.")
        link = {
            "globalId": f"system=countersign&id={key}",
            "object": {"url": url, "title": one_line(title, LINE_LIMIT)},
        }
        self._calls.write(f"linking {ref.key}", lambda client: post(client, f"issue/{ref.id}/remotelink", link)["id"])

    def comment(self, ref: TicketRef, key: str, text: str) -> None:
        mine = self._own_comments(ref)
        if self._calls.cloud():
            if not self._is_marked(mine, key):
                mark = {"key": PROPERTY, "value": {"key": key}}
                self._add_comment(ref, {"body": fitting_text(text, text_as_adf), "properties": [mark]})
            return
        marker = f"countersign:{key}"
        if not any(comment.body.rstrip().endswith(f"\n{marker}") for comment in mine):
            self._add_comment(ref, {"body": f"{fitting_text(text, text_as_wiki)}\n\n{marker}"})

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

    def move(self, ref: TicketRef, to: str) -> None:
        """When transition and status have different names, notes the move first, so that a repeat sees that it was made."""
        status, noted = self._status_and_notes(ref)
        if same(status, to) or noted == Noted(to, status):
            return
        transition, screen = choose_transition(self._transitions(ref), to, ref.key, status)
        if same(transition.status, status):
            return
        if not same(transition.status, to):
            self._note(ref, Noted(to, transition.status))
        body = {
            "transition": {"id": transition.id},
            "fields": {name: {"name": value} for name, value in screen.items()},
        }
        self._calls.write(
            f'moving {ref.key} by "{transition.name}"', lambda client: post(client, f"issue/{ref.id}/transitions", body)
        )

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

    def _is_marked(self, comments: list[Comment], key: str) -> bool:
        """The list of comments omits properties; the documented way is to read them by comment id."""
        if not comments:
            return False
        ids = {"ids": [int(comment.id) for comment in comments[-IDS_AT_ONCE:]]}
        answer = self._calls.read(
            "reading what the comments are about", lambda client: post(client, "comment/list?expand=properties", ids)
        )
        marks = (mark for comment in objects_in(answer, "values") for mark in objects_in(comment, "properties"))
        return any(mark.get("key") == PROPERTY and object_in(mark, "value").get("key") == key for mark in marks)

    def _add_comment(self, ref: TicketRef, body: Mapping[str, object]) -> None:
        self._calls.write_once(
            f"commenting on {ref.key}", lambda client: post(client, f"issue/{ref.id}/comment", body)["id"]
        )

    def _me(self) -> str:
        if not self._account:
            self._account = self._calls.read("asking who the bot is", _myself)
        return self._account

    # Transitions

    def _transitions(self, ref: TicketRef) -> list[Transition]:
        return self._calls.read(
            f"reading the transitions of {ref.key}",
            lambda client: [_as_transition(shown) for shown in client.transitions(ref.id, expand="transitions.fields")],
        )

    def _status_and_notes(self, ref: TicketRef) -> tuple[str, Noted]:
        """The ticket's status, and the note that an earlier move left."""
        return self._calls.read(
            f"reading {ref.key}",
            lambda client: _read_status(client.issue(ref.id, fields="status", properties=PROPERTY)),
        )

    def _note(self, ref: TicketRef, note: Noted) -> None:
        self._calls.write(
            f"noting where {ref.key} goes",
            lambda client: put(client, f"issue/{ref.id}/properties/{PROPERTY}", asdict(note)),
        )

    # Forms

    def _description(self, card: Card) -> object:
        return fitting_card(card, card_as_adf) if self._calls.cloud() else fitting_card(card, card_as_wiki)

    def _as_ticket(self, issue: Issue) -> Ticket:
        return Ticket(self._ref(issue), str(issue.fields.status.name))

    def _ref(self, issue: Issue) -> TicketRef:
        return TicketRef(str(issue.id), str(issue.key), f"{self._calls.url}/browse/{issue.key}")


def _quoted(text: str) -> str:
    """A JQL string."""
    return '"' + one_line(text, LINE_LIMIT).replace("\\", "\\\\").replace('"', '\\"') + '"'


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


def _read_status(issue: Issue) -> tuple[str, Noted]:
    note = object_in(object_in(issue.raw, "properties"), PROPERTY)
    return str(issue.fields.status.name), Noted(str(note.get("asked", "")), str(note.get("status", "")))


def _as_transition(shown: Mapping[str, object]) -> Transition:
    fields = {id_: object_in(object_in(shown, "fields"), id_) for id_ in object_in(shown, "fields")}
    required = tuple(
        ScreenField(
            id_, tuple(str(value.get("name") or value.get("value")) for value in objects_in(field, "allowedValues"))
        )
        for id_, field in fields.items()
        if field.get("required") and not field.get("hasDefaultValue")
    )
    return Transition(str(shown["id"]), str(shown["name"]), str(object_in(shown, "to")["name"]), required)
