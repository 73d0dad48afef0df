"""Turns to post in a channel, on a real PostgreSQL: one message at a time, the most urgent first, and nobody waits for the dead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.engine.lanes import Urgency
from bot.engine.pace import (
    ASK_AGAIN,
    EARLY,
    ENOUGH,
    LATE,
    LONGEST,
    UNANSWERED,
    AnswerTimes,
    Departure,
    PaceRows,
    PostTurn,
)
from tests.fixtures.workers import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

SPACING, PATIENCE = 15.0, 22.0  # so that a slow machine does not change who is first

Take = Callable[..., PostTurn] if TYPE_CHECKING else object


@pytest.fixture
def take(engine: sa.Engine) -> Take:
    def turn(
        key: str,
        place: str = "#ml",
        urgency: Urgency = Urgency.NOTE,
        patience: float = PATIENCE,
        asker: str = "",
    ) -> PostTurn:
        with engine.begin() as connection:
            return PaceRows(connection).take(place, key, urgency, SPACING, patience, asker=asker)

    return turn


def test_a_message_waits_for_the_answer_to_the_one_before_and_keeps_its_distance_from_it(
    engine: sa.Engine, take: Take
) -> None:
    take("a")
    first = depart(engine)
    unanswered = depart(engine)
    arrive(engine, first)
    answered = depart(engine)

    assert (first.seconds, first.is_granted) == (0.0, True)
    assert unanswered == Departure(ASK_AGAIN, is_granted=False)
    assert answered.is_granted
    assert SPACING - 5 < answered.seconds <= SPACING


def test_while_a_message_keeps_its_distance_the_one_after_it_waits_for_its_answer(
    engine: sa.Engine, take: Take
) -> None:
    take("a")
    arrive(engine, depart(engine))
    second = depart(engine)
    early = depart(engine)
    arrive(engine, second)

    assert not early.is_granted
    assert depart(engine).is_granted


def test_a_message_whose_worker_has_died_holds_up_no_other(engine: sa.Engine, take: Take) -> None:
    take("a")
    depart(engine)
    let_pass(engine, SPACING + UNANSWERED)

    assert leave(engine) == 0.0


def test_a_worker_that_dies_while_its_message_keeps_its_distance_holds_up_no_other(
    engine: sa.Engine, take: Take
) -> None:
    take("a")
    arrive(engine, depart(engine))
    depart(engine)
    let_pass(engine, SPACING + UNANSWERED + SPACING)

    assert leave(engine) == 0.0


def test_an_answer_that_comes_too_late_says_nothing_about_the_message_that_left_since(
    engine: sa.Engine, take: Take
) -> None:
    take("a")
    first = depart(engine)
    let_pass(engine, SPACING + UNANSWERED)
    second = leave(engine)
    arrive(engine, first, ago=SPACING)

    assert second == 0.0
    assert not depart(engine).is_granted


def test_only_one_message_leaves_while_the_channel_gets_its_other_name(engine: sa.Engine, take: Take) -> None:
    take("a")
    with ThreadPoolExecutor() as threads:
        with engine.begin() as connection:
            PaceRows(connection).name("#ml", "C1")
            by_name = threads.submit(depart, engine)
            eventually(lambda: waits_for_a_lock(engine))
        left = [by_name.result(), depart(engine, "C1")]

    assert [one.is_granted for one in left].count(True) == 1


def waits_for_a_lock(engine: sa.Engine) -> bool:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.execute(sa.text(query)).scalar())


def test_a_message_that_left_late_puts_the_turns_after_it_off(engine: sa.Engine, take: Take) -> None:
    take("a")
    let_pass(engine, SPACING)
    leave(engine)

    assert SPACING - 5 < take("b").seconds <= SPACING


def test_a_message_that_keeps_its_distance_puts_the_turns_after_it_off(engine: sa.Engine, take: Take) -> None:
    take("a")
    let_pass(engine, SPACING)
    arrive(engine, depart(engine))
    leave(engine)

    assert 2 * SPACING - 5 < take("b").seconds <= 2 * SPACING


def test_a_message_in_a_quiet_channel_leaves_at_once(engine: sa.Engine, take: Take) -> None:
    take("a")

    assert leave(engine) == 0.0


def leave(engine: sa.Engine) -> float:
    """In how many seconds the message may leave."""
    departure = depart(engine)
    assert departure.is_granted
    return departure.seconds


def depart(engine: sa.Engine, place: str = "#ml") -> Departure:
    with engine.begin() as connection:
        return PaceRows(connection).leave(place, SPACING)


def arrive(engine: sa.Engine, departure: Departure, ago: float = 0.0) -> None:
    with engine.begin() as connection:
        PaceRows(connection).arrive("#ml", departure, ago)


def let_pass(engine: sa.Engine, seconds: float) -> None:
    with engine.begin() as connection:
        earlier = sa.text("update paces set free_at = free_at - :s, left_at = left_at - :s")
        connection.execute(earlier.bindparams(s=seconds))
        connection.execute(sa.text("update waiting_posts set back_at = back_at - :s").bindparams(s=seconds))


def test_the_first_goes_at_once_the_next_waits_in_place_and_the_third_comes_back(take: Take) -> None:
    first, second, third = (take(key) for key in "abc")

    assert (first.is_granted, first.seconds) == (True, 0.0)
    assert second.is_granted
    assert 0 < second.seconds <= SPACING
    assert not third.is_granted
    assert SPACING - EARLY < third.seconds <= 2 * SPACING - EARLY


def test_whoever_cannot_wait_in_place_comes_back_shortly_before_the_turn(take: Take) -> None:
    take("a")

    second = take("b", patience=0.0)

    assert not second.is_granted
    assert 0 < second.seconds <= SPACING - EARLY


def test_each_next_turn_is_a_spacing_later(take: Take) -> None:
    take("a")
    waits = [take(key, patience=0.0).seconds for key in "bcde"]

    assert all(after > before for before, after in pairwise(waits))
    assert waits[3] <= 4 * SPACING - EARLY


def test_a_place_in_the_queue_is_kept(engine: sa.Engine, take: Take) -> None:
    take("a")
    for key in "bcd":
        take(key, patience=0.0)
    let_pass(engine, SPACING)

    too_early, its_turn = take("d"), take("b")

    assert (too_early.is_granted, its_turn.is_granted) == (False, True)


@pytest.mark.parametrize(
    ("urgent", "waiting"),
    [(Urgency.CARD, Urgency.NOTE), (Urgency.NOTE, Urgency.LATER), (Urgency.CARD, Urgency.LATER)],
)
def test_a_more_urgent_message_overtakes_those_that_wait(
    engine: sa.Engine, take: Take, urgent: Urgency, waiting: Urgency
) -> None:
    take("a")
    for number in range(5):
        take(f"waits-{number}", urgency=waiting, patience=0.0)
    asked = take("urgent", urgency=urgent, patience=0.0)
    let_pass(engine, SPACING)

    overtaken, now = take("waits-0", urgency=waiting), take("urgent", urgency=urgent)

    assert asked.seconds <= SPACING
    assert (overtaken.is_granted, now.is_granted) == (False, True)


def test_a_less_urgent_message_does_not_overtake(engine: sa.Engine, take: Take) -> None:
    take("a")
    take("card", urgency=Urgency.CARD, patience=0.0)
    let_pass(engine, SPACING)

    assert not take("digest", urgency=Urgency.LATER).is_granted


def test_channels_do_not_wait_for_each_other(take: Take) -> None:
    take("a", "#ml")

    other = take("b", "#risk")

    assert (other.is_granted, other.seconds) == (True, 0.0)


def test_a_message_whose_worker_died_holds_up_nobody(engine: sa.Engine, take: Take) -> None:
    take("a")
    take("dead", urgency=Urgency.CARD, patience=0.0)
    let_pass(engine, SPACING + LATE + 1)

    assert take("next").is_granted


def test_what_waits_is_forgotten_an_hour_after_its_turn(engine: sa.Engine, take: Take) -> None:
    take("a")
    take("dropped", patience=0.0)
    let_pass(engine, 3_700 + SPACING)
    take("alive", "#risk")
    take("waits", "#risk", patience=0.0)

    with engine.begin() as connection:
        PaceRows(connection).prune()
        kept = list(connection.execute(sa.text("select key from waiting_posts")).scalars())
        places = list(connection.execute(sa.text("select place from paces")).scalars())

    assert (kept, places) == (["waits"], ["#risk"])


def test_a_channels_name_and_its_id_have_one_queue(engine: sa.Engine, take: Take) -> None:
    take("card", "#ml")
    with engine.begin() as connection:
        PaceRows(connection).name("#ml", "C0ML")
    take("reply", "C0ML")

    by_name = take("b", "#ml")

    assert not by_name.is_granted


def test_a_message_that_changes_its_channel_waits_in_the_new_one(engine: sa.Engine, take: Take) -> None:
    for place in ("#ml", "#risk"):
        take(f"first in {place}", place)
    take("moved", "#ml", patience=0.0)
    take("moved", "#risk", patience=0.0)
    let_pass(engine, SPACING)

    assert take("next", "#ml").is_granted
    assert not take("next", "#risk").is_granted


def test_a_message_far_back_comes_back_halfway_and_a_nearer_one_within_a_minute(take: Take) -> None:
    """Those before it may be withdrawn; but a thousand that asked at once do not all come back at once, again and again."""
    take("a")
    again = [take(f"b{number}", patience=0.0).seconds for number in range(20)]

    assert again[5] == LONGEST
    assert again[19] == pytest.approx(20 * SPACING / 2, abs=5)
    assert len(set(again[8:])) == len(again[8:])


def in_turn(engine: sa.Engine, take: Take, waiting: list[tuple[str, str]]) -> list[str]:
    """The keys in the order in which they get their turn; all come back for each. `waiting` are keys and who asked."""
    order, left = [], dict(waiting)
    while left:
        let_pass(engine, SPACING)
        granted = [key for key, asker in left.items() if take(key, asker=asker, patience=0.0).is_granted]
        assert len(granted) == 1
        order += granted
        del left[granted[0]]
    return order


def test_people_take_turns_so_that_one_with_many_messages_does_not_keep_the_next_one_waiting(
    engine: sa.Engine, take: Take
) -> None:
    take("first")
    many, late = [(f"ana-{number}", "ana") for number in range(6)], [("ben-0", "ben"), ("ben-1", "ben"), ("cy-0", "cy")]
    for key, asker in [*many, *late]:
        take(key, asker=asker, patience=0.0)

    order = in_turn(engine, take, [*many, *late])

    assert order == ["ana-0", "ben-0", "cy-0", "ana-1", "ben-1", "ana-2", "ana-3", "ana-4", "ana-5"]


def test_whoever_comes_late_is_in_the_round_that_is_on(engine: sa.Engine, take: Take) -> None:
    take("first")
    many = [(f"ana-{number}", "ana") for number in range(6)]
    for key, asker in many:
        take(key, asker=asker, patience=0.0)
    assert in_turn(engine, take, many[:1]) == ["ana-0"]
    for key, _ in many[1:3]:
        let_pass(engine, SPACING)
        assert take(key, asker="ana").is_granted

    take("ben-0", asker="ben", patience=0.0)

    assert in_turn(engine, take, [*many[3:], ("ben-0", "ben")])[0] == "ben-0"


def test_what_the_other_side_needs_for_every_answer_is_not_waited_for_again() -> None:
    times = AnswerTimes()
    for _ in range(ENOUGH):
        times.arrived_ago(0.5)

    assert times.arrived_ago(0.4) == pytest.approx(0.28)
    assert times.arrived_ago(3.0) == pytest.approx(0.28)  # it may have come late
    assert times.arrived_ago(0.2) == pytest.approx(0.13)


def test_what_is_answered_within_milliseconds_counts_from_its_answer() -> None:
    """The other side's own work differs by as much, and a message that leaves too early is refused."""
    times = AnswerTimes()

    assert {times.arrived_ago(0.02) for _ in range(ENOUGH + 1)} == {0.0}


def test_the_first_answers_may_have_been_late_on_their_way_and_count_from_when_they_came() -> None:
    """Else the second message of a process left too early, and was refused."""
    times = AnswerTimes()

    assert {times.arrived_ago(0.4) for _ in range(ENOUGH - 1)} == {0.0}
    assert times.arrived_ago(0.4) > 0.0


def test_the_next_message_keeps_its_distance_from_when_the_one_before_arrived(engine: sa.Engine, take: Take) -> None:
    take("a")
    arrive(engine, depart(engine), ago=5.0)

    assert 0 < leave(engine) <= SPACING - 5
