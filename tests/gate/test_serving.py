"""`countersign gate serve` and `bot.gate.load_model`: what is served is, byte for byte, what was approved."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.entities import FileInfo

import bot
from bot.domain.model import VersionId
from bot.errors import TooLarge, UnsafePath
from bot.gate import CannotTell, Denied, load_model
from bot.gate.fetching import download, fetch_all
from bot.gate.manifests import digest_of, manifest_in
from bot.gate.package_lists import PACKAGES
from bot.gate.serving import check_arguments
from tests.gate.approvals import Shelf, approval, gate, tag_of

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow's own, on import
ROOT = Path(bot.__file__).parents[1]
MODEL = """
import mlflow

class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * value for value in model_input]

mlflow.models.set_model(Doubler())
"""


@pytest.fixture(autouse=True)
def asking_the_shelf(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COUNTERSIGN_URL", "COUNTERSIGN_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.url)


@dataclass(frozen=True)
class Stored:
    """A version with real files, in the store of the real MLflow server."""

    version: VersionId
    digest: str

    @property
    def uri(self) -> str:
        return f"models:/{self.version.model}/{self.version.version}"


@pytest.fixture
def stored(shelf: Shelf, tmp_path: Path) -> Stored:
    import mlflow.pyfunc

    code = tmp_path / "model.py"
    code.write_text(MODEL)
    local = tmp_path / "made"
    mlflow.pyfunc.save_model(str(local), python_model=str(code), pip_requirements=["mlflow"])
    run = shelf.client.create_run("0")
    shelf.client.log_artifacts(run.info.run_id, str(local), "model")
    shelf.client.set_terminated(run.info.run_id)
    version = shelf.version(source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    return Stored(version, digest_of(manifest_in(local)))


def swap_a_byte(shelf: Shelf, stored: Stored, tmp_path: Path) -> None:
    """As somebody with write access to the artifact store would."""
    run_id = shelf.client.get_model_version(stored.version.model, str(stored.version.version)).run_id
    file = tmp_path / "model.py"
    file.write_text(MODEL.replace("2 *", "3 *"))
    shelf.client.log_artifact(run_id, str(file), "model")


def test_the_approved_version_is_loaded_and_predicts(shelf: Shelf, stored: Stored, key: str) -> None:
    shelf.put(stored.version, approval(stored.version, artifacts=stored.digest))

    model = load_model(stored.uri, target="alias:champion", keys=key)

    assert model.predict([1.5]) == [3.0]


def test_a_version_without_an_approval_is_not_even_fetched(stored: Stored, key: str, tmp_path: Path) -> None:
    folder = tmp_path / "checked"

    with pytest.raises(Denied, match="has no approval for alias:champion") as refused:
        load_model(stored.uri, target="alias:champion", keys=[key], folder=folder)

    assert len(refused.value.reasons) == 1
    assert not folder.exists()


def test_swapped_bytes_are_found_before_anything_is_loaded(
    shelf: Shelf, stored: Stored, key: str, tmp_path: Path
) -> None:
    shelf.put(stored.version, approval(stored.version, artifacts=stored.digest))
    swap_a_byte(shelf, stored, tmp_path)

    with pytest.raises(Denied, match="are not those that were approved") as refused:
        load_model(stored.uri, target="alias:champion", keys=[key])
    told = gate(shelf.url, "serve", stored.uri, "--target", "alias:champion", "--key", key)

    assert stored.digest in refused.value.reasons[0]
    assert (told.code, told.out) == (1, "")
    assert "are not those that were approved" in told.err


def test_an_approval_that_names_no_files_is_not_enough_to_serve(shelf: Shelf, stored: Stored, key: str) -> None:
    shelf.put(stored.version, approval(stored.version))

    with pytest.raises(Denied, match="names no digest of the files"):
        load_model(stored.uri, target="alias:champion", keys=[key])


def test_a_registry_that_is_down_loads_nothing(stored: Stored, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    with pytest.raises(CannotTell, match="does not answer"):
        load_model(stored.uri, target="alias:champion", keys=[key])


def test_files_that_are_gone_cannot_be_compared(shelf: Shelf, stored: Stored, key: str) -> None:
    run = shelf.client.create_run("0")
    bare = shelf.version(source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    shelf.put(bare, approval(bare, artifacts=stored.digest))

    with pytest.raises(Denied, match="are not those that were approved"):
        load_model(f"models:/{shelf.model}/{bare.version}", target="alias:champion", keys=[key])


def test_gate_serve_says_what_it_cannot_vouch_for_and_becomes_mlflow_on_the_checked_folder(
    shelf: Shelf, stored: Stored, key: str, tmp_path: Path
) -> None:
    """MLflow's own help ends it before it serves; the files there show that it was called with the folder."""
    shelf.put(stored.version, approval(stored.version, artifacts=stored.digest), tag_of())
    folder = tmp_path / "checked"
    command = [sys.executable, "-m", "bot", "gate", "serve", stored.uri, "--target", "alias:champion", "--key", key]

    told = subprocess.run(
        [*command, "--dir", str(folder), "--", "--port", "5001", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert "Usage: python -P -m mlflow models serve" in told.stdout or "models serve [OPTIONS]" in told.stdout
    assert f"The approval does not cover {PACKAGES}." in told.stderr
    (checked,) = folder.iterdir()
    assert digest_of(manifest_in(checked)) == stored.digest


@pytest.mark.parametrize("argument", ["-m", "-mother", "--model-uri", "--model-uri=models:/other/1", "--"])
def test_no_argument_leads_mlflow_to_another_model(shelf: Shelf, key: str, argument: str) -> None:
    told = gate(shelf.url, "serve", "models:/bike@champion", "--key", key, "--", "--port", "5001", argument)

    assert told.code == 2
    assert "would serve something else than what is checked here" in told.err


def test_arguments_that_are_mlflows_own_matter_pass() -> None:
    check_arguments(["--port", "5000", "--env-manager", "local", "--enable-mlserver", "-h", "0.0.0.0"])


def test_a_refusal_leaves_nothing_behind_and_the_next_try_works_in_the_same_directory(
    shelf: Shelf, stored: Stored, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # loading this model would else compile it, beside its code
    place = tmp_path / "models"
    shelf.put(stored.version, approval(stored.version, artifacts="sha256:" + "0" * 64))
    with pytest.raises(Denied, match="are not those that were approved"):
        load_model(stored.uri, target="alias:champion", keys=[key], folder=place)
    left = list(place.iterdir())

    shelf.put(stored.version, approval(stored.version, artifacts=stored.digest))
    models = [load_model(stored.uri, target="alias:champion", keys=[key], folder=place) for _ in range(2)]

    assert left == []
    assert [model.predict([1.5]) for model in models] == [[3.0], [3.0]]
    assert [digest_of(manifest_in(folder)) for folder in place.iterdir()] == [stored.digest] * 2


def test_more_bytes_than_were_approved_are_not_fetched(shelf: Shelf, stored: Stored, key: str, tmp_path: Path) -> None:
    shelf.put(stored.version, approval(stored.version, artifacts=stored.digest, size=100))

    with pytest.raises(Denied, match="more than those 100 bytes"):
        load_model(stored.uri, target="alias:champion", keys=[key], folder=tmp_path / "models")

    assert list((tmp_path / "models").iterdir()) == []


@dataclass
class Listing:
    """An artifact store that lists what the test says, and writes to any path that it gets."""

    listed: Sequence[FileInfo]
    written: int = 0

    def list_artifacts(self, path: str | None) -> Sequence[FileInfo]:
        return self.listed if path is None else ()

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self.written += 1
        shutil.copy(__file__, local_path)


@pytest.mark.parametrize("path", ["../evil.py", "/tmp/evil.py", "code/../../evil.py", "code\\..\\evil.py"])
def test_a_path_that_climbs_out_is_refused_before_anything_is_written(tmp_path: Path, path: str) -> None:
    store = Listing([FileInfo("MLmodel", False, 1), FileInfo(path, False, 1)])

    with pytest.raises(UnsafePath, match=r"leads out of|backslash"):
        fetch_all(store, tmp_path, 1_000_000)

    assert store.written == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePath, match="listed twice"):
        fetch_all(Listing([FileInfo("MLmodel", False, 1)] * 2), tmp_path, 1_000_000)


def test_a_store_that_lists_more_than_was_approved_is_not_even_begun(tmp_path: Path) -> None:
    store = Listing([FileInfo("one", False, 60), FileInfo("two", False, 60)])

    with pytest.raises(TooLarge):
        fetch_all(store, tmp_path, 100)

    assert store.written == 0


def test_a_store_that_lists_less_than_it_sends_is_stopped_at_the_file_that_shows_it(tmp_path: Path) -> None:
    store = Listing([FileInfo("one", False, 1), FileInfo("two", False, 1), FileInfo("three", False, 1)])

    with pytest.raises(TooLarge):
        fetch_all(store, tmp_path, Path(__file__).stat().st_size + 1)

    assert store.written == 2


def test_what_is_fetched_is_what_the_store_holds(stored: Stored, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()

    download(stored.uri, folder, 1_000_000)

    assert digest_of(manifest_in(folder)) == stored.digest
