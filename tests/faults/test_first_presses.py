"""The first press of a person, and the first press on a card: other processes may be just before or after their own step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest
import sqlalchemy as sa

from bot.domain.events import AccountBound, CardPosted, VoteCast
from bot.domain.model import State
from bot.errors import Temporary
from bot.sandbox.slack import Message, SandboxPerson
from bot.store.people import Person
from handlers.effects import EFFECTS
from handlers.request.accounts import person_behind
from tests.fixtures.installation import CHANNEL, Installation
from tests.fixtures.mortal import Killed, Once, with_fate
from tests.fixtures.outcomes import assert_promoted_once
from tests.fixtures.workers import eventually

MOST_STATEMENTS = 60


@contextmanager
def before_statement(
    place: int, installation: Installation, start: Callable[[], Future[Person]]
) -> Iterator[list[Future[Person]]]:
    """Starts something before this thread's n-th statement, and lets it run to its end or until it waits for a lock."""
    here, engine, seen = threading.get_ident(), installation.s.store.engine, 0
    started: list[Future[Person]] = []

    def count(*_: object) -> None:
        nonlocal seen
        if threading.get_ident() != here:
            return
        seen += 1
        if seen == place:
            started.append(start())
            eventually(lambda: started[0].done() or waits_for_a_lock(installation))

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield started
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


def waits_for_a_lock(installation: Installation) -> bool:
    with psycopg.connect(installation.settings.database_url.get_secret_value()) as connection:
        waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return connection.execute(waiting).fetchone() is not None


def test_two_first_presses_are_one_person_wherever_the_second_comes_between_the_statements_of_the_first(
    installation: Installation,
) -> None:
    for place in range(1, MOST_STATEMENTS):
        dan = SandboxPerson(f"U0DAN{place:06}", f"dan{place}", "Dan Novak", f"dan{place}@example.com")
        installation.slack.workspace.people[dan.id] = dan
        account = installation.s.notifier.account(dan.id)
        press = partial(person_behind, account, installation.s)

        with (
            ThreadPoolExecutor(1) as other,
            before_statement(place, installation, partial(other.submit, press)) as second,
        ):
            first = press()
        if not second:
            assert place > 5
            return

        assert second[0].result() == first, f"before statement {place}"
        assert len([body for body in installation.entries(AccountBound) if body["account"] == dan.id]) == 1
    pytest.fail(f"a first press takes more than {MOST_STATEMENTS} statements")


def posted_and_not_recorded(installation: Installation) -> Message:
    """Its worker was killed after Slack had taken the message, and no other has come to it yet."""
    mortal = with_fate(installation.s, Once("after post"))

    def run(name: str, subject: str) -> None:
        try:
            EFFECTS[name](subject, mortal)
        except Killed:
            raise Temporary("killed", retry_after=600.0) from None

    installation.ask(installation.register())
    with installation.s.store.transaction() as tx:
        tx.defer("sweep_models", "", "clock:sweep_models", once=True)
    installation.s.store.jobs.drain({name: partial(run, name) for name in EFFECTS})
    mortal.store.engine.dispose()
    (card,) = installation.cards()
    assert installation.requests()[0].card is None
    return card


def test_a_press_on_a_card_that_is_not_recorded_yet_counts(installation: Installation) -> None:
    card = posted_and_not_recorded(installation)

    status = installation.slack.click("ana", CHANNEL, card.ts, "approve")

    assert status == 200
    assert installation.told_privately("ana") == ""
    assert installation.happened(CardPosted, VoteCast) == ["CardPosted", "VoteCast"]
    installation.make_jobs_due()
    installation.settle_all()
    (request,) = installation.requests()
    assert_promoted_once(installation, request)


def test_a_press_on_another_message_records_none(installation: Installation) -> None:
    card = posted_and_not_recorded(installation)
    forged = {"another message": {"forged_ts": "1700000000.000001"}, "another channel": {"channel_id": "C0ELSEWHERE"}}

    for place in forged.values():
        installation.slack.click("ana", CHANNEL, card.ts, "approve", **place)

    assert installation.happened(CardPosted, VoteCast) == []
    assert installation.requests()[0].state is State.PENDING


def test_a_press_while_slack_does_not_answer_says_to_press_again(installation: Installation) -> None:
    card = posted_and_not_recorded(installation)
    installation.slack.faults.add("down", path="conversations.history")

    installation.slack.click("ana", CHANNEL, card.ts, "approve")
    told = installation.told_privately("ana")
    installation.slack.click("ana", CHANNEL, card.ts, "approve")

    assert told.startswith("Nothing was recorded: ")
    assert told.endswith("Press again.")
    assert installation.happened(VoteCast) == ["VoteCast"]
