"""The ledger in the digest: its checkpoint, and what somebody has changed in its entries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from bot.domain import events as e
from bot.domain.digest.figures import FindingKind
from bot.domain.digest.periods import period_at
from bot.domain.ledger.chain import head_of, leaf_of
from bot.services import Services
from bot.store.transaction import Store
from config.policy import read_policy
from handlers.ledger.checkpoints import take_checkpoint
from tests.builders import (
    NOON,
    every_event,
    every_request_event,
    opened,
)
from tests.fixtures.installation import policy_text

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

from tests.fixtures.digest_figures import DAY, MONDAY, OnlyTheLedger, OnMonday, record, told, use_policy


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    store = Store(engine, jobs, OnMonday(), {}, read_policy)
    return OnlyTheLedger(store)


@pytest.fixture
def with_policy(s: Services) -> Services:
    use_policy(s, policy_text("bike-*", extra="approval_valid_for: 30d"), MONDAY - 300 * DAY)
    return s


def test_whatever_can_be_recorded_verifies(with_policy: Services) -> None:
    record(with_policy, *[event for event in every_event() if not isinstance(event, e.RequestEvent)])
    record(with_policy, opened(at=MONDAY), *every_request_event())

    assert told(with_policy, period_at(NOON, "Europe/Madrid")).ledger.fault == ""


def test_the_newest_checkpoint_goes_into_the_digest(with_policy: Services) -> None:
    record(with_policy, opened(at=MONDAY))
    checkpoint = take_checkpoint(with_policy)

    ledger = told(with_policy).ledger

    assert (ledger.first, ledger.last, ledger.fault) == (1, 1, "")
    assert ledger.checkpoint == checkpoint.note


@pytest.fixture
def as_owner(database_url: str) -> Callable[..., None]:
    """What the owner of the database can do: the triggers are disabled first."""

    def execute(statement: str, *values: object) -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("alter table ledger disable trigger user")
            connection.execute(statement.encode(), values)
            connection.execute("alter table ledger enable trigger user")

    return execute


@pytest.mark.parametrize(
    ("tampering", "sentence"),
    [
        ("update ledger set body = replace(body, 'v', 'w') where seq = 2", "entry 2 was changed: its body"),
        ("update ledger set head = leaf where seq = 2", "entry 2 was changed or put in another place"),
        ("update ledger set kind = 'KeyRetired' where seq = 2", "entry 2 was changed: its number, time or kind"),
        (
            "update ledger set at = at + interval '1 hour' where seq = 2",
            "entry 2 was changed: its number, time or kind",
        ),
        ("delete from ledger where seq = 2", "the entry before 3 is missing"),
        ("delete from ledger where seq > 1", "the entries after that were cut off"),
    ],
)
def test_a_ledger_that_was_changed_is_the_first_matter(
    tampering: str, sentence: str, with_policy: Services, as_owner: Callable[..., None]
) -> None:
    for seconds in range(3):
        record(with_policy, e.ModelGone(MONDAY + timedelta(seconds=seconds), "default", "vivid", "deleted"))
    take_checkpoint(with_policy)

    as_owner(tampering)

    digest = told(with_policy)
    assert digest.attention.shown[0].concern is FindingKind.LEDGER_BROKEN
    assert sentence in digest.attention.shown[0].sentence
    assert sentence in digest.ledger.fault


def test_a_past_that_was_rewritten_from_end_to_end_is_found_by_what_was_signed(
    with_policy: Services, as_owner: Callable[..., None]
) -> None:
    record(with_policy, e.ModelGone(MONDAY, "default", "bike", "deleted"))
    take_checkpoint(with_policy)
    with with_policy.store.transaction() as tx:
        first, *later = list(tx.ledger.entries())

    body = first.body.replace("bike", "kite")
    head = bytes(32)
    for entry, said in [(first, body), *((entry, entry.body) for entry in later)]:
        head = head_of(head, leaf_of(said))
        as_owner(
            "update ledger set body = %s, leaf = %s, head = %s where seq = %s", said, leaf_of(said), head, entry.seq
        )

    assert "are not those that the checkpoint" in told(with_policy).ledger.fault
