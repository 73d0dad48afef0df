"""A stage is moved by two calls. Between them it is never left empty, and in the end only the lawful version has it.

Before the first of them, the move can still be called off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.domain.events import MoveObserved, TargetMoved, TargetPutBack
from bot.domain.model import DecidedBy, State, TransitionRequest
from bot.sandbox.faults import Faults
from handlers.policy.kill_switch import person_named, switch_fast_track
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import Installation

pytestmark = pytest.mark.proof

TRANSITION = "model-versions/transition-stage$"
FOR_EVER = 1_000
PRODUCTION = "{stage: Production}"
BY_FIGURES = "fast_track: {mode: on, metrics: {mae: {threshold: 40, greater_is_better: false}}}"


@pytest.fixture
def registry(mlflow_server: str) -> Iterator[tuple[str, Faults]]:
    """A way to the real MLflow that can be made to misbehave."""
    with fault_proxy(mlflow_server) as proxy:
        yield proxy


@pytest.fixture
def installation(open_installation: Callable[..., Installation], registry: tuple[str, Faults]) -> Installation:
    ready = open_installation(registry_url=registry[0], target=PRODUCTION)
    ready.sweep()
    return ready


def in_production(installation: Installation) -> list[int]:
    return sorted(number for number, stage in stages(installation).items() if stage == "Production")


def stages(installation: Installation) -> dict[int, str]:
    versions = installation.mlflow.search_model_versions(f"name = '{installation.model}'")
    return {int(version.version): str(version.current_stage) for version in versions}


def to_production(installation: Installation, version: int) -> TransitionRequest:
    installation.ask(version)
    installation.sweep()
    return installation.request(version, "stage:Production")


def fail_call(faults: Faults, number: int, kind: str, times: int = FOR_EVER) -> None:
    """Lets `number` - 1 changes of a stage pass, and fails those that follow."""
    if number > 1:
        faults.add("slow", path=TRANSITION, times=number - 1, seconds=0.0)
    faults.add(kind, path=TRANSITION, times=times)


@pytest.mark.parametrize(("call", "kind"), [(2, "down"), (1, "cut"), (2, "cut")])
def test_a_put_back_that_fails_half_way_never_leaves_the_stage_to_nobody(
    installation: Installation, registry: tuple[str, Faults], call: int, kind: str
) -> None:
    installation.approve(to_production(installation, installation.register()))
    installation.register()
    installation.stage(1, "Archived")
    installation.stage(2, "Production")
    installation.sweep()
    observed = installation.request(2, "stage:Production")

    fail_call(registry[1], call, kind, FOR_EVER if kind == "down" else 1)
    installation.reject(observed, "Nobody looked at it.", settle=installation.settle_once)
    on_the_way = in_production(installation)
    installation.sweep()
    registry[1].clear()
    installation.settle_all()
    installation.sweep()

    assert on_the_way != []
    assert stages(installation) == {1: "Production", 2: "Archived"}
    assert "stage Production went back to " in installation.card(observed).all_text
    assert f"went back to {installation.model} v1" in installation.card(observed).all_text
    assert f"went back to {installation.model} v1" in installation.comments(observed)
    assert installation.ticket_status(observed) == "Won't Do"
    assert installation.happened(MoveObserved, TargetPutBack) == ["MoveObserved", "TargetPutBack"]


@pytest.mark.parametrize(("before", "wanted"), [(1, 2), (2, 1)], ids=["promotion", "rollback"])
def test_a_promotion_whose_archiving_fails_is_not_settled_before_the_stage_is_its_alone(
    installation: Installation, registry: tuple[str, Faults], before: int, wanted: int
) -> None:
    for _ in range(2):
        installation.register()
    installation.approve(to_production(installation, before))
    request = to_production(installation, wanted)

    fail_call(registry[1], 2, "down")
    installation.approve(request)
    installation.sweep()
    half_done = in_production(installation), installation.reread(request).state, installation.reread(request).settled_at
    registry[1].clear()
    installation.settle_all()
    installation.sweep()

    assert half_done == ([1, 2], State.APPROVED, None)
    assert stages(installation) == {wanted: "Production", before: "Archived"}
    assert installation.reread(request).state is State.APPLIED
    assert f"{installation.model} v{before}." in installation.card(request).all_text
    assert installation.happened(MoveObserved, TargetMoved) == ["TargetMoved", "TargetMoved"]


def test_a_move_that_has_not_begun_is_called_off_when_the_bytes_have_changed_before_it_is_tried_again(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    version = installation.register()
    installation.mlflow.log_text(installation.run_of(version), "weights", "model/model.bin")
    request = to_production(installation, version)
    registry[1].add("down", path=TRANSITION, times=FOR_EVER)
    installation.approve(request)
    waiting = installation.reread(request).state

    installation.mlflow.log_text(installation.run_of(version), "weighed", "model/model.bin")
    registry[1].clear()
    installation.settle_all()

    assert waiting is State.APPROVED
    assert installation.reread(request).state is State.STALE
    assert "the artifacts are other bytes now" in installation.card(request).all_text
    assert [fresh.follows for fresh in installation.requests(State.PENDING)] == [request.id]
    assert in_production(installation) == []


def test_a_move_that_has_not_begun_is_called_off_when_the_fast_track_was_switched_off_before_it_is_tried_again(
    installation: Installation, registry: tuple[str, Faults]
) -> None:
    installation.use_policy(target=PRODUCTION, extra=BY_FIGURES)
    registry[1].add("down", path=TRANSITION, times=FOR_EVER)
    request = to_production(installation, installation.register())

    switch_fast_track(False, person_named("ana@example.com", installation.s), "mae looks forged", installation.s)
    registry[1].clear()
    installation.settle_all()

    assert (request.state, request.decided_by) == (State.APPROVED, DecidedBy.FAST_TRACK)
    assert installation.reread(request).state is State.STALE
    assert "the fast track was switched off before its decision was applied" in installation.card(request).all_text
    assert [fresh.follows for fresh in installation.requests(State.PENDING)] == [request.id]
    assert in_production(installation) == []
