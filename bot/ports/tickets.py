"""Where approvals are put on record for the organisation, as a Protocol. See also `bot.ports`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from bot.domain.references import SeenTicket, TicketMove, TicketPlan, TicketRef
from bot.ports.files import Attachment

if TYPE_CHECKING:
    from bot.domain.card.card import Card

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class TicketHint:
    """A ticket system's webhook, used only as a hint to read this ticket again."""

    delivery_id: str
    ticket_id: str | None


@dataclass(frozen=True)
class Ticket:
    ref: TicketRef
    status: str


class TicketSystem(Protocol):
    """Where tickets are. `key` is our idempotency key: the ticket's label, the comment's marker, the link's global id."""

    name: str
    """What people call it."""
    search_settles: float
    """Seconds after which `find_ticket` is certain to find a created ticket."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> TicketHint:
        """Verifies the signature over the raw body, then parses. Raises Rejected."""

    def find_ticket(self, plan: TicketPlan, key: str) -> Ticket | None: ...

    def open_ticket(self, plan: TicketPlan, card: Card, key: str, parent: str = "") -> Ticket:
        """Creates, below the ticket `parent` as a sub-task; raises OutcomeUnknown when the answer was lost."""

    def look_up(self, name: str) -> SeenTicket:
        """The ticket that people call so, such as ML-4521, and whether there are such a project and such a ticket for our account."""

    def relate(self, ref: TicketRef, to: str, link_type: str) -> None:
        """Links the ticket to the one that is called `to`. Repeatable. Permanent when there is no such type of link."""

    def get_ticket(self, ref: TicketRef) -> Ticket:
        """Raises Permanent when it was deleted."""

    def link(self, ref: TicketRef, key: str, title: str, url: str) -> None: ...

    def comment(
        self, ref: TicketRef, key: str, text: str, *, also: Mapping[str, str] = NOTHING_MORE, is_new: bool = False
    ) -> None:
        """Adds the text unless a comment with this key exists, and in the same comment those of `also`, texts by key, that do not exist.

        `is_new`: it is certain that none of them does, so none is looked for.
        """

    def attach(self, ref: TicketRef, files: Sequence[Attachment]) -> None:
        """Skips files that our account already attached under the same name. Raises OutcomeUnknown."""

    def move(self, ref: TicketRef, to: TicketMove | str) -> None:
        """Takes the transitions that lead there, unless the ticket is there. Permanent lists those that there are."""
