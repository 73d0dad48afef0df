"""What approvals rest on vanishes: it is recorded once, reported below the card and in the digest, shown, and so is its return.

The run, the commit and the data are real ones: MLflow's garbage collection, a git remote, and a DVC remote with `dvc gc`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.digest.figures import Finding, FindingKind
from bot.domain.digest.periods import period_at
from bot.domain.events import EvidenceFound, EvidenceLost, EvidenceOutOfSight, LossAcknowledged
from bot.domain.evidence.losses import FEWEST
from bot.domain.model import Ask, AskKind, State, Target, TransitionRequest, VersionId
from bot.domain.queries.description_text import in_words
from bot.domain.registry.snapshot import VersionSnapshot
from bot.ports import ModelRegistry
from bot.store.evidence_watch import EvidenceWatchRows
from handlers.digest.gathering import gather
from handlers.evidence.watching import look_after_evidence
from handlers.queries.describe import describe
from handlers.request.asking import request_transition
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.installation import CHANNEL, Installation
from tests.fixtures.training_repository import Training

A_DAY = timedelta(hours=24)
HALF_A_DAY = A_DAY / 2
GONE = "only file is gone"


def look(installation: Installation, later: timedelta = HALF_A_DAY) -> None:
    """One sweep, when it is time for the next look."""
    installation.clock.ahead += later
    installation.sweep("look_after_evidence")


def lost(installation: Installation) -> list[tuple[str, tuple[str, ...]]]:
    return [(body["part"], tuple(body["names"])) for body in installation.entries(EvidenceLost)]


def found(installation: Installation) -> list[str]:
    return [str(body["part"]) for body in installation.entries(EvidenceFound)]


def said_of_losses(installation: Installation) -> list[str]:
    """Oldest first, also what is in threads."""
    return [one.all_text for one in installation.slack.messages(CHANNEL) if "vidence of a" in one.all_text]


def in_the_digest(installation: Installation) -> list[Finding]:
    period = period_at(installation.clock.now(), "UTC")
    with installation.s.store.transaction() as tx:
        digest = gather(period, installation.s, tx.connection).digest
    return [one for one in digest.attention.shown if one.concern is FindingKind.EVIDENCE_LOST]


def policy_for(training: Training, *stores: str) -> dict[str, str]:
    """A rule that names the git remote, and what may be read."""
    listed = ", ".join(f'"{store}"' for store in ("mlflow-artifacts:", *stores))
    return {
        "extra": f"lineage: {{git: {training.origin}, block: complete}}",
        "top": f"artifact_stores: [{listed}]\n",
    }


def storage_of(training: Training) -> Path:
    return training.repository.parent / "storage"


@pytest.fixture
def traced(installation: Installation, copied: Training) -> Training:
    """Trained with a DVC remote that the worker can reach too, registered, approved under a rule that names its git remote."""
    approved_under(policy_for(copied, f"{storage_of(copied)}/"), installation, copied)
    look(installation, timedelta())
    return copied


def approved_under(policy: Mapping[str, str], installation: Installation, copied: Training) -> None:
    storage = storage_of(copied)
    copied.replace(".dvc/config", "url = ../../storage", f"url = {storage}")
    copied.commit("Name the remote for everyone")
    copied.train()
    installation.use_policy(**policy)
    outcome = copied.register("--name", installation.model, "--ask", "alias:candidate")
    assert outcome.exit_code == 0, outcome.output
    installation.sweep()
    installation.approve(installation.request(1))
    installation.settle_until(lambda: installation.request(1).state is State.APPLIED)


def collect_garbage(training: Training, mlflow_home: Path) -> None:
    """`mlflow gc`, of this run alone: the server is shared with other tests."""
    store = f"sqlite:///{mlflow_home / 'mlflow.db'}"
    command = ["gc", "--backend-store-uri", store, "--run-ids", training.run_id, "--tracking-uri", training.server]
    done = training.run(
        sys.executable, "-m", "mlflow", *command, "--artifacts-destination", str(mlflow_home / "artifacts")
    )
    assert done.returncode == 0, done.stderr


def collect_data(training: Training) -> None:
    """`dvc gc` by someone whose workspace no longer names the data."""
    for name in ("dvc.lock", "dvc.yaml", "data/raw.csv.dvc"):
        (training.repository / name).unlink()
    training.dvc("gc", "--workspace", "--cloud", "--force", "--quiet")


def assert_that_what_cannot_be_read_is_no_loss(installation: Installation, work: Path) -> None:
    """The git remote and the DVC remote are away, and come back."""
    lost_before, said_before = lost(installation), said_of_losses(installation)
    for name in ("origin.git", "storage"):
        (work / name).rename(work / f"{name} elsewhere")
    look(installation)
    look(installation)
    assert said_of_losses(installation) == said_before
    look(installation)
    look(installation)

    assert lost(installation) == lost_before
    assert [body["part"] for body in installation.entries(EvidenceOutOfSight)] == ["data", "commit"]
    [said] = said_of_losses(installation)[len(said_before) :]
    assert "Evidence of an approval cannot be looked at" in said
    assert "Whether anything is gone is not known" in said

    for name in ("origin.git", "storage"):
        (work / f"{name} elsewhere").rename(work / name)
    look(installation)
    assert found(installation)[-2:] == ["data", "commit"]


def test_a_lost_run_commit_and_data_are_reported_once_and_their_return_too(
    installation: Installation, traced: Training, mlflow_home: Path, tmp_path: Path
) -> None:
    storage, commit = storage_of(traced), traced.head
    request = installation.request(1)
    shutil.copytree(storage, tmp_path / "kept")
    assert (lost(installation), said_of_losses(installation)) == ([], [])

    installation.mlflow.delete_run(traced.run_id)
    traced.git("push", "--quiet", "--force", "origin", "HEAD~2:main")
    collect_data(traced)
    look(installation)
    look(installation)

    assert [part for part, _ in lost(installation)] == ["run", "data", "commit"]
    assert dict(lost(installation))["run"] == ("deleted",)
    assert set(dict(lost(installation))["data"]) == {
        "data/raw.csv",
        "data/clean",
        *dict(lost(installation))["data"][:9],
    }
    [said] = said_of_losses(installation)
    assert said in [one.all_text for one in installation.thread(request)]
    assert "until `mlflow gc` takes it, it can be restored" in said
    assert f"its commit {commit[:12]} is in no branch of the git remote" in said
    assert "data/raw.csv" in said
    assert [one.concern for one in in_the_digest(installation)] == [FindingKind.EVIDENCE_LOST] * 3

    collect_garbage(traced, mlflow_home)
    look(installation)

    assert lost(installation)[3:] == [("run", ("erased",))]
    assert "is gone from MLflow for good" in said_of_losses(installation)[-1]
    shown = describe(f"models:/{installation.model}/1", installation.s).losses
    assert [(one.part, one.is_gone) for one in shown] == [("run", True), ("data", True), ("commit", True)]

    shutil.copytree(tmp_path / "kept", storage, dirs_exist_ok=True)
    traced.git("push", "--quiet", "--force", "origin", f"{commit}:main")
    look(installation)

    assert found(installation) == ["data", "commit"]
    assert "its data is there again" in said_of_losses(installation)[-1]
    assert len(in_the_digest(installation)) == 1
    assert_that_what_cannot_be_read_is_no_loss(installation, traced.repository.parent)
    assert installation.champion() == 1
    assert installation.reread(request).state is State.APPLIED
    assert installation.ledger_fault() is None


def promoted_with_files(installation: Installation) -> TransitionRequest:
    version = installation.register()
    installation.mlflow.log_text(installation.run_of(version), "flavors: {}", "model/MLmodel")
    return installation.promoted(version)


def files_of(installation: Installation, version: int, mlflow_home: Path) -> Path:
    """Where the server keeps them."""
    uri = installation.mlflow.get_model_version_download_uri(installation.model, str(version))
    return mlflow_home / "artifacts" / uri.removeprefix("mlflow-artifacts:/").lstrip("/")


def test_files_that_are_gone_are_reported_below_each_card_and_warned_of_before_a_rollback(
    installation: Installation, mlflow_home: Path
) -> None:
    first, second = promoted_with_files(installation), promoted_with_files(installation)
    for version in (1, 2):
        file = next(path for path in files_of(installation, version, mlflow_home).rglob("*") if path.is_file())
        file.unlink()

    look(installation, A_DAY)
    look(installation, A_DAY)

    assert [body["request_id"] for body in installation.entries(EvidenceLost)] == [second.id, first.id]
    assert {part for part, _ in lost(installation)} == {"files"}
    assert len([one for one in installation.slack.messages(CHANNEL) if not one.is_reply and GONE in one.all_text]) == 1
    for request in (first, second):
        assert [one for one in installation.thread(request) if GONE in one.all_text]
    installation.click("ana", second, "roll_back")
    form = json.dumps(installation.slack.open_view_of("ana"), default=str)
    assert "Careful with" in form
    assert "going back takes votes" in form
    installation.slack.submit_view("ana", {"reason": "it drifts"})
    installation.settle()
    assert installation.requests()[-1].state is State.PENDING
    assert installation.champion() == 2


def of_the_evidence(installation: Installation, *words: str) -> Finished:
    return countersign("evidence", *words, DATABASE_URL=installation.settings.database_url.get_secret_value())


def shown_of(installation: Installation) -> str:
    return str(in_words(describe(f"models:/{installation.model}/1", installation.s)))


def test_a_loss_that_a_person_acknowledges_leaves_the_digest_until_more_is_lost(installation: Installation) -> None:
    request = installation.promoted()
    installation.mlflow.delete_run(installation.run_of(1))
    look(installation, A_DAY)
    assert len(in_the_digest(installation)) == 1

    listed = of_the_evidence(installation, "list")
    said = of_the_evidence(
        installation,
        *("acknowledge", request.short_id, "--reason", "cleaned up on purpose", "--by", "ana@example.com"),
    )
    again = of_the_evidence(
        installation, "acknowledge", request.short_id, "--reason", "twice", "--by", "ana@example.com"
    )
    look(installation, A_DAY)

    assert "can be restored" in listed.stdout
    assert said.stdout.rstrip().endswith("acknowledged (run).")
    assert (again.returncode, "See: countersign evidence list" in again.stdout + again.stderr) == (1, True)
    assert in_the_digest(installation) == []
    assert [body["reason"] for body in installation.entries(LossAcknowledged)] == ["cleaned up on purpose"]
    assert "acknowledged by Ana Ruiz: cleaned up on purpose" in shown_of(installation)
    assert lost(installation) == [("run", ("deleted",))]


def acknowledged(installation: Installation) -> list[tuple[str, bool]]:
    """The parts that are lost, and whether a person has acknowledged it."""
    with installation.s.store.transaction() as tx:
        return [(kept.part, not kept.is_open) for kept in EvidenceWatchRows(tx.connection).all_open_or_known()]


def test_a_known_loss_is_the_same_after_a_move_by_hand_that_is_put_back_and_after_a_rename(
    installation: Installation,
) -> None:
    request = installation.promoted()
    installation.mlflow.delete_run(installation.run_of(1))
    look(installation, A_DAY)
    with installation.s.store.transaction() as tx:
        EvidenceWatchRows(tx.connection).acknowledge(request.id, "ana", "on purpose", installation.clock.now())
    known = acknowledged(installation)

    installation.register()
    installation.move(2)
    installation.sweep()
    look(installation)
    meanwhile = acknowledged(installation)
    installation.move(1)
    installation.sweep()
    look(installation)
    put_back = acknowledged(installation)
    installation.mlflow.rename_registered_model(installation.model, f"{installation.model}-renamed")
    installation.sweep()
    look(installation)

    assert (known, meanwhile) == ([("run", True)], [])
    assert put_back == acknowledged(installation) == [("run", True)]
    assert lost(installation) == [("run", ("deleted",))]


def test_a_registry_that_is_away_leaves_the_looks_at_others_alone(installation: Installation) -> None:
    request = installation.promoted()
    look(installation, A_DAY)
    installation.use_policy(top="registries: {eu: {uri: 'http://127.0.0.1:9'}}")
    with installation.s.store.transaction() as tx:
        for number in range(2 * FEWEST):  # more than a sweep looks at, and never looked at
            version = replace(request.version, workspace="eu/default", model=f"bikes-{number}")
            target, now = Target.parse("alias:champion"), installation.clock.now()
            tx.registry.put_placements("eu/default", version.model, target, [version], now, request.id)
    installation.mlflow.delete_run(installation.run_of(1))

    look(installation, A_DAY)

    assert lost(installation) == [("run", ("deleted",))]


def test_what_was_looked_at_while_the_clock_was_fast_is_looked_at_again_once_it_is_set_back(
    installation: Installation,
) -> None:
    installation.promoted()
    look(installation, 365 * A_DAY)
    installation.mlflow.delete_run(installation.run_of(1))

    look(installation, -365 * A_DAY)

    assert lost(installation) == [("run", ("deleted",))]


class BreaksAt:
    """The registry, in which a bug of ours shows at one version alone."""

    def __init__(self, registry: ModelRegistry, version: VersionId) -> None:
        self._registry, self._version = registry, version

    def __getattr__(self, name: str) -> object:
        return getattr(self._registry, name)

    def find_version(self, workspace: str, name: str, number: int) -> VersionSnapshot | None:
        if (name, number) == (self._version.model, self._version.version):
            raise RuntimeError("nobody foresaw this")
        return self._registry.find_version(workspace, name, number)


@pytest.mark.parametrize("was_looked_at", [True, False])
def test_an_error_that_nobody_foresaw_at_one_target_keeps_no_look_at_others_back(
    installation: Installation, was_looked_at: bool
) -> None:
    first = installation.promoted()
    other = f"{installation.model}-b"
    number = installation.register(model=other)
    ask, target = Ask(AskKind.COMMAND), Target.parse("alias:champion")
    asked = request_transition(other, number, target, "cy@example.com", "", ask, installation.s)
    installation.settle()
    installation.approve(installation.reread(asked))
    if was_looked_at:
        look(installation, A_DAY)
    installation.mlflow.delete_run(str(installation.mlflow.get_model_version(other, str(number)).run_id))
    broken = replace(installation.s, registry=BreaksAt(installation.s.registry, first.version))  # type: ignore[arg-type]
    installation.clock.ahead += A_DAY

    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        look_after_evidence("", broken)
    look_after_evidence("", broken)
    installation.clock.ahead += timedelta(hours=2)
    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        look_after_evidence("", broken)

    assert lost(installation) == [("run", ("deleted",))]


@pytest.mark.parametrize(("status", "path", "unread"), [(503, "", []), (403, "runs/", ["run"])])
def test_a_server_that_refuses_loses_nothing_and_one_that_is_away_is_left_for_the_next_sweep(
    mlflow_server: str, open_installation: Callable[..., Installation], status: int, path: str, unread: list[str]
) -> None:
    with fault_proxy(mlflow_server) as (url, faults):
        installation = open_installation(registry_url=url)
        installation.sweep()
        installation.promoted()
        look(installation, A_DAY)
        faults.add("status", path, status=status, times=1_000)
        for _ in range(4):
            look(installation, A_DAY)

    assert lost(installation) == []
    assert [body["part"] for body in installation.entries(EvidenceOutOfSight)] == unread
    with installation.s.store.transaction() as tx:
        looked_at = EvidenceWatchRows(tx.connection).oldest_look()
    assert looked_at is not None
    assert (looked_at > installation.clock.now() - HALF_A_DAY) is bool(unread)
