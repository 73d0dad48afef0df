"""An address in a group that is nearly somebody's: nobody has it, so nobody could vote with it."""

from __future__ import annotations

import pytest

from config.policy import notices

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
    found = [one.sentence for one in notices(policy_with(typed, "ben@example.com"))]

    expected = f'group "leads" names {typed}, which is not in people. Did you mean {meant}?'
    assert found == ([expected] if meant else [])


def test_the_only_address_that_people_do_not_list_is_named() -> None:
    (found,) = notices(policy_with("zoe@example.com", *PEOPLE[:3]))

    assert "names zoe@example.com, which is not in people. Everyone else in the groups is." in found.sentence
    assert found.line == 8


def test_people_need_not_list_everybody() -> None:
    assert notices(policy_with("zoe@example.com", "yan@example.com", *PEOPLE)) == ()
    assert notices(policy_with(*PEOPLE)) == ()
