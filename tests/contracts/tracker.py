"""A second ticket system: issues as GitLab has them, with labels, notes and two states, opened and closed. In memory and small."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from bot.domain.card.card import Card, Link
from bot.domain.references import SeenTicket, TicketMove, TicketPlan, TicketRef
from bot.errors import Permanent, Rejected
from bot.ports import Attachment, Ticket, TicketHint
from bot.ports.tickets import NOTHING_MORE

OPENED, CLOSED = "opened", "closed"


@dataclass
class Issue:
    iid: int
    project: str
    title: str
    description: str
    labels: list[str]
    state: str = OPENED
    resolution: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)


class Tracker:
    name = "Tracker"
    search_settles = 0.0

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def texts(self) -> str:
        """Everything that was written here."""
        return json.dumps([asdict(issue) for issue in self.issues])

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        if headers.get("X-Tracker-Token") != "the-trackers-own-token":
            raise Rejected("bad_signature", "the token is not the tracker's")
        read = json.loads(body)
        return TicketHint(str(read["event"]), str(read["iid"]))

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None:
        found = (issue for issue in self.issues if issue.project == plan.project and key in issue.labels)
        return next((_ticket(issue) for issue in found), None)

    def open_ticket(self, plan: TicketPlan, card: Card, key: str, parent: str = "") -> Ticket:
        issue = Issue(len(self.issues) + 1, plan.project, card.title, _described(card), [key, plan.type])
        issue.related += [parent] if parent else []
        self.issues.append(issue)
        return _ticket(issue)

    def look_up(self, name: str) -> SeenTicket:
        found = next((issue for issue in self.issues if _ref(issue).key == name), None)
        return SeenTicket(name, found is not None, name if found else "", found.project if found else "")

    def relate(self, ref: TicketRef, to: str, link_type: str) -> None:
        self._issue(ref).related.append(to)

    def get_ticket(self, ref: TicketRef) -> Ticket:
        return _ticket(self._issue(ref))

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None:
        self._issue(ref).links[key] = (title, url)

    def comment(
        self, ref: TicketRef, key: str, text: str, *, also: Mapping[str, str] = NOTHING_MORE, is_new: bool = False
    ) -> None:
        for name, said in {key: text, **also}.items():
            self._issue(ref).notes.setdefault(name, said)

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        issue = self._issue(ref)
        issue.uploads += [one.name for one in files if one.name not in issue.uploads]

    def move(self, ref: TicketRef, to: TicketMove | str) -> None:
        """Every end closes an issue here; the label says which."""
        issue = self._issue(ref)
        issue.state, issue.resolution = CLOSED, to if isinstance(to, str) else to.to

    def _issue(self, ref: TicketRef) -> Issue:
        found = next((issue for issue in self.issues if str(issue.iid) == ref.id), None)
        if found is None:
            raise Permanent(f"there is no issue {ref.key}")
        return found


def _ref(issue: Issue) -> TicketRef:
    key = f"{issue.project}#{issue.iid}"
    return TicketRef(str(issue.iid), key, f"https://tracker.example.com/{issue.project}/issues/{issue.iid}")


def _ticket(issue: Issue) -> Ticket:
    return Ticket(_ref(issue), issue.resolution or issue.state)


def _described(card: Card) -> str:
    facts = [f"{one.label}: {one.value.text if isinstance(one.value, Link) else one.value}" for one in card.facts]
    tables = [" | ".join(row) for table in card.tables for row in (table.columns, *table.rows)]
    return "\n".join([card.summary, *facts, *tables, *card.paragraphs])
