"""Which passkeys count, by the ledger's entries in their order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.event import Event
from bot.domain.passkey_events import PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked
from bot.domain.request.passkeys import passkeys_from

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def enrolled(person: str, credential: str, *also: str) -> Event:
    return PasskeyEnrolled(NOON, person, credential, "key", "countersign.example.com", f"U{person}", "T", "", also)


def confirmed(person: str, credential: str, by: str, *also: str) -> Event:
    return PasskeyConfirmed(NOON, person, credential, by, f"U{by}", "T", also)


def revoked(person: str, credential: str) -> Event:
    return PasskeyRevoked(NOON, person, credential, "", "lost")


FIRST = [enrolled("ana", "a"), confirmed("ana", "a", "ben")]
LATER = [*FIRST, enrolled("ana", "b")]


@pytest.mark.parametrize(
    ("events", "counting"),
    [
        ([], []),
        ([enrolled("ana", "a")], []),
        (FIRST, ["a"]),
        ([*FIRST, revoked("ana", "a")], []),
        ([*LATER, confirmed("ana", "b", "ben")], ["a"]),
        ([*LATER, confirmed("ana", "b", "ben"), confirmed("ana", "b", "ben")], ["a"]),
        ([*LATER, confirmed("ana", "b", "ben"), confirmed("ana", "b", "cy")], ["a", "b"]),
        # a passkey that was lost is replaced by two others, also when the first is revoked before
        ([*FIRST, revoked("ana", "a"), enrolled("ana", "b"), confirmed("ana", "b", "ben")], []),
        # one that was never confirmed makes no later one harder
        ([enrolled("ana", "a"), revoked("ana", "a"), enrolled("ana", "b"), confirmed("ana", "b", "ben")], ["b"]),
        # two wait at once: the second to be confirmed is a later one
        ([enrolled("ana", "a"), enrolled("ana", "b"), *[confirmed("ana", one, "ben") for one in "ab"]], ["a"]),
        ([confirmed("ana", "a", "ben"), enrolled("ana", "a")], []),
        ([enrolled("ana", "a"), revoked("ana", "a"), confirmed("ana", "a", "ben")], []),
    ],
)
def test_a_passkey_counts_once_enough_others_have_confirmed_it(events: list[Event], counting: list[str]) -> None:
    found = passkeys_from(events)

    assert [name for name, key in found.items() if key.counts] == counting


@pytest.mark.parametrize(
    "events",
    [
        [enrolled("ana", "a"), confirmed("ana", "a", "ana")],
        [enrolled("ana", "a", "ana-at-her-old-address"), confirmed("ana", "a", "ana-at-her-old-address")],
        [enrolled("ana", "a"), confirmed("ana", "a", "zoe", "ana")],
        [enrolled("ana", "a"), confirmed("ben", "a", "cy")],
        [*LATER, confirmed("ana", "b", "ben"), confirmed("ana", "b", "ben-again", "ben")],
    ],
)
def test_no_one_confirms_for_themselves_or_twice_under_another_name(events: list[Event]) -> None:
    found = passkeys_from(events)

    assert not list(found.values())[-1].is_confirmed


def test_a_credential_stays_with_the_person_who_enrolled_it_first() -> None:
    events = [*FIRST, enrolled("ben", "a"), confirmed("ben", "a", "cy")]

    found = passkeys_from(events)

    assert found["a"].person == "ana"
    assert found["a"].confirmed_by == ("ben",)


def test_an_id_is_of_this_credential_and_key_and_the_enroller_cannot_choose_it() -> None:
    whose = ("countersign.example.com", "U1", "T", "", ())
    variants = [("a", "key", "salt"), ("b", "key", "salt"), ("a", "other", "salt"), ("a", "key", "pepper")]
    events = [PasskeyEnrolled(NOON, "ana", name, key, *whose, salt) for name, key, salt in variants]

    ids = {passkeys_from([event])[event.credential].short_id for event in events}

    assert len(ids) == 4
    assert {len(one) for one in ids} == {12}


def test_what_counted_before_it_was_revoked_is_read_from_the_entries_before() -> None:
    events = [*FIRST, revoked("ana", "a")]

    assert passkeys_from(events[:2])["a"].counts
    assert not passkeys_from(events)["a"].counts
