"""Of several approvals for a target the later one holds, also when the database's clock was set back between them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.model import OPEN, State
from tests.fixtures.installation import Installation


@pytest.mark.parametrize("is_applied", [True, False], ids=["applied", "approved"])
def test_an_approval_that_would_count_as_older_than_an_earlier_one_is_not_lost_but_not_recorded(
    installation: Installation, is_applied: bool
) -> None:
    first, second = installation.register(), installation.register()
    earlier = installation.asked(first)
    if is_applied:
        installation.approve(earlier)
    else:
        installation.click("ana", earlier, "approve")
    later = installation.asked(second)
    installation.clock.ahead -= timedelta(minutes=3)

    installation.approve(later)
    too_early = installation.reread(later)
    installation.clock.ahead += timedelta(minutes=4)
    installation.approve(later)

    assert (too_early.state, too_early.votes) == (State.PENDING, ())
    assert "he clock of the database was set back" in installation.told_privately("ana")
    assert installation.reread(later).state is State.APPLIED
    assert installation.champion() == second


def test_approvals_for_other_models_do_not_wait(installation: Installation) -> None:
    other = f"{installation.model}-other"
    version = installation.register(model=other)
    installation.mlflow.set_registered_model_alias(other, "candidate", str(version))
    installation.sweep()
    (elsewhere,) = [one for one in installation.requests(*OPEN) if one.version.model == other]
    installation.approve(elsewhere)
    request = installation.asked()
    installation.clock.ahead -= timedelta(minutes=3)

    installation.approve(request)

    assert installation.reread(elsewhere).state is State.APPLIED
    assert installation.reread(request).state is State.APPLIED


def test_what_came_to_nothing_keeps_no_approval_waiting(installation: Installation) -> None:
    rejected = installation.asked()
    installation.reject(rejected, reason="worse")
    request = installation.asked()
    installation.clock.ahead -= timedelta(minutes=3)

    installation.approve(request)

    assert installation.reread(request).state is State.APPLIED
