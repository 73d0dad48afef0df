"""What the guard decides, without a server: rules, look-alikes, workspaces, and what it does while it has no list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from countersign_guard.decide import MARK, refusal
from countersign_guard.governed import Governed, Rule, Version
from countersign_guard.writes import CLOSED_WITHOUT_LIST, Act, Write

from bot.clients.mlflow.guard_checkup import GUARD

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
    folders: Mapping[str, str] = field(default_factory=dict)
    destination: tuple[str, ...] = ()

    def real_name(self, model: str) -> str:
        return self.named.get(model, model)

    def aliases(self, model: str) -> Mapping[str, str]:
        return self.held

    def stage(self, model: str, number: str) -> str:
        return self.stages.get(number, "None")

    def is_running(self, run: str) -> bool:
        return run in self.running

    def is_there(self, one: str) -> bool:
        return one in self.folders

    def folder_of(self, one: str) -> str:
        return self.folders.get(one, "")

    def kept_in(self) -> tuple[str, ...]:
        return self.destination

    def runs_are_in(self, experiment: str, runs: Sequence[str]) -> bool:
        return any(self.experiment.get(run) == experiment for run in runs)


def test_doctor_looks_for_what_each_refusal_ends_in() -> None:
    assert MARK == GUARD


def governed(*rules: Rule, versions: Sequence[Version] = ()) -> Governed:
    return Governed("default", NOW, NOW + timedelta(hours=24), rules, tuple(versions), ("countersign.attestation.",))


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

    assert said.endswith(MARK) == (act in CLOSED_WITHOUT_LIST)


@pytest.mark.parametrize(
    ("write", "rule", "is_refused"),
    [
        (alias(), CHAMPION, True),
        (alias("challenger"), CHAMPION, False),
        (alias(model="other"), CHAMPION, False),
        (alias(workspace="team-b"), CHAMPION, False),
        (alias("chаmpion"), CHAMPION, True),
        (alias("Champion", act=Act.DELETE_ALIAS), CHAMPION, True),
        (alias("chàmpion", act=Act.DELETE_ALIAS), CHAMPION, True),
        (alias("champ\u200bion"), CHAMPION, True),
        (alias("champ\x00ion"), CHAMPION, True),
        (alias("ᴄhampion"), CHAMPION, True),
        (alias("ᴄhampion", model="other"), CHAMPION, False),
        (alias("ｃhampion ", act=Act.DELETE_ALIAS), CHAMPION, True),
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
        (Known(held={"Champion": "1"}), [], True),
        (Known(held={"challenger": "1", "champion": "2"}), [], False),
        (Known(stages={"1": "Production"}), [], True),
        (Known(stages={"1": "Staging"}), [], False),
    ],
    ids=["approved", "the champion", "in upper case", "another alias", "in the stage", "in another stage"],
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
        (Write(Act.WRITE_RUN, "default", ids=(RUN.upper(),)), (), True),
        (Write(Act.WRITE_RUN, "default", ids=(RUN,)), (RUN,), False),
        (Write(Act.WRITE_RUN, "default", ids=(MODEL,)), (RUN,), False),
        (Write(Act.DELETE_RUN, "default", ids=(MODEL,)), (RUN,), True),
        (Write(Act.DELETE_RUN, "default", ids=(RUN,)), (RUN,), True),
        (Write(Act.DELETE_EXPERIMENT, "default", experiment="4"), (), True),
        (Write(Act.DELETE_EXPERIMENT, "default", experiment="5"), (), False),
    ],
)
def test_what_an_approval_rests_on_stays(write: Write, running: Sequence[str], is_refused: bool) -> None:
    known = Known(running=running, experiment={RUN: "4"})

    said = refusal(write, governed(CHAMPION, versions=[APPROVED]), known)

    assert said.endswith(MARK) == is_refused


IN_TEAM_B = Version("team-b", "bike-demand", "1", RUN, "", "mlflow-artifacts:/workspaces/team-b/4/models/kept")
OTHER = "m-" + "c" * 32
BY_PATH = Version("default", "bike-demand", "1", RUN, "", "mlflow-artifacts:/4/models/kept")


@pytest.mark.parametrize(
    ("path", "version", "deletes", "is_refused"),
    [
        (f"4/models/{MODEL}/artifacts/model.pkl", APPROVED, False, True),
        (f"4/{RUN}/artifacts/notes.txt", APPROVED, False, True),
        (f"4/models/m-{'c' * 32}/artifacts/model.pkl", APPROVED, False, False),
        ("4/models/kept/model.pkl", BY_PATH, False, True),
        ("4/models/kept2/model.pkl", BY_PATH, False, False),
        ("4/models/kept/model.pkl", IN_TEAM_B, False, True),
        ("workspaces/team-b/4/models/kept/model.pkl", IN_TEAM_B, False, True),
        ("4", APPROVED, True, True),
        ("", APPROVED, True, True),
        (f"4/models/{OTHER}", APPROVED, True, False),
        (f"4/models/m-{'d' * 32}", APPROVED, True, True),
    ],
)
def test_the_files_of_an_approved_version_stay(path: str, version: Version, deletes: bool, is_refused: bool) -> None:
    write = Write(Act.DELETE_FILE if deletes else Act.WRITE_FILE, "default", path=path)

    known = Known(folders={OTHER: f"mlflow-artifacts:/4/models/{OTHER}/artifacts"})

    assert bool(refusal(write, governed(CHAMPION, versions=[version]), known)) == is_refused


@pytest.mark.parametrize(
    ("source", "path", "is_refused"),
    [
        ("s3://bucket/mlflow/kept/bike", "kept/bike/model.pkl", True),
        ("s3://bucket/mlflow/kept/bike", "workspaces/team-b/kept/bike/model.pkl", True),
        ("s3://bucket/mlflow/workspaces/team-b/kept", "workspaces/team-b/kept/model.pkl", True),
        ("s3://bucket/mlflow/kept/bike", "kept", True),
        ("s3://bucket/mlflow/kept/bike", "kept/other/model.pkl", False),
        ("s3://bucket/mlflow", "kept/bike/model.pkl", False),
        ("s3://bucket/elsewhere/kept/bike", "kept/bike/model.pkl", False),
        ("", "kept/bike/model.pkl", False),
    ],
)
def test_files_that_a_version_names_in_the_store_stay_where_the_server_keeps_what_it_serves(
    source: str, path: str, is_refused: bool
) -> None:
    version = Version("default", "bike-demand", "1", source=source)
    known = Known(destination=("mlflow",))

    said = refusal(Write(Act.WRITE_FILE, "default", path=path), governed(CHAMPION, versions=[version]), known)

    assert bool(said) == is_refused


@pytest.mark.parametrize(
    ("location", "is_refused"),
    [
        ("", False),
        ("mlflow-artifacts:/mine", False),
        ("s3://bucket/mine", False),
        (f"mlflow-artifacts:/4/models/{MODEL}/artifacts", True),
        (f"s3://bucket/4/{RUN}", True),
        ("mlflow-artifacts:/4/models", True),
        ("mlflow-artifacts://host/4/models/kept/below", True),
    ],
)
def test_no_experiment_is_made_around_or_below_approved_files(location: str, is_refused: bool) -> None:
    write = Write(Act.CREATE_EXPERIMENT, "default", path=location)

    assert bool(refusal(write, governed(CHAMPION, versions=[APPROVED, BY_PATH]), Known())) == is_refused


def test_another_run_whose_folder_lies_there_writes_no_approved_file() -> None:
    write = Write(Act.WRITE_FILE_OF, "default", ids=("c" * 32,), path="model.pkl")
    inside = Known(folders={"c" * 32: "mlflow-artifacts:/4/models/kept"})
    beside = Known(folders={"c" * 32: f"mlflow-artifacts:/4/{'c' * 32}/artifacts"})

    assert refusal(write, governed(CHAMPION, versions=[BY_PATH]), inside)
    assert not refusal(write, governed(CHAMPION, versions=[BY_PATH]), beside)


@pytest.mark.parametrize(
    ("workspace", "takes_models", "is_refused"),
    [("team-b", False, True), ("team-c", False, False), ("team-c", True, True)],
)
def test_a_workspace_with_what_is_governed_is_not_deleted(workspace: str, takes_models: bool, is_refused: bool) -> None:
    """In other modes than RESTRICT its models are deleted, or move into the default workspace."""
    write = Write(Act.DELETE_WORKSPACE, "default", name=workspace, takes_models=takes_models)
    versions = [replace(APPROVED, workspace="team-b")]

    assert bool(refusal(write, governed(CHAMPION, versions=versions), Known())) == is_refused


@pytest.mark.parametrize(
    ("tag", "is_refused"), [("Countersign.failed", True), ("countersign.ask", False), ("team", False)]
)
def test_without_a_list_no_tag_that_may_be_the_bots_is_written(tag: str, is_refused: bool) -> None:
    assert bool(refusal(Write(Act.CREATE_VERSION, "default", "free", tags=(tag,)), None, Known())) == is_refused


def test_a_very_long_name_costs_nothing_and_fills_no_log() -> None:
    """Unicode's normal form of a hundred thousand accents takes a quarter of a minute."""
    long = "champion" + "\u0301\n" * 50_000

    said = refusal(alias(long), governed(CHAMPION), Known())

    assert len(said) < 2000
    assert "\n" not in said


IN_ITS_RUN = Version("default", "bike-demand", "2", RUN, "", f"mlflow-artifacts:/4/{RUN}/artifacts/model")
SOURCES = (
    f"runs:/{RUN}/model",
    f"mlflow-artifacts:/4/{RUN}/artifacts/model",
    f"mlflow-artifacts://mlflow:5000/4/{RUN}/artifacts/model",
    f"s3://bucket/4/{RUN}/artifacts/model/",
)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("act", [Act.WRITE_FILE, Act.WRITE_FILE_OF])
def test_a_run_that_goes_on_may_log_other_files_than_the_models(act: Act, source: str) -> None:
    version = replace(IN_ITS_RUN, source=source)

    def said(path: str, *running: str) -> str:
        folder = f"4/{RUN}/artifacts/" if act is Act.WRITE_FILE else ""
        write = Write(act, "default", ids=() if folder else (RUN,), path=f"{folder}{path}")
        return refusal(write, governed(CHAMPION, versions=[version]), Known(running=running))

    assert not said("plot.png", RUN)
    assert not said("model2/model.pkl", RUN)
    assert said("model/model.pkl", RUN)
    assert said("model", RUN)
    assert said("plot.png")


def test_nothing_is_logged_to_a_run_whose_versions_files_are_at_an_unknown_place() -> None:
    write = Write(Act.WRITE_FILE_OF, "default", ids=(RUN,), path="plot.png")
    unknown = replace(IN_ITS_RUN, source="")

    assert refusal(write, governed(CHAMPION, versions=[unknown]), Known(running=(RUN,)))


def test_a_logged_models_files_stay_while_its_training_goes_on() -> None:
    write = Write(Act.WRITE_FILE_OF, "default", ids=(MODEL,), path="model.pkl")

    assert refusal(write, governed(CHAMPION, versions=[APPROVED]), Known(running=(RUN,)))


def test_each_version_of_a_run_keeps_its_own_files() -> None:
    """One that was registered from the same run must not hide the other."""
    write = Write(Act.WRITE_FILE, "default", path=f"4/{RUN}/artifacts/model/model.pkl")
    versions = [IN_ITS_RUN, replace(IN_ITS_RUN, number="3", source=f"runs:/{RUN}/other")]

    assert "v2" in refusal(write, governed(CHAMPION, versions=versions), Known(running=(RUN,)))


@pytest.mark.parametrize("act", [Act.CREATE_VERSION, Act.CREATE_MODEL, Act.TAG_VERSION, Act.TAG_MODEL])
@pytest.mark.parametrize(
    ("name", "is_refused"),
    [("countersign.attestation.x", True), ("Countersign.Attestation.x", True), ("countersign.ask", False)],
)
def test_only_the_bot_writes_its_tags_however_they_come(act: Act, name: str, is_refused: bool) -> None:
    write = Write(act, "default", "bike-demand", tags=("team", name))

    assert bool(refusal(write, governed(CHAMPION), Known())) == is_refused
    assert not refusal(replace(write, model="free"), governed(CHAMPION), Known())


class Silent(Known):
    """MLflow's tables, of which nothing may be asked."""

    def __getattribute__(self, name: str) -> object:
        if name in ("real_name", "aliases", "stage", "is_running", "is_there", "folder_of", "runs_are_in"):
            raise AssertionError(f"{name} was asked")
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    "write",
    [
        alias("challenger"),
        alias("challenger", act=Act.DELETE_ALIAS),
        alias(workspace="team-b"),
        Write(Act.TAG_VERSION, "default", "bike-demand", "2", tags=("team",)),
        Write(Act.CREATE_VERSION, "team-b", "prod.bike-demand", tags=("team",)),
        Write(Act.CREATE_MODEL, "default", "bike-new"),
        Write(Act.SET_STAGE, "team-b", "bike-demand", "2", name="Production"),
        Write(Act.DELETE_MODEL, "team-b", "bike-demand"),
        Write(Act.RENAME_MODEL, "team-b", "bike-demand", name="bike-x"),
        Write(Act.WRITE_RUN, "default", ids=("c" * 32,)),
    ],
)
def test_mlflows_tables_are_asked_nothing_about_a_write_that_names_nothing_governed(write: Write) -> None:
    stage = replace(STAGE, workspaces=("default",))

    assert not refusal(write, governed(CHAMPION, stage, COPIES, versions=[APPROVED]), Silent())
