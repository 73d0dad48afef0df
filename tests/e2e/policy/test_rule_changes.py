"""A rule that changes while something waits: which votes still count, and what the new rule covers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.events import RequestApproved
from bot.domain.model import Kind, State
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import Installation, policy_text

LAPSED = "The rule has changed since, so this vote no longer counts."


def decided_by(installation: Installation, *people: str) -> None:
    """The group that decides becomes a list of people; the quorum stays two."""
    text = policy_text(f"{installation.model}*", quorum=2)
    listed = ", ".join(f"{person}@example.com" for person in people)
    activate_policy(text.replace("{slack_group: ml-leads}", f"{{people: [{listed}]}}"), "test", installation.s)
    installation.settle()


@pytest.mark.proof
def test_a_vote_under_another_quorum_no_longer_counts_and_may_be_cast_anew(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked(installation.register(user="cy@example.com"))
    installation.approve(request, "ana")

    installation.use_policy(quorum=1)
    installation.settle()
    after_the_change = installation.card(request).all_text
    installation.approve(request, "ana")

    assert LAPSED in after_the_change
    assert "Needs 1 approval: 1 of ml-leads." in after_the_change
    assert installation.reread(request).state is State.APPLIED
    assert installation.champion() == 1


def test_the_vote_of_somebody_who_is_in_no_group_any_more_does_not_count(installation: Installation) -> None:
    installation.use_policy(quorum=2)
    request = installation.asked()
    installation.approve(request, "ana")

    decided_by(installation, "ben", "cy")
    after_the_change = installation.card(request).all_text
    installation.approve(request, "ben")
    after_ben = installation.reread(request).state, installation.card(request).all_text
    installation.approve(request, "ana")
    installation.approve(request, "cy")

    assert LAPSED in after_the_change
    assert "Needs 2 approvals: 2 of ml-leads." in after_the_change
    assert after_ben[0] is State.PENDING
    assert "Needs 1 more approval: 1 of ml-leads." in after_ben[1]
    assert "only members of ml-leads may decide this" in installation.told_privately("ana").lower()
    assert installation.reread(request).state is State.APPLIED
    assert len(installation.entries(RequestApproved)[-1]["approvers"]) == 2


def test_a_rule_that_begins_to_ask_for_new_versions_speaks_of_none_that_were_there_before(
    installation: Installation,
) -> None:
    installation.register()
    installation.sweep()

    installation.use_policy(ask_on="[{alias: candidate}, {new_version: true}]")
    installation.sweep()
    after_the_change = installation.requests()
    installation.register()
    installation.sweep()

    assert after_the_change == []
    assert [(request.version.version, request.state) for request in installation.requests()] == [(2, State.PENDING)]


def test_a_rule_that_is_added_later_hears_the_alias_that_asks_already_at_the_next_sweep(
    installation: Installation,
) -> None:
    activate_policy(policy_text("another-model"), "test", installation.s)
    version = installation.register()
    installation.ask(version)
    installation.sweep()
    without_a_rule = installation.requests()

    installation.use_policy()
    installation.sweep()

    assert without_a_rule == []
    assert [(request.version.version, request.state) for request in installation.requests()] == [(1, State.PENDING)]


def test_what_a_policy_covers_whose_time_is_ahead_is_what_was_made_after_it(
    open_installation: Callable[..., Installation],
) -> None:
    """It came into force while the clock was fast: what was made before it is baseline, and a move of what came later is asked about."""
    installation = open_installation()
    installation.activate(policy_text("other-*"))
    installation.register()
    installation.ask(1, "champion")
    installation.sweep()
    installation.clock.ahead = timedelta(hours=1)
    installation.use_policy()
    installation.sweep()
    installation.clock.ahead = timedelta()
    later = f"{installation.model}-later"
    installation.register(model=later)
    installation.mlflow.set_registered_model_alias(later, "champion", "1")
    installation.sweep()

    assert [(one.version.model, one.kind) for one in installation.requests(State.PENDING)] == [(later, Kind.OBSERVED)]
