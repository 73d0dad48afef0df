"""Decisions that people take in a ticket, as a Protocol. A ticket system that keeps no history is `NO_DECISIONS`. See also `bot.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bot.domain.grounds import SignedRequest
from bot.domain.model import Verdict
from bot.domain.references import TicketRef
from bot.domain.ticket_votes.history import TicketAct, TicketHistory
from bot.errors import Permanent, Rejected
from bot.ports.notifier import Account

if TYPE_CHECKING:
    from bot.domain.card.card import Card

CANNOT = "This ticket system has no history from which decisions could be read. Remove `decide` from the policy's ticket section."


@dataclass(frozen=True)
class CastInTicket:
    """A vote as an act says it: for which request, with which reason, and the digest of what the ticket showed."""

    request_id: str
    ticket_id: str
    act: TicketAct
    verdict: Verdict
    reason: str
    shown: str


class TicketDecisions(Protocol):
    """Reads who did what to a ticket. What a webhook says about it is never used."""

    def history_of(self, ref: TicketRef, *, approvals: bool = False) -> TicketHistory:
        """With the approvers' answers where `approvals` is set and the ticket's project has approvals. Raises Permanent when it is gone.

        The answers are read first: an edit that came before an answer is in the history.
        """

    def account(self, account_id: str) -> Account:
        """As the ticket system knows it now; `email` is empty when it does not show it. Raises Permanent when there is none."""

    def verifies_addresses(self) -> bool:
        """Whether an address on an account is its owner's. Elsewhere anyone can write any address into their own profile."""

    def accounts_with(self, email: str) -> tuple[Account, ...]:
        """The members' accounts that show this address."""

    def words_with(self, ref: TicketRef, act: TicketAct) -> str:
        """The comment that the same account made with the act, or shortly before it; empty without one."""

    def changed_since(self, project: str, minutes: int) -> tuple[str, ...] | None:
        """The ids of our tickets in the project that changed in the last minutes, by the ticket system's own clock. None: too many."""

    def describe(self, ref: TicketRef, card: Card) -> None:
        """Writes title and text again. Repeatable; what is so already makes no entry in the history."""

    def seal(self, cast: CastInTicket, at: datetime) -> SignedRequest:
        """The entry of the history as it was read, sealed by the bot: the ticket system signs nothing."""

    def read_sealed(self, kept: SignedRequest) -> CastInTicket:
        """What was read then, if the seal holds. Raises Rejected, with the reason, when it does not."""


class NoDecisions:
    """Of a ticket system without a history: nothing is decided in its tickets."""

    def history_of(self, ref: TicketRef, *, approvals: bool = False) -> TicketHistory:  # noqa: ARG002
        return TicketHistory("")

    def account(self, account_id: str) -> Account:  # noqa: ARG002
        raise Permanent(CANNOT)

    def verifies_addresses(self) -> bool:
        return False

    def accounts_with(self, email: str) -> tuple[Account, ...]:  # noqa: ARG002
        return ()

    def words_with(self, ref: TicketRef, act: TicketAct) -> str:  # noqa: ARG002
        return ""

    def changed_since(self, project: str, minutes: int) -> tuple[str, ...] | None:  # noqa: ARG002
        return ()

    def describe(self, ref: TicketRef, card: Card) -> None:  # noqa: ARG002
        return

    def seal(self, cast: CastInTicket, at: datetime) -> SignedRequest:  # noqa: ARG002
        raise Permanent(CANNOT)

    def read_sealed(self, kept: SignedRequest) -> CastInTicket:  # noqa: ARG002
        raise Rejected("bad_signature", CANNOT)


NO_DECISIONS = NoDecisions()
