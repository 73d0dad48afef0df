"""An address in a group that is nearly somebody's in people: probably mistyped, and then no one could vote with it."""

from __future__ import annotations

import pytest

from config.policy import notices, warnings

PEOPLE = ("ana@example.com", "ben@example.com", "cy@example.com", "dora@example.com")


def policy_with(group: str, *more: str) -> str:
    people = "\n".join(f"  - {{name: P{n}, email: {email}}}" for n, email in enumerate(PEOPLE))
    return (
        f"version: 1\npeople:\n{people}\ngroups:\n  leads: {{people: [{', '.join((group, *more))}]}}\nrules:\n"
        "  - models: bike-*\n    target: {alias: champion}\n    notify: {slack: '#models'}\n"
        "    approve: {all_of: [{group: leads, quorum: 1}]}\n"
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("anna@example.com", "ana@example.com"),
        ("doar@exmaple.com", ""),
        ("dorra@example.com", "dora@example.com"),
        ("dora@exampel.com", "dora@example.com"),
    ],
)
def test_an_address_that_nearly_is_somebodys_is_named_with_theirs(typed: str, meant: str) -> None:
    found = [one.sentence for one in notices(policy_with(typed, "ben@example.com", "cy@example.com"))]

    expected = f'group "leads" names {typed}, which is not in people. Did you mean {meant}? '
    expected += "If these are two persons, add this one to people."
    assert found == ([expected] if meant else [])


def test_two_colleagues_with_nearly_the_same_address_are_told_apart_by_listing_both() -> None:
    both = policy_with("ana@example.com", "anna@example.com", "cy@example.com").replace(
        "people:\n", "people:\n  - {name: Anna, email: anna@example.com}\n", 1
    )

    assert notices(both) == ()


def test_an_address_that_is_listed_is_compared_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand people each would be compared with all others, which took half a minute."""
    compared: list[str] = []
    monkeypatch.setattr(warnings, "_is_nearly", lambda address, _other: compared.append(address))

    notices(policy_with("zoe@example.com", *PEOPLE))

    assert set(compared) == {"zoe@example.com"}


def test_people_need_not_list_everybody() -> None:
    assert notices(policy_with("zoe@example.com", *PEOPLE)) == ()
    assert notices(policy_with("zoe@example.com", "yan@example.com", *PEOPLE)) == ()
    assert notices(policy_with(*PEOPLE)) == ()
