"""Which entries of a ticket's history are votes, and whose text the ticket showed then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.model import Verdict
from bot.domain.references import TicketPlan
from bot.domain.ticket_votes.history import Text, TicketAct, TicketHistory, edit_by_hand, text_at, unread, verdict_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLAN = TicketPlan("GOV", "Task", "Done", "Won't Do", decide_approve="Done", decide_reject="Won't Do")
BY_ANA = TicketAct("1", "ana", NOON, "To Do", "Done")
SECOND = timedelta(seconds=1)
BY_BOT = TicketAct("2", "bot", NOON, "Done", "To Do")
EDIT_BY_EVE = TicketAct("3", "eve", NOON, edits=True)
EDIT_BY_BOT = TicketAct("4", "bot", NOON, edits=True)


def history(*acts: TicketAct) -> TicketHistory:
    return TicketHistory("bot", acts)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [("Done", Verdict.APPROVE), ("done ", Verdict.APPROVE), ("Won't Do", Verdict.REJECT), ("In Progress", None)],
)
def test_only_a_move_to_a_status_that_the_rule_names_is_a_vote(after: str, verdict: Verdict | None) -> None:
    assert verdict_of(replace(BY_ANA, after=after), PLAN) is verdict


def test_an_approvers_answer_counts_only_where_the_rule_says_so() -> None:
    answer = TicketAct("approval-1-ana", "ana", NOON, answer=Verdict.REJECT)

    assert verdict_of(answer, PLAN) is None
    assert verdict_of(answer, replace(PLAN, approvals=True)) is Verdict.REJECT


def test_what_the_bot_did_and_what_was_read_before_is_not_read_again() -> None:
    later = replace(BY_ANA, id="9")

    assert unread(history(BY_ANA, BY_BOT, EDIT_BY_EVE, later), {"1"}) == (later,)


@pytest.mark.parametrize(
    ("acts", "text"),
    [
        ((BY_ANA,), Text.OURS),
        ((EDIT_BY_EVE, BY_ANA), Text.EDITED),
        ((EDIT_BY_EVE, EDIT_BY_BOT, BY_ANA), Text.OURS),
        ((BY_ANA, EDIT_BY_EVE), Text.OURS),
        ((BY_ANA, EDIT_BY_BOT), Text.RENEWED),
    ],
)
def test_a_vote_is_on_what_the_bot_wrote_and_on_nothing_else(acts: tuple[TicketAct, ...], text: Text) -> None:
    assert text_at(BY_ANA, history(*acts)) is text


def test_one_change_that_edits_the_text_and_moves_the_ticket_is_an_edit_first() -> None:
    both = replace(BY_ANA, edits=True)

    assert text_at(both, history(both)) is Text.EDITED


def test_an_edit_by_hand_is_seen_until_the_bot_has_written_the_text_again() -> None:
    assert edit_by_hand(history(EDIT_BY_EVE, BY_ANA)) == EDIT_BY_EVE
    assert edit_by_hand(history(EDIT_BY_EVE, EDIT_BY_BOT)) is None
    assert edit_by_hand(history(BY_ANA)) is None


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        ((replace(EDIT_BY_BOT, at=NOON - SECOND),), Text.OURS),
        ((replace(EDIT_BY_BOT, at=NOON),), Text.UNDATED),
        ((replace(EDIT_BY_BOT, at=NOON + SECOND),), Text.UNDATED),
        ((replace(EDIT_BY_EVE, at=NOON - SECOND),), Text.EDITED),
        ((replace(EDIT_BY_EVE, at=NOON + SECOND),), Text.UNDATED),
        ((replace(EDIT_BY_EVE, at=NOON + SECOND), replace(EDIT_BY_BOT, at=NOON + SECOND)), Text.UNDATED),
    ],
)
def test_an_answer_has_no_time_so_no_edit_may_be_later_than_its_approval(
    edits: tuple[TicketAct, ...], text: Text
) -> None:
    answer = TicketAct("approval-1-ana", "ana", NOON, answer=Verdict.APPROVE)

    assert text_at(answer, history(*edits, answer)) is text
