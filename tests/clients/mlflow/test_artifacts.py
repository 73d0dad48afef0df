"""The digest of a version's files and its model signature, read from MLflow servers: a real one, a lying one, a failing one."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from werkzeug import Request, Response
from werkzeug.wsgi import responder

from bot.clients.mlflow.files.artifacts import FilesRead, read_files, signature_in
from bot.clients.mlflow.http import open_client
from bot.clients.mlflow.registry import MlflowRegistry
from bot.domain.model import Artifacts, Evidence, VersionId
from bot.errors import FilesUnread, Permanent, Temporary
from bot.gate.package_lists import PACKAGES
from bot.locations import is_within
from bot.sandbox.serving import serving
from tests.fixtures.fault_proxy import fault_proxy
from tests.fixtures.mlflow_seed import client_of, identity, logged_version, new_run

STORES = ("mlflow-artifacts:",)
NOTHING = "sha256:" + hashlib.sha256(b"").hexdigest()
MLMODEL = """
model_uuid: m-1
signature:
  inputs: '[{"name": "hour", "type": "long", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""
SIGNATURE = '{"inputs":[{"name":"hour","required":true,"type":"long"}],"outputs":[{"required":true,"type":"double"}],"params":null}'


@pytest.fixture
def registry(mlflow_server: str) -> MlflowRegistry:
    return MlflowRegistry(mlflow_server, webhook_secrets=[])


@pytest.fixture
def client(mlflow_server: str, model_name: str):
    client = client_of(mlflow_server)
    client.create_registered_model(model_name)
    return client


@pytest.fixture
def version(client, model_name: str) -> VersionId:
    """Of a logged model without files yet."""
    return logged_version(client, model_name, new_run(client, {}))


@pytest.fixture
def folder(client, version: VersionId, mlflow_server: str) -> str:
    """The address of its files at the server's artifact proxy, which anyone may write to."""
    location = client.get_model_version_download_uri(version.model, "1").removeprefix("mlflow-artifacts:")
    return f"{mlflow_server}/api/2.0/mlflow-artifacts/artifacts{location}"


def put(folder: str, **files: str) -> None:
    for name, text in files.items():
        requests.put(f"{folder}/{name}", data=text.encode(), timeout=10).raise_for_status()


def read(registry: MlflowRegistry, version: VersionId, stores: tuple[str, ...] = STORES) -> Evidence:
    return registry.read_evidence(version, None, stores)


# What the digest is of


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A scikit-learn model with a signature, as MLflow saves it."""
    import mlflow.sklearn
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from sklearn.linear_model import LinearRegression

    signature = ModelSignature(Schema([ColSpec("double", "hour")]), Schema([ColSpec("double")]))
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    mlflow.sklearn.save_model(model, tmp_path / "model", signature=signature, pip_requirements=["scikit-learn"])
    return tmp_path / "model"


class Kept:
    """Follows the progress of the reading."""

    def __init__(self):
        self.told, self.manifest = [], ""

    def on_progress(self, done, size):
        self.told.append((done, size))

    def on_lock(self, lock):
        self.lock = lock

    def on_manifest(self, manifest):
        self.manifest = manifest


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow's own, on import
def test_anyone_can_check_the_files_against_the_manifest_whose_sha256_is_the_digest(
    registry, client, version, folder, saved, tmp_path
):
    (saved / "sub").mkdir()
    (saved / "sub" / "empty file").touch()
    client.log_model_artifacts(folder.split("/")[-2], str(saved))

    kept = Kept()
    evidence = registry.read_evidence(version, None, STORES, follower=kept)
    manifest = kept.manifest

    files = [path for path in saved.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert evidence.artifacts == Artifacts(
        "sha256:" + hashlib.sha256(manifest.encode()).hexdigest(), files=len(files), size=size
    )
    assert evidence.artifacts_unread == ""
    assert (len(kept.told), kept.told[0], {whole for _, whole in kept.told}) == (len(files), (0, size), {size})
    assert kept.told == sorted(kept.told)
    (tmp_path / "manifest").write_text(manifest)
    subprocess.run(["sha256sum", "--check", "--strict", tmp_path / "manifest"], cwd=saved, check=True)
    assert json.loads(evidence.signature) == {
        "inputs": [{"name": "hour", "required": True, "type": "double"}],
        "outputs": [{"required": True, "type": "double"}],
        "params": None,
    }


def test_paths_that_leave_the_folder_and_what_has_only_a_name_are_evidence(registry, version, folder):
    put(folder, MLmodel="flavors: {python_function: {code: /opt/code}}", **{"requirements.txt": "numpy"})

    evidence = read(registry, version)

    assert evidence.artifacts.files == 2
    assert evidence.outside == ('MLmodel, flavors.python_function.code: "/opt/code" is an absolute path',)
    assert evidence.uncovered == (PACKAGES,)


def test_a_version_without_files_has_the_digest_of_an_empty_manifest(registry, version):
    evidence = read(registry, version)

    assert evidence.artifacts == Artifacts(NOTHING, 0, 0)
    assert evidence.signature is None


def test_other_bytes_have_another_digest_although_mlflow_notices_nothing(registry, version, folder):
    put(folder, weights="before")
    before = read(registry, version).artifacts
    put(folder, weights="after!")

    after = read(registry, version).artifacts

    assert (before.files, before.size) == (after.files, after.size) == (1, 6)
    assert before.digest != after.digest


def test_the_same_bytes_under_another_name_have_another_digest(registry, client, model_name, mlflow_server):
    digests = []
    for name in ("a", "b"):
        made = logged_version(client, model_name, new_run(client, {}))
        location = client.get_model_version_download_uri(model_name, str(made.version))
        put(f"{mlflow_server}/api/2.0/mlflow-artifacts/artifacts{location.partition(':')[2]}", **{name: "same"})
        digests.append(read(registry, made).artifacts.digest)

    assert digests[0] != digests[1]


def test_what_mlflow_writes_into_downloaded_copies_is_no_part_of_the_model(registry, version, folder):
    put(folder, registered_model_meta="model_name: x")

    assert read(registry, version).artifacts == Artifacts(NOTHING, 0, 0)


def test_a_version_that_points_into_a_run_is_read_there(registry, client, model_name, mlflow_server):
    run_id = new_run(client, {})
    root = client.get_run(run_id).info.artifact_uri.removeprefix("mlflow-artifacts:")
    put(f"{mlflow_server}/api/2.0/mlflow-artifacts/artifacts{root}/model", MLmodel=MLMODEL)
    client.create_model_version(model_name, f"runs:/{run_id}/model", run_id=run_id, await_creation_for=0)
    (seen,) = registry.find_model("default", model_name).versions

    evidence = read(registry, seen.id)

    assert (evidence.artifacts.files, evidence.signature) == (1, SIGNATURE)


def test_the_champion_has_its_signature_and_a_copy_has_its_originals_files(registry, version, folder):
    put(folder, MLmodel=MLMODEL)
    copy = registry.copy_version(version.model, 1, f"prod.{version.model}", {})

    evidence = registry.read_evidence(copy, version, STORES)

    assert evidence.champion.signature == evidence.signature == SIGNATURE
    assert evidence.artifacts == read(registry, version).artifacts


# Where files may be read


def test_files_elsewhere_are_not_read_and_the_reason_says_how_to_allow_it(registry, client, version, folder):
    put(folder, MLmodel=MLMODEL)
    elsewhere = registry.read_evidence(version, version, ("s3://models/",))

    assert elsewhere.artifacts is None
    assert elsewhere.artifacts_unread.startswith("The files are at mlflow-artifacts:/0/models/m-")
    assert elsewhere.artifacts_unread.endswith("If that place is to be trusted, add it to artifact_stores.")
    assert elsewhere.signature is elsewhere.champion.signature is None


def test_a_store_whose_package_is_not_installed_is_named_with_it(registry, client, model_name):
    found = client.create_model_version(model_name, source="gs://models/bare", await_creation_for=0)

    evidence = read(registry, identity(found), ("gs://models/",))

    assert evidence.artifacts is None
    assert "is read with the Python package google-cloud-storage, which is not installed" in evidence.artifacts_unread


@pytest.mark.parametrize(
    ("location", "store"),
    [
        ("mlflow-artifacts:/1/models/m-1/artifacts", "mlflow-artifacts:"),
        ("mlflow-artifacts:///1/models", "mlflow-artifacts:"),
        ("mlflow-artifacts://mlflow.example.com/1", "mlflow-artifacts://mlflow.example.com"),
        ("s3://models/bike", "s3://models/"),
        ("s3://models/bike", "s3://models"),
        ("s3://models", "s3://models"),
        ("s3://models/bike", "s3:"),
        ("/mnt/models/bike demand", "/mnt/models"),
    ],
)
def test_a_location_lies_in_a_store_that_it_begins_with(location, store):
    assert is_within(location, ["gs://other/", store])


@pytest.mark.parametrize(
    ("location", "store"),
    [
        ("s3://models-evil/bike", "s3://models"),
        ("s3://models-evil/bike", "s3://models/"),
        ("s3://models@evil/bike", "s3://models"),
        ("S3://models/bike", "s3://models/"),
        ("s3://models/../other/bike", "s3://models/"),
        ("s3://models/./bike", "s3://models/"),
        ("s3://models/%2e%2e/other", "s3://models/"),
        ("s3://models/%252E%252e/other", "s3://models/"),
        ("s3://models/..%2fother", "s3://models/"),
        ("s3://models/..\\other", "s3://models/"),
        ("mlflow-artifacts://evil.example.com/1", "mlflow-artifacts:"),
        ("mlflow-artifacts:/\t/evil.example.com/1", "mlflow-artifacts:"),
        ("https://evil.example.com/1", "https:"),
        ("https://good.example.com@evil.example.com/1", "https://good.example.com"),
        ("http://[evil/1", "http:"),
        ("models:/m-1", "models:"),
        ("runs:/1/model", "runs:"),
        ("/mnt/models", ""),
        ("", ""),
    ],
)
def test_a_location_that_only_looks_like_it_does_not(location, store):
    assert not is_within(location, [store])


def test_a_password_in_a_location_is_not_told():
    location = "ftp://bot:secret@files.example.com/bike"
    files = files_of_a_server_that_lists({}, location=location)

    assert "ftp://files.example.com/bike" in files.unread
    assert "secret" not in files.unread


def test_a_folder_on_disk_can_be_a_store_and_is_left_as_it_was(tmp_path):
    (tmp_path / "bike").mkdir()
    mlmodel(tmp_path / "bike", MLMODEL)

    files = files_of_a_server_that_lists({}, location=f"{tmp_path}/bike", stores=(str(tmp_path),))

    assert (files.artifacts.files, files.artifacts.size, files.signature) == (1, len(MLMODEL), SIGNATURE)
    assert (tmp_path / "bike" / "MLmodel").read_text() == MLMODEL


def test_a_link_that_leads_out_of_a_folder_on_disk_is_not_followed(tmp_path):
    (tmp_path / "bike").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "bike" / "weights").symlink_to(tmp_path / "secret")

    files = files_of_a_server_that_lists({}, location=f"{tmp_path}/bike", stores=(f"{tmp_path}/bike",))

    assert files.artifacts is None
    assert "is a link" in files.unread


def test_a_kind_of_store_that_mlflow_does_not_know_is_named():
    files = files_of_a_server_that_lists({}, location="moon://models/bike", stores=("moon:",))

    assert files.unread == 'MLflow knows no artifact store of the kind "moon". Install the plugin that brings it.'


# A server that lists what no model should have


def files_of_a_server_that_lists(
    listing: dict[str, object],
    location: str = "mlflow-artifacts:/1/m",
    body: bytes = b"",
    stores: tuple[str, ...] = STORES,
) -> FilesRead:
    """Only what reading files takes: where they are, what there is, and each file's bytes."""
    from mlflow.entities.model_registry import ModelVersion

    @responder
    def server(environ, start_response):
        path = Request(environ).path
        if path.endswith("/registered-models/get"):
            return Response('{"registered_model": {"name": "bike-demand"}}', mimetype="application/json")
        if path.endswith("/get-download-uri"):
            return Response(json.dumps({"artifact_uri": location}), mimetype="application/json")
        if path.endswith("/mlflow-artifacts/artifacts"):
            return Response(json.dumps(listing), mimetype="application/json")
        return Response(body)

    with serving(server) as url:
        return read_files(open_client(url, timeout=5), ModelVersion("bike-demand", "1", 0), stores)


def listed(*paths: str, size: int = 1) -> dict[str, object]:
    return {"files": [{"path": path, "is_dir": False, "file_size": str(size)} for path in paths]}


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (listed(*map(str, range(10_001))), "has more than 10,000 files and folders"),
        (listed("a", "b", size=11 * 2**30), "are larger than 20 GiB in all"),
        (listed("back\\slash"), "has a line break or a backslash in it"),
        (listed("twice", "twice"), "is listed twice"),
        (listed("sub/./a"), "has an empty part or dots for one"),
        (listed("../a"), "has a name that MLflow cannot ask for"),
    ],
)
def test_a_listing_beyond_all_measure_is_not_followed(listing, reason):
    files = files_of_a_server_that_lists(listing)

    assert files.artifacts is None
    assert reason in files.unread


def test_folders_without_end_are_not_followed():
    wide_and_deep = {"files": [{"path": str(number), "is_dir": True} for number in range(500)]}

    files = files_of_a_server_that_lists(wide_and_deep)

    assert "has more than 10,000 files and folders" in files.unread


@pytest.mark.parametrize("listing", [{"files": [{}]}, {"files": 3}, {"files": [{"path": 1, "is_dir": False}]}])
def test_a_listing_of_another_shape_is_asked_for_again(listing):
    with pytest.raises(Temporary, match="cannot be read"):
        files_of_a_server_that_lists(listing)


def test_a_file_of_another_size_than_listed_is_asked_for_again():
    with pytest.raises(Temporary, match="another size than it lists"):
        files_of_a_server_that_lists(listed("weights", size=6), body=b"half")


# A server in trouble


@pytest.fixture
def proxied(mlflow_server: str) -> Iterator[tuple[MlflowRegistry, object]]:
    with fault_proxy(mlflow_server) as (url, faults):
        yield MlflowRegistry(url, webhook_secrets=[], timeout=5), faults


@pytest.mark.parametrize(
    ("path", "times"),
    [("mlflow-artifacts/artifacts$", 2), ("mlflow-artifacts/artifacts/.*weights", 1)],  # the run's files are listed too
)
@pytest.mark.parametrize("fault", [{"kind": "down"}, {"kind": "cut"}, {"kind": "malformed"}, {"kind": "status"}])
def test_a_store_in_trouble_is_asked_again_later(proxied, version, folder, path, times, fault):
    registry, faults = proxied
    put(folder, weights="1234")
    faults.add(path=path, times=times, **fault)

    with pytest.raises(Temporary, match=f"reading the files of {version.model} v1"):
        read(registry, version)

    assert read(registry, version).artifacts.size == 4


@pytest.mark.parametrize(("status", "mend"), [(401, "MLFLOW_TRACKING_TOKEN"), (403, "Give the bot's account")])
def test_a_store_that_does_not_let_us_in_waits_for_a_person(proxied, version, folder, status, mend):
    registry, faults = proxied
    put(folder, weights="1234")
    faults.add("status", path="mlflow-artifacts/artifacts/.*weights", status=status)

    with pytest.raises(Permanent, match=mend):
        read(registry, version)


def test_a_file_that_is_listed_but_not_handed_out_leaves_the_files_unread(proxied, version, folder):
    registry, faults = proxied
    put(folder, weights="1234")
    faults.add("status", path="mlflow-artifacts/artifacts/.*weights", status=404)

    evidence = read(registry, version)

    assert evidence.artifacts is None
    assert "(weights)" in evidence.artifacts_unread


# The model's signature


def mlmodel(directory: Path, text: str) -> Path:
    path = directory / "MLmodel"
    path.write_text(text)
    return path


def test_a_signature_is_canonical_whatever_its_order_and_spaces(tmp_path):
    reordered = MLMODEL.replace(
        '"name": "hour", "type": "long", "required": true', '"required":true,  "type":"long","name":"hour"'
    )

    assert signature_in(mlmodel(tmp_path, reordered)) == signature_in(mlmodel(tmp_path, MLMODEL)) == SIGNATURE


def test_numbers_that_canonical_json_cannot_hold_stay_what_they_are(tmp_path):
    text = 'signature:\n  params: \'[{"default": 4611686018427387904}, {"default": NaN}, {"default": 1e999}]\'\n'

    signature = signature_in(mlmodel(tmp_path, text))

    assert json.loads(signature)["params"] == [
        {"default": "4611686018427387904"},
        {"default": "NaN"},
        {"default": "1e999"},
    ]


@pytest.mark.parametrize("text", ["", "flavors: {}\n", "signature: null\n", "just words\n"])
def test_a_model_without_a_signature_has_none(tmp_path, text):
    assert signature_in(mlmodel(tmp_path, text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "signature: [",
        "signature: {inputs: not json}",
        "signature: {inputs: [nested]}",
        "signature: {inputs: '" + "[" * 100_000 + "'}",
        "[" * 100_000,
        'signature: {inputs: "\\"\\ud800\\""}',
        "signature: &bomb {inputs: *bomb}",
    ],
)
def test_an_mlmodel_file_that_mlflow_would_not_write_cannot_be_read(tmp_path, text):
    with pytest.raises(FilesUnread, match="Log the model again"):
        signature_in(mlmodel(tmp_path, text))


def test_a_huge_mlmodel_file_is_not_parsed(tmp_path):
    with pytest.raises(FilesUnread, match="larger than 256 KiB"):
        signature_in(mlmodel(tmp_path, " " * (2**20 + 1)))


def test_a_broken_mlmodel_file_leaves_the_files_unread(registry, version, folder):
    put(folder, MLmodel="signature: [")

    evidence = read(registry, version)

    assert evidence.artifacts is None
    assert "The MLmodel file cannot be read" in evidence.artifacts_unread
