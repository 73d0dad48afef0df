"""`countersign passkeys`: who has one, and how an administrator ends one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.domain.events import PasskeyConfirmed, PasskeyEnrolled
from bot.engine.jobs import Jobs
from bot.store import tables
from bot.store.transaction import Store
from config.policy import read_policy
from tests.commands.test_people import countersign
from tests.fixtures.clock import SystemClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def with_passkey(database_url: str, engine: sa.Engine, jobs: Jobs) -> str:
    """Ana's, confirmed by Ben."""
    with Store(engine, jobs, SystemClock(), {}, read_policy).transaction() as tx:
        ana, ben = (tx.people.get_or_add(f"{name}@example.com", name.title()).id for name in ("ana", "ben"))
        tx.record([PasskeyEnrolled(NOON, ana, "Y3JlZA", "a2V5", "countersign.example.com", "U1", "T0", "my phone")])
        tx.record([PasskeyConfirmed(NOON, ana, "Y3JlZA", ben, "U2", "T0")])
    return database_url


def test_the_list_says_whose_passkey_it_is_who_confirmed_it_and_whether_it_counts(with_passkey: str) -> None:
    code, printed = countersign(with_passkey, "passkeys", "list", "--json")

    (listed,) = json.loads(printed)
    assert code == 0
    assert (listed["email"], listed["label"], listed["confirmed_by"], listed["state"]) == (
        "ana@example.com",
        "my phone",
        "Ben",
        "confirmed",
    )
    assert (listed["credential"], listed["public_key"]) == ("Y3JlZA", "a2V5")


def test_an_administrator_ends_a_passkey_by_the_beginning_of_its_id(with_passkey: str) -> None:
    _, printed = countersign(with_passkey, "passkeys", "list")
    short = printed.splitlines()[1].split()[0]

    code, said = countersign(
        with_passkey, "passkeys", "revoke", short, "--reason", "the phone was lost", "--by", "cy@example.com"
    )

    _, after = countersign(with_passkey, "passkeys", "list", "--json")
    (listed,) = json.loads(after)
    assert (code, f"Passkey {short} of ana@example.com signs nothing from now on" in said) == (0, True)
    assert listed["state"].startswith("revoked ")
    assert listed["revoked_because"] == "the phone was lost"


def test_a_passkey_is_ended_once_for_a_reason_and_only_one_that_exists(with_passkey: str) -> None:
    unknown = countersign(with_passkey, "passkeys", "revoke", "zzz", "--reason", "lost", "--by", "cy@example.com")
    without_reason = countersign(with_passkey, "passkeys", "revoke", "abc")
    empty = countersign(with_passkey, "passkeys", "revoke", "abc", "--reason", " ", "--by", "cy@example.com")

    assert (unknown[0], without_reason[0], empty[0]) == (4, 2, 1)
    assert 'there is no passkey "zzz"' in unknown[1]
    assert "say why, with --reason" in empty[1]


def test_migrating_deletes_votes_that_no_passkey_signed_in_time(database_url: str, engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    past, ahead = now - timedelta(minutes=1), now + timedelta(hours=1)
    kept = {"signed": (past, past), "expired": (past, None), "waits": (ahead, None)}
    empty = dict.fromkeys(("request_id", "person", "vote", "click", "statement"), "")
    rows = [
        {**empty, "id": name, "made_at": NOON, "expires_at": expires, "used_at": used}
        for name, (expires, used) in kept.items()
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.pending_votes), rows)

    code, _ = countersign(database_url, "migrate")

    with engine.connect() as connection:
        left = connection.execute(sa.select(tables.pending_votes.c.id)).scalars().all()
    assert (code, set(left)) == (0, {"signed", "waits"})
