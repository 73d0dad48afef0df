"""A rule's `lineage`: which remote vouches, and what blocks."""

from __future__ import annotations

import pytest

from bot.domain.policy.rules import LINEAGE_CODES, LineageDemand
from config.policy import read_policy
from tests.builders.policies import FULL, SMALL, mistakes_of


def with_lineage(text: str) -> str:
    return f"{SMALL}    lineage: {text}\n"


def test_every_key_is_read() -> None:
    demand = read_policy(FULL).rules[0].lineage

    assert demand == LineageDemand("https://git.example.com/bikes.git", "trunk", ("L01", "L14"))


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("{}", LineageDemand()),
        ("{git: /srv/git/bikes.git}", LineageDemand("/srv/git/bikes.git")),
        ("{git: git@git.example.com:team/bikes.git}", LineageDemand("git@git.example.com:team/bikes.git")),
        ("{block: [L03, L09]}", LineageDemand(block=("L03", "L09"))),
        ("{git: /srv/x, block: complete}", LineageDemand("/srv/x", block=LINEAGE_CODES)),
    ],
)
def test_the_other_keys_have_their_defaults(text: str, demand: LineageDemand) -> None:
    assert read_policy(with_lineage(text)).rules[0].lineage == demand


def test_without_it_nothing_is_demanded() -> None:
    assert read_policy(SMALL).rules[0].lineage is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{block: [L99]}",
            'lineage.block names "L99", which is no check. Write complete, or some of L01 to L19.',
        ),
        ("{block: [L01, L01]}", "lineage.block names L01 twice. Remove one of them."),
        ("{git: 'ext::sh'}", "lineage.git must be an https or ssh address or a path from the root. Write it like "),
        ("{git: 'https://bea:secret@h/x'}", "lineage.git has a password or a user name in it. Leave them out, "),
        ("{main: '--all'}", 'lineage.main must be the name of a branch, for example "main", not "--all".'),
        (
            "{block: complete}",
            "blocks on L14, L15, L16, which only a git mirror can check, so that nothing could be approved. "
            "Name the remote in lineage.git, or leave them out.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_mend(text: str, sentence: str) -> None:
    (mistake,) = mistakes_of(with_lineage(text))

    assert mistake.startswith("policy.yaml line 10: ")
    assert sentence in mistake
    assert "secret" not in mistake
