"""Looking and going back never wait for a promotion that cannot get on, and one long Retry-After never stops the watch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.events import MoveObserved
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest
from bot.engine.rows import JobStatus
from bot.errors import Temporary
from handlers.request.rollbacks import roll_back
from tests.fixtures.installation import Installation

CHAMPION = Target.parse("alias:champion")


class OneIsBroken:
    """The real registry, but for one version whose files cannot be read just now."""

    def __init__(self, registry: Any, number: int) -> None:
        self._registry, self._number = registry, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def read_evidence(self, version: Any, *rest: Any, **more: Any) -> Any:
        if version.version == self._number:
            raise Temporary("MLflow answered 503 while reading the files of v3. It will be tried again.", 60.0)
        return self._registry.read_evidence(version, *rest, **more)


def back(installation: Installation, version: int | None = None) -> TransitionRequest:
    ask = Ask(AskKind.ROLLBACK)
    return roll_back(installation.model, CHAMPION, version, "predictions drift", "ben@example.com", ask, installation.s)


def with_an_approval_that_cannot_be_applied(installation: Installation) -> TransitionRequest:
    """v1 and v2 were champion; v3 is approved, and the guard cannot read it: tried again for 72 hours."""
    installation.promoted()
    installation.promoted()
    third = installation.asked()
    installation.s = replace(installation.s, registry=OneIsBroken(installation.s.registry, 3))  # type: ignore[arg-type]
    installation.approve(third)
    assert installation.reread(third).state is State.APPROVED
    return third


@pytest.mark.proof
def test_a_rollback_does_not_wait_for_another_version_that_cannot_be_read(installation: Installation) -> None:
    with_an_approval_that_cannot_be_applied(installation)

    rollback = back(installation)
    installation.settle()

    waiting = [(job.name, job.attempts) for job in installation.s.store.jobs.listing(JobStatus.WAITING)]
    assert (installation.reread(rollback).state, installation.champion()) == (State.APPLIED, 1), waiting


@pytest.mark.proof
def test_a_move_by_hand_is_noticed_although_another_version_cannot_be_read(installation: Installation) -> None:
    with_an_approval_that_cannot_be_applied(installation)

    for _ in range(3):
        installation.move(1)

    assert installation.happened(MoveObserved) == ["MoveObserved"]


def test_a_job_that_a_former_release_left_in_the_lane_of_its_model_still_runs(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    with installation.s.store.engine.begin() as connection:
        connection.execute(sa.text("update procrastinate_jobs set lock = 'registry:default/x' where status = 'todo'"))

    installation.settle_all()

    assert (installation.reread(request).state, installation.champion()) == (State.APPLIED, 1)
