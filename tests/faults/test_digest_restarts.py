"""Workers that die between any two steps of a delivery, and two that work at once: each receiver has the digest once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from bot.errors import Permanent
from bot.services import Services
from bot.store import tables
from handlers.digest.delivery import file_digest, mail_digest, post_digest
from handlers.effects import effects_of
from tests.builders.digest import a_quiet_digest
from tests.fixtures.digest_office import ANA, BEN, FILES, PLAN, WEEK, Office, open_office
from tests.fixtures.installation import services_with
from tests.fixtures.mortal import AtEveryBoundary, Fate, Killed, with_fate

pytestmark = pytest.mark.proof

MOST_DEATHS = 300  # a delivery has some sixty boundaries
BRIEF = FILES[:-1]  # of a quiet week, whose records are empty

Deliver = Callable[[str, Services], None]


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    with open_office(database_url, tmp_path) as ready:
        yield ready


class Nth(Fate):
    """Dies once, at the boundary with this number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def pass_by(self, boundary: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed(boundary)


def dies(office: Office, deliver: Deliver, fate: Fate) -> bool:
    """Whether a restarted worker dies over it."""
    fresh = services_with(office.settings, office.url, office.clock)
    fate.begin(deliver.__name__)
    try:
        deliver(WEEK, with_fate(fresh, fate))
    except Killed:
        return True
    finally:
        fresh.store.engine.dispose()
    fate.end()
    return False


@pytest.mark.parametrize("deliver", [post_digest, file_digest])
def test_what_can_be_looked_up_survives_a_death_at_every_boundary(office: Office, deliver: Deliver) -> None:
    fate = AtEveryBoundary()
    office.close(a_quiet_digest())

    while dies(office, deliver, fate):
        assert fate.total < MOST_DEATHS
    office.settle_all()

    assert fate.total > 20
    office.assert_delivered_once(files=BRIEF)


def test_a_mail_is_sent_once_or_asked_about_wherever_the_worker_dies(office: Office) -> None:
    office.close(a_quiet_digest(), plan=replace(PLAN, channel=None, ticket=None))
    outcomes = set()
    number = 1

    while dies(office, mail_digest, Nth(number)):
        question = ""
        try:
            mail_digest(WEEK, office.s)
        except Permanent as parked:
            question = str(parked)
        told = office.mailed()
        assert len(told) == len(set(told)), number
        assert (told == [ANA, BEN]) if not question else ("Ask whether it came" in question), number
        outcomes.add(bool(question))
        forget(office)
        number += 1

    assert number > 20
    assert outcomes == {True, False}


def forget(office: Office) -> None:
    """As if the mails had not been sent."""
    office.post.mails.clear()
    with office.s.store.engine.begin() as connection:
        connection.execute(sa.delete(tables.sendings))
        connection.execute(sa.update(tables.digests).values(mailed_at=None))


def test_two_workers_on_one_database_deliver_once(office: Office) -> None:
    replicas = [services_with(office.settings, office.url, office.clock) for _ in range(2)]
    start = Barrier(len(replicas))

    def work(s: Services) -> None:
        start.wait(10)
        s.store.jobs.drain(effects_of(s))

    office.close()
    with ThreadPoolExecutor(len(replicas)) as threads:
        list(threads.map(work, replicas))
    office.settle_all()

    office.assert_delivered_once()
    for s in replicas:
        s.store.engine.dispose()
