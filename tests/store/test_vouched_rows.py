"""Which rows of `baselines` ledger entries vouch for: also many at once, and rows that a rename copies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from bot.domain.events import BaselineRecorded, Event, ModelRenamed, OldBaselinesListed
from bot.domain.model import Placed, Target, VersionId
from bot.domain.registry.facts import Handling
from bot.domain.registry.watch_events import WatchBegun
from bot.domain.registry_events import LISTED, Held
from bot.store.custody import Watch
from bot.store.transaction import Store
from bot.store.vouched.baselines import Row, baseline_by_ledger, differences, is_listed, without_entry
from config.policy import read_policy
from handlers import ON
from handlers.registry.watches import carry_over, record_baseline
from tests.builders import CHAMPION, NOON
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

HOUR = timedelta(hours=1)
ODD = 'a "quoted" \\ name – ü'


@pytest.fixture
def store(engine: sa.Engine, jobs: Jobs) -> Store:
    return Store(engine, jobs, SystemClock(), ON, read_policy)


def version(number: int, model: str = "bike") -> VersionId:
    return VersionId("default", model, number, NOON - HOUR)


def row(number: int, model: str = "bike", *, since: datetime = NOON, target: str = str(CHAMPION)) -> Row:
    return Row("default", model, target, number, NOON - HOUR, since)


def put(store: Store, *rows: Row) -> None:
    with store.transaction() as tx:
        for one in rows:
            placed = one.placed
            tx.custody.put_baseline(one.model, placed.target, (placed.version,), one.since)


def record(store: Store, *events: Event) -> None:
    with store.transaction() as tx:
        tx.record(events)


def vouched(store: Store, rows: Sequence[Row]) -> list[Row]:
    with store.engine.connect() as connection:
        said = (baseline_by_ledger(one.workspace, one.model, one.placed.target, connection) for one in rows)
        return [one for one, there in zip(rows, said, strict=True) if there.get(one.placed.version) == one.since]


def audited(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(differences(connection))


def test_many_holders_are_recorded_in_few_entries_that_vouch_for_each(store: Store) -> None:
    rows = [row(number, ODD) for number in range(1, 2 * LISTED + 2)]
    put(store, *rows)

    with store.transaction() as tx:
        record_baseline("default", [Held(CHAMPION, one.placed.version) for one in rows], tx, NOON)
        record_baseline("default", [], tx, NOON)

    with store.transaction() as tx:
        assert len(list(tx.ledger.entries(BaselineRecorded.__name__))) == 3
    assert vouched(store, rows[:1] + rows[-1:]) == rows[:1] + rows[-1:]
    assert audited(store) == []


@pytest.mark.parametrize(
    "other",
    [
        row(2),
        row(1, "car"),
        row(1, since=NOON + HOUR),
        row(1, target="alias:live"),
        row(1)._replace(workspace="team"),
        row(1)._replace(version_created=NOON),
    ],
    ids=["version", "model", "time", "target", "workspace", "created"],
)
def test_an_entry_vouches_for_nothing_but_what_it_says(other: Row, store: Store) -> None:
    record(store, WatchBegun(NOON, "default", CHAMPION, "bike", "revert", (version(1),)))
    put(store, row(1), other)

    assert vouched(store, [row(1), other]) == [row(1)]
    assert len(audited(store)) == 1


def test_a_rename_records_what_it_copies_with_the_times_of_then(store: Store) -> None:
    for target in (CHAMPION, Target.parse("model:bike")):
        for at in (NOON, NOON - HOUR):  # the clock was set back
            held = version(1 if at == NOON else 2)
            put(store, row(held.version, since=at, target=str(target)))
            record(store, WatchBegun(at, "default", target, "bike", "revert", (held,)))
            with store.transaction() as tx:
                tx.custody.put_watch("default", "bike", target, Watch(at, Handling.REVERT))

    with store.transaction() as tx:
        carry_over("default", "bike", "car", tx, NOON + HOUR)

    of_alias = [row(1, "car"), row(2, "car", since=NOON - HOUR)]
    copied = [*of_alias, *(one._replace(target="model:car") for one in of_alias)]
    with store.engine.connect() as connection:
        rows = connection.execute(sa.text("select * from baselines where model = 'car'")).all()
    assert len(rows) == len(copied)
    assert vouched(store, copied) == copied
    assert audited(store) == []


def test_an_entry_about_a_former_name_alone_vouches_for_nothing(store: Store) -> None:
    record(store, BaselineRecorded(NOON, "default", (Held(CHAMPION, version(1)),)))
    record(store, ModelRenamed(NOON + HOUR, "default", "bike", "car"))
    put(store, row(1), row(1, "car"))

    assert vouched(store, [row(1), row(1, "car")]) == [row(1)]
    assert ["of car was inserted" in line for line in audited(store)] == [True]


@pytest.mark.parametrize("later", [HOUR, -HOUR], ids=["later", "after the clock was set back"])
def test_of_a_row_that_was_written_again_only_the_last_time_counts_for_the_audit(
    later: timedelta, store: Store
) -> None:
    for at in (NOON, NOON + later):
        record(store, WatchBegun(at, "default", CHAMPION, "bike", "revert", (version(1),)))
    put(store, row(1, since=NOON + later))
    as_written = audited(store)

    put(store, row(1))

    assert as_written == []
    assert "edited" in audited(store)[0]


def test_what_is_old_is_listed_in_as_many_entries_as_it_takes_and_the_first_list_counts(store: Store) -> None:
    old = [row(number).placed for number in range(1, 4)]
    put(store, *(row(number) for number in range(1, 6)))
    with store.transaction() as tx:
        assert (is_listed(tx.connection), len(without_entry(tx.connection))) == (False, 5)

    record(store, *(OldBaselinesListed(NOON, (one,), 2 - number) for number, one in enumerate(old)))
    record(store, OldBaselinesListed(NOON, (Placed(CHAMPION, version(4), NOON, None),)))
    record(store, OldBaselinesListed(NOON, (Placed(CHAMPION, version(5), NOON, None),), 5))

    assert vouched(store, [row(number) for number in range(1, 6)]) == [row(1), row(2), row(3)]
    with store.transaction() as tx:
        assert is_listed(tx.connection)
        assert [one.version.version for one in without_entry(tx.connection)] == [4, 5]
    assert len(audited(store)) == 2
