"""A version's history tells what ended its hold on a target, as well as what brought it there."""

from __future__ import annotations

from bot.domain import events as e
from bot.domain.model import Kind, State
from bot.domain.queries.history import HistoryEntry, happening, history_about, seen_in_the_registry
from tests.builders import CHAMPION, LATER, REQUEST_ID, a_request, a_version

NAMES = {"ben": "Ben Okafor"}
V5, V7 = a_version(5), a_version(7)


def the_move(**changes: object) -> HistoryEntry:
    request = a_request(State.APPLIED, version=V7, **changes)
    found = happening(e.TargetMoved(LATER, REQUEST_ID, request.version, CHAMPION, V5, True), request, NAMES)
    assert found is not None
    return found


def test_the_version_that_was_rolled_back_replaced_or_moved_away_by_hand_has_the_row_too() -> None:
    rollback = a_request(State.APPLIED, version=V5, kind=Kind.ROLLBACK, away_from=V7, requester="ben", comment="drift")
    back = happening(e.TargetMoved(LATER, REQUEST_ID, V5, CHAMPION, V7, True), rollback, NAMES)
    by_hand = seen_in_the_registry(e.MoveObserved(LATER, "default", CHAMPION, "bike-demand", V5, V7, "ask"))
    emptied = seen_in_the_registry(e.MoveObserved(LATER, "default", CHAMPION, "bike-demand", None, V7, "ask"))
    asked = a_request(State.REJECTED, version=V7, kind=Kind.OBSERVED)
    put_back = happening(e.TargetPutBack(LATER, REQUEST_ID, CHAMPION, V7, V5, True), asked, NAMES)
    assert back is not None
    assert put_back is not None

    entries = [the_move(), back, by_hand, emptied, put_back]

    assert history_about(V7, entries) == entries
    assert history_about(V5, entries) == [entries[0], back, by_hand, put_back]
    assert (back.what, back.who) == ("rolled back", "Ben Okafor")


def test_what_stayed_where_it_was_lost_nothing() -> None:
    asked = a_request(State.REJECTED, version=V7, kind=Kind.OBSERVED)

    left = happening(e.TargetPutBack(LATER, REQUEST_ID, CHAMPION, V7, V5, False), asked, NAMES)

    assert left is not None
    assert history_about(V7, [left]) == []
