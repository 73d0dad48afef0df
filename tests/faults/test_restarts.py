"""Processes that die between any two steps: before a call, after it, before a commit, after it. Those that follow bring it to its end.

A death is an exception that nothing of ours catches, raised at the seams; a fresh process starts on the same database after each. How a
worker's job comes back when a real process is killed is in `test_worker_death`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from bot.domain.events import RequestRejected, TargetPutBack, TicketClosed, VoteCast
from bot.domain.model import State
from bot.errors import Refused, Temporary
from bot.ports import Click
from bot.services import Services
from handlers.effects import EFFECTS
from handlers.request.approvals import press
from tests.fixtures.installation import Installation, services_with
from tests.fixtures.mortal import AtEveryBoundary, Fate, Killed, Once, with_fate
from tests.fixtures.outcomes import assert_happened_once, assert_promoted_once, assert_told_once
from tests.fixtures.presses import click_of_ana
from tests.fixtures.workers import eventually

# Everything that a promotion changes outside.
WRITES = ("post", "update", "open_ticket", "link", "comment", "move", "set_alias", "tag_version")


MOST_DEATHS = 1_000  # a promotion has some two hundred boundaries


@dataclass
class Processes:
    """One after the other; each has its own services, and remembers nothing of the one before."""

    installation: Installation
    fate: Fate
    services: Services = field(init=False)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        fresh = services_with(
            self.installation.settings,
            str(self.installation.settings.database_url.get_secret_value()),
            self.installation.clock,
        )
        self.services = with_fate(fresh, self.fate)

    def run(self, job: str, deed: Callable[[Services], object]) -> None:
        """Raises Temporary when the process died over it, as the sweeper would send the job back."""
        self.fate.begin(job)
        try:
            deed(self.services)
        except Killed as death:
            self.deaths += 1
            self.services.store.engine.dispose()
            self.start()
            raise Temporary(f"killed: {death}") from None
        self.fate.end()

    def settle(self) -> None:
        """Each death is a step further and restarts the timeout, because the total time depends on the machine."""
        for _ in range(MOST_DEATHS):
            eventually(partial(self._comes_further, self.deaths))
            if not self.installation.unfinished():
                return
        pytest.fail(f"it died {self.deaths} times and is still not at its end")

    def _comes_further(self, deaths: int) -> bool:
        return self._nothing_waits() or self.deaths > deaths

    def _nothing_waits(self) -> bool:
        self.installation.s.store.jobs.drain({name: self._mortal(name) for name in EFFECTS})
        return not self.installation.unfinished()

    def _mortal(self, name: str) -> Callable[[str], None]:
        return lambda subject: self.run(f"{name} {subject}", lambda s: EFFECTS[name](subject, s))

    def sweep(self) -> None:
        for kind in ("sweep_versions", "sweep_models"):
            with self.installation.s.store.transaction() as tx:
                tx.defer(kind, "", f"clock:{kind}", once=True)
        self.settle()

    def insist(self, click: Click) -> None:
        """Somebody presses again until they get an answer; a refusal is one."""
        for _ in range(50):
            try:
                self.run("click", lambda s: press(click, s))
            except Temporary:
                continue
            except Refused:
                return


@pytest.fixture
def mortal(installation: Installation) -> Iterator[Callable[[Fate], Processes]]:
    started: list[Processes] = []

    def start(fate: Fate) -> Processes:
        started.append(Processes(installation, fate))
        return started[-1]

    yield start
    for processes in started:
        processes.services.store.engine.dispose()


@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.proof), 5])
def test_a_promotion_survives_a_death_at_every_boundary(
    installation: Installation, mortal: Callable[[Fate], Processes], steps: int
) -> None:
    fate = AtEveryBoundary(steps)
    processes = mortal(fate)
    version = installation.register()
    installation.ask(version)

    processes.sweep()
    request = installation.request(version)
    processes.insist(click_of_ana(request, "approve", installation))
    processes.settle()

    assert fate.total > 100 / steps
    assert_promoted_once(installation, request)


@pytest.mark.proof
def test_putting_back_survives_a_death_at_every_boundary(
    installation: Installation, mortal: Callable[[Fate], Processes]
) -> None:
    fate = AtEveryBoundary()
    installation.use_policy(reason="on_approve")
    processes = mortal(fate)
    first = installation.asked()
    installation.approve_with_reason(first, "better")
    intruder = installation.register()
    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(intruder))

    processes.sweep()
    request = installation.request(intruder)
    processes.insist(click_of_ana(request, "reject", installation))
    processes.settle()

    assert fate.total > 100
    assert installation.champion() == first.version.version
    assert installation.reread(request).state is State.REJECTED
    assert_told_once(installation, request, "Won't Do")
    assert_happened_once(installation, request, (VoteCast, RequestRejected, TargetPutBack, TicketClosed))


@pytest.mark.proof
def test_a_promotion_survives_a_single_death_after_each_change(
    installation: Installation, mortal: Callable[[Fate], Processes]
) -> None:
    """What is remembered of a change is lost with the process that made it; a death before it is like a call that failed."""
    for boundary in (f"after {write}" for write in WRITES):
        fate = Once(boundary)
        processes = mortal(fate)
        version = installation.register()
        installation.ask(version)

        processes.sweep()
        request = installation.request(version)
        installation.click("ana", request, "approve")
        processes.settle()

        assert fate.done, boundary
        assert_promoted_once(installation, request)
