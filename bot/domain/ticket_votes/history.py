"""A ticket's history as the ticket system has it, and what of it is a person's vote. Plain values; no I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from bot.domain.model import Verdict
from bot.domain.references import TicketPlan

TICKET = "ticket"  # the `via` of a vote that was cast in a ticket, and its `team`


@dataclass(frozen=True)
class TicketAct:
    """What an account did to a ticket. `id` names it for good.

    `before` and `after` are the statuses of a move, empty for everything else. `edits`: it changed the ticket's title or text. `answer`: of
    an approver, where the ticket system has approvals of its own; `at` is then when the approval was opened, since it does not say when an
    approver answered. `account` is empty when the system does not say who it was.
    """

    id: str
    account: str
    at: datetime
    before: str = ""
    after: str = ""
    edits: bool = False
    answer: Verdict | None = None

    @property
    def may_decide(self) -> bool:
        return bool(self.after) or self.answer is not None


@dataclass(frozen=True)
class TicketHistory:
    """Oldest first, with the approvers' answers last. `ours` is the bot's own account there.

    `has_answers`: approvers' answers were read. Without that, a missing answer says nothing.
    """

    ours: str
    acts: tuple[TicketAct, ...] = ()
    has_answers: bool = False

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each act is, by its id."""
        return {act.id: place for place, act in enumerate(self.acts)}

    @cached_property
    def edits(self) -> tuple[int, ...]:
        """The places of the edits of the text."""
        return tuple(place for place, act in enumerate(self.acts) if act.edits)

    @cached_property
    def last_of_ours(self) -> int:
        """The place of the bot's last edit; -1 without one."""
        return max((place for place in self.edits if self.acts[place].account == self.ours), default=-1)


class Text(StrEnum):
    """Whose text a ticket showed when somebody decided in it."""

    OURS = "ours"
    EDITED = "edited"
    RENEWED = "renewed"
    UNDATED = "undated"  # it was written during the time in which the answer was given


def same_status(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def verdict_of(act: TicketAct, plan: TicketPlan) -> Verdict | None:
    """What the act says under the rule's ticket settings; None when it decides nothing."""
    if act.answer is not None:
        return act.answer if plan.approvals else None
    if same_status(act.after, plan.decide_approve):
        return Verdict.APPROVE
    return Verdict.REJECT if same_status(act.after, plan.decide_reject) else None


def unread(history: TicketHistory, read: Collection[str]) -> tuple[TicketAct, ...]:
    """What was not looked at before. What the bot itself did is never a vote, so that no move of its own leads to another."""
    return tuple(act for act in history.acts if act.may_decide and act.account != history.ours and act.id not in read)


def text_at(act: TicketAct, history: TicketHistory) -> Text:
    """Somebody may have edited the ticket before, and the bot may have written it again since, as after a change of the policy."""
    if act.answer is not None and any(one.edits and one.at >= act.at for one in history.acts):
        return Text.UNDATED
    until = bisect_right(history.edits, history.places[act.id])
    if history.last_of_ours > history.places[act.id]:
        return Text.RENEWED
    last = history.acts[history.edits[until - 1]] if until else None
    return Text.EDITED if last is not None and last.account != history.ours else Text.OURS


def edit_by_hand(history: TicketHistory) -> TicketAct | None:
    """The last edit of the text, unless it is the bot's."""
    last = next((act for act in reversed(history.acts) if act.edits), None)
    return last if last is not None and last.account != history.ours else None
