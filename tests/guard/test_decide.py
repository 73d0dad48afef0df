"""What the guard decides, without a server: rules, look-alikes, workspaces, and what it does while it has no list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from countersign_guard.decide import CLOSED_WITHOUT_LIST, Act, Write, refusal
from countersign_guard.governed import Governed, Rule, Version

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RUN, MODEL = "a" * 32, "m-" + "b" * 32


@dataclass
class Known:
    """What MLflow knows."""

    named: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    running: Sequence[str] = ()
    experiment: Mapping[str, str] = field(default_factory=dict)

    def real_name(self, model: str) -> str:
        return self.named.get(model, model)

    def aliases(self, model: str) -> Mapping[str, str]:
        return self.held

    def stage(self, model: str, number: str) -> str:
        return self.stages.get(number, "None")

    def is_running(self, run: str) -> bool:
        return run in self.running

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        return any(self.experiment.get(run) == experiment for run in runs)


def governed(*rules: Rule, versions: Sequence[Version] = ()) -> Governed:
    return Governed(NOW, NOW + timedelta(hours=24), rules, tuple(versions), ("countersign.attestation.",))


CHAMPION = Rule(("default",), "bike-*", "alias", "champion")
STAGE = Rule(("*",), "bike-*", "stage", "Production")
COPIES = Rule(("default",), "bike-*", "model", "prod.{name}")
APPROVED = Version("default", "bike-demand", "1", RUN, MODEL)


def alias(
    name: str = "champion", model: str = "bike-demand", workspace: str = "default", act: Act = Act.SET_ALIAS
) -> Write:
    return Write(act, workspace, model, "2", name=name)


@pytest.mark.parametrize("act", list(Act))
def test_without_a_list_targets_are_closed_and_training_goes_on(act: Act) -> None:
    said = refusal(Write(act, "default", "anything", "1", name="x", ids=(RUN,)), None, Known())

    assert bool(said) == (act in CLOSED_WITHOUT_LIST)


@pytest.mark.parametrize(
    ("write", "rule", "is_refused"),
    [
        (alias(), CHAMPION, True),
        (alias("challenger"), CHAMPION, False),
        (alias(model="other"), CHAMPION, False),
        (alias(workspace="team-b"), CHAMPION, False),
        (alias("chаmpion"), CHAMPION, True),
        (alias("Champion", act=Act.DELETE_ALIAS), CHAMPION, True),
        (alias("chаmpion", act=Act.DELETE_ALIAS), CHAMPION, False),
        (Write(Act.SET_STAGE, "team-b", "bike-demand", "2", name=" production "), STAGE, True),
        (Write(Act.SET_STAGE, "default", "bike-demand", "2", name="Staging"), STAGE, False),
        (Write(Act.CREATE_VERSION, "default", "prod.bike-demand"), COPIES, True),
        (Write(Act.CREATE_VERSION, "default", "bike-demand"), COPIES, False),
        (Write(Act.DELETE_MODEL, "default", "prod.bike-demand"), COPIES, True),
        (Write(Act.RENAME_MODEL, "default", "free", name="bike-x"), CHAMPION, True),
        (Write(Act.RENAME_MODEL, "default", "free", name="freed"), CHAMPION, False),
    ],
)
def test_a_rule_governs_its_targets_alone(write: Write, rule: Rule, is_refused: bool) -> None:
    assert bool(refusal(write, governed(rule), Known())) == is_refused


def test_a_database_that_ignores_case_and_spaces_leads_to_the_same_model() -> None:
    known = Known(named={"BIKE-demand ": "bike-demand"})

    assert refusal(alias(model="BIKE-demand "), governed(CHAMPION), known)
    assert not refusal(alias(model="BIKE-demand "), governed(CHAMPION), Known())


@pytest.mark.parametrize(
    ("known", "versions", "is_refused"),
    [
        (Known(), [APPROVED], True),
        (Known(held={"champion": "1"}), [], True),
        (Known(held={"challenger": "1", "champion": "2"}), [], False),
        (Known(stages={"1": "Production"}), [], True),
        (Known(stages={"1": "Staging"}), [], False),
    ],
    ids=["approved", "the champion", "another alias", "in the stage", "in another stage"],
)
def test_a_version_that_is_approved_or_has_a_target_is_not_deleted(
    known: Known, versions: list[Version], is_refused: bool
) -> None:
    write = Write(Act.DELETE_VERSION, "default", "bike-demand", "1")

    assert bool(refusal(write, governed(CHAMPION, STAGE, versions=versions), known)) == is_refused


@pytest.mark.parametrize(
    ("write", "running", "is_refused"),
    [
        (Write(Act.WRITE_RUN, "default", ids=(RUN,)), (), True),
        (Write(Act.WRITE_RUN, "default", ids=(MODEL,)), (), True),
        (Write(Act.WRITE_RUN, "default", ids=("c" * 32,)), (), False),
        (Write(Act.WRITE_RUN, "default", ids=("c" * 32, RUN)), (), True),
        (Write(Act.WRITE_RUN, "default", ids=(RUN,)), (RUN,), False),
        (Write(Act.WRITE_RUN, "default", ids=(RUN,), only_ends=True), (), False),
        (Write(Act.DELETE_RUN, "default", ids=(RUN,)), (RUN,), True),
        (Write(Act.DELETE_EXPERIMENT, "default", experiment="4"), (), True),
        (Write(Act.DELETE_EXPERIMENT, "default", experiment="5"), (), False),
    ],
)
def test_what_an_approval_rests_on_stays(write: Write, running: Sequence[str], is_refused: bool) -> None:
    known = Known(running=running, experiment={RUN: "4"})

    assert bool(refusal(write, governed(CHAMPION, versions=[APPROVED]), known)) == is_refused


BY_PATH = Version("default", "bike-demand", "1", RUN, "", "mlflow-artifacts:/4/models/kept")


@pytest.mark.parametrize(
    ("path", "version", "deletes", "is_refused"),
    [
        (f"4/models/{MODEL}/artifacts/model.pkl", APPROVED, False, True),
        (f"4/{RUN}/artifacts/notes.txt", APPROVED, False, True),
        (f"4/models/m-{'c' * 32}/artifacts/model.pkl", APPROVED, False, False),
        ("4/models/kept/model.pkl", BY_PATH, False, True),
        ("4/models/kept2/model.pkl", BY_PATH, False, False),
        ("4", APPROVED, True, True),
        ("", APPROVED, True, True),
        (f"4/models/m-{'c' * 32}", APPROVED, True, False),
    ],
)
def test_the_files_of_an_approved_version_stay(path: str, version: Version, deletes: bool, is_refused: bool) -> None:
    write = Write(Act.DELETE_FILE if deletes else Act.WRITE_FILE, "default", path=path)

    assert bool(refusal(write, governed(CHAMPION, versions=[version]), Known())) == is_refused


def test_a_run_that_goes_on_may_log_other_files_than_the_models() -> None:
    write = Write(Act.WRITE_FILE, "default", path=f"4/{RUN}/artifacts/plot.png")

    assert not refusal(write, governed(CHAMPION, versions=[APPROVED]), Known(running=(RUN,)))
    assert refusal(write, governed(CHAMPION, versions=[BY_PATH]), Known(running=(RUN,)))
