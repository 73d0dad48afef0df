"""Names of authors that whoever writes to a run can choose: they give no vote and take none, unless the policy says whose word counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.domain.model import State
from tests.fixtures.installation import Installation

TAGS = [
    pytest.param({"mlflow.user": "ana"}, "as the run says", marks=pytest.mark.proof),
    pytest.param({"countersign.commit_author": "ana@example.com"}, "as the run says", marks=pytest.mark.proof),
    ({"mlflow.user": "ben", "countersign.commit_author": "ana@example.com"}, "as the run says"),
]


@pytest.mark.parametrize(("tags", "source"), TAGS, ids=["the run's user", "the commit's author", "both"])
def test_without_authors_from_a_tag_bars_no_one_and_every_voter_could_be_the_author(
    open_installation: Callable[..., Installation], tags: dict[str, str], source: str
) -> None:
    installation = open_installation(authors_from="")
    installation.sweep()
    request = installation.asked(installation.register(tags=tags, user=tags.get("mlflow.user", "mallory")))
    card = installation.card(request).all_text

    installation.approve(request, "ana")
    after_ana = installation.reread(request)
    installation.approve(request, "ben")

    assert f"{source}, which the policy does not believe" in card
    assert (after_ana.state, len(after_ana.votes)) == (State.PENDING, 1)
    assert installation.reread(request).state is State.APPLIED
    assert installation.told_privately("ana").count("trained") == 0


def test_a_source_that_the_policy_names_bars_the_person_that_it_names_and_the_card_says_which_it_was(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(authors_from="run")
    installation.sweep()
    tags = {"countersign.commit_author": "ana@example.com"}
    request = installation.asked(installation.register(user="bea", tags=tags))

    installation.approve(request, "bea")
    refused = installation.reread(request).votes == ()
    installation.approve(request, "ana")

    assert "Bea Baker (as the run says)" in installation.card(request).all_text
    assert refused
    assert installation.reread(request).state is State.APPLIED
