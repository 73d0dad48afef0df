"""Models and data on S3 with the whole product: evidence, vote, gate and `describe --fetch`, through MLflow's server and without."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.domain.model import Evidence, State, TransitionRequest
from bot.gate.fetching import download
from bot.gate.manifests import digest_of, manifest_in, manifest_of
from bot.sandbox.mlflow_server import running_mlflow
from bot.store import tables
from handlers.request.evidence import _known
from tests.fixtures.buckets import DENIED, Buckets, Keys, behind_front, credentials, forget_clients
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation, running_installation
from tests.gate.approvals import gate

ROOT = Keys("root", "root")
RIDES = b"hour,rides\n0,12\n"
MD5 = hashlib.md5(RIDES, usedforsecurity=False).hexdigest()
FILES = {"MLmodel": b"flavors: {}\n", "weights.bin": b"\0\1"}
LOCK = f"""
schema: '2.0'
stages:
  train:
    cmd: python train.py
    deps:
    - {{path: data/rides.csv, hash: md5, md5: {MD5}, size: {len(RIDES)}}}
"""


def logged(installation: Installation, artifacts: str | None = None) -> str:
    """A version with its files and its dvc.lock among the artifacts of its run; returns where those are."""
    client = installation.mlflow
    client.create_registered_model(installation.model)
    experiment = client.create_experiment(installation.model, artifact_location=artifacts)
    run = client.create_run(experiment, tags={"mlflow.user": "bea"})
    client.log_text(run.info.run_id, LOCK, "lineage/dvc.lock")
    for name, content in FILES.items():
        client.log_text(run.info.run_id, content.decode(), f"model/{name}")
    client.log_metric(run.info.run_id, "mae", 31.5)
    client.set_terminated(run.info.run_id)
    where = str(run.info.artifact_uri)
    client.create_model_version(installation.model, f"{where}/model", run.info.run_id, await_creation_for=0)
    return where


def digest() -> str:
    return digest_of(manifest_of({name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}))


def evidence_of(installation: Installation, request: TransitionRequest) -> Evidence:
    found = installation.reread(request).evidence
    assert found is not None
    return found


def bring(installation: Installation, into: Path, buckets: Buckets) -> Finished:
    uri, remote = f"models:/{installation.model}/1", f"s3://{buckets.bucket}/dvc"
    return countersign(
        "describe",
        uri,
        "--fetch",
        str(into),
        "--remote",
        remote,
        DATABASE_URL=installation.settings.database_url.get_secret_value(),
        MLFLOW_TRACKING_URI=installation.settings.mlflow_tracking_uri,
    )


def key_of(installation: Installation, tmp_path: Path) -> str:
    file = tmp_path / "public.pem"
    file.write_text(installation.s.signer.key.pem)
    return str(file)


def push(buckets: Buckets) -> None:
    buckets.put(f"dvc/files/md5/{MD5[:2]}/{MD5[2:]}", RIDES)


def test_a_model_and_its_data_in_a_bucket_are_approved_checked_and_brought_back(
    installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation.use_policy(top=f'artifact_stores: ["s3://{buckets.bucket}/"]')
    push(buckets)
    with credentials("environment", ROOT, aws, tmp_path):
        where = logged(installation, f"s3://{buckets.bucket}/runs")
        request = installation.asked(1)
        installation.approve(request)
        installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)

        checked = gate(
            installation.settings.mlflow_tracking_uri,
            "check",
            f"models:/{installation.model}@champion",
            "--key",
            key_of(installation, tmp_path),
        )
        brought = bring(installation, tmp_path / "out", buckets)
    forget_clients(aws)
    with credentials("environment", buckets.user("stranger", DENIED), aws, tmp_path), buckets.strict():
        denied = bring(installation, tmp_path / "denied", buckets)

    evidence = evidence_of(installation, request)
    assert where.startswith(f"s3://{buckets.bucket}/runs/")
    assert evidence.artifacts is not None, evidence.artifacts_unread
    assert evidence.artifacts.digest == digest()
    assert evidence.lock_sha256 == hashlib.sha256(LOCK.encode()).hexdigest()
    assert (checked.code, checked.out) == (0, f"models:/{installation.model}/1\n"), checked.err
    assert brought.returncode == 0, brought.stdout + brought.stderr
    assert (tmp_path / "out/data/rides.csv").read_bytes() == RIDES
    assert denied.returncode == 1
    assert "no permission. Grant it s3:ListBucket" in denied.stdout + denied.stderr


@pytest.mark.parametrize("replaced", [False, True], ids=["unchanged", "replaced after the vote opened"])
def test_files_whose_bucket_keeps_all_versions_are_read_once(
    replaced: bool, installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation.use_policy(top=f'artifact_stores: ["s3://{buckets.bucket}/"]')
    buckets.keep_versions()
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:
        where = logged(installation, f"s3://{buckets.bucket}/runs")
        request = installation.asked(1)
        if replaced:
            key = f"{where.removeprefix(f's3://{buckets.bucket}/')}/model/weights.bin"
            buckets.put(key, b"\0\2")
        installation.approve(request)
        installation.settle_until(lambda: installation.reread(request).state in (State.APPLIED, State.STALE))

    after = installation.reread(request)
    assert (front.reads.count("weights.bin") == 1) is not replaced
    assert after.state is (State.STALE if replaced else State.APPLIED)
    assert ("the artifacts are other bytes now" in after.outcome) is replaced


@pytest.mark.parametrize("replaced", [False, True], ids=["unchanged", "replaced since"])
def test_a_request_that_follows_another_reads_no_file_again_that_its_bucket_proves_to_be_the_same(
    replaced: bool, installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation.use_policy(top=f'artifact_stores: ["s3://{buckets.bucket}/"]')
    buckets.keep_versions()
    with credentials("environment", ROOT, aws, tmp_path), behind_front(aws) as front:
        where = logged(installation, f"s3://{buckets.bucket}/runs")
        first = installation.asked(1)
        installation.click("ana", first, "approve")
        installation.mlflow.log_metric(installation.run_of(1), "mae", 99.0)
        if replaced:
            buckets.put(f"{where.removeprefix(f's3://{buckets.bucket}/')}/model/weights.bin", b"\0\2")
        installation.settle_until(lambda: installation.reread(first).state is State.STALE)
        fresh = installation.request(1)

    before, again = evidence_of(installation, first), evidence_of(installation, fresh)
    assert fresh.follows == first.id
    assert (again.artifacts == before.artifacts) is not replaced
    assert (again.object_versions == before.object_versions) is not replaced
    assert (front.reads.count("weights.bin") == 1) is not replaced


def test_what_a_changed_row_says_of_files_is_not_taken_over(
    installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation.use_policy(top=f'artifact_stores: ["s3://{buckets.bucket}/"]')
    buckets.keep_versions()
    with credentials("environment", ROOT, aws, tmp_path):
        logged(installation, f"s3://{buckets.bucket}/runs")
        first = installation.asked(1)
    following = replace(first, id="0123456789abcdef", follows=first.id)

    with installation.s.store.transaction() as tx:
        believed = _known(following, tx)
    body = tables.requests.c.body
    with installation.s.store.engine.begin() as connection:
        changed = sa.func.replace(body, evidence_of(installation, first).object_versions, f"sha256:{'0' * 64}")
        connection.execute(sa.update(tables.requests).where(tables.requests.c.id == first.id).values(body=changed))
    with installation.s.store.transaction() as tx:
        doubted = _known(following, tx)

    assert believed == first.evidence
    assert believed is not None
    assert doubted is None


@contextmanager
def proxied(
    buckets: Buckets, aws: pytest.MonkeyPatch, database_url: str, model: str, home: Path
) -> Iterator[Installation]:
    """MLflow's server keeps the artifacts in the bucket and hands them out. Only it has credentials."""
    options = ("--serve-artifacts", "--artifacts-destination", f"s3://{buckets.bucket}/mlflow")
    with credentials("environment", ROOT, aws, home), running_mlflow(home / "server", options=options) as url:
        aws.delenv("AWS_ACCESS_KEY_ID")
        aws.delenv("AWS_SECRET_ACCESS_KEY")
        with running_installation(database_url, url, url, model, home, {}) as ready:
            ready.sweep()
            yield ready


@pytest.mark.proof
def test_what_mlflow_s_server_hands_out_of_a_bucket_is_frozen_compared_and_served(
    buckets: Buckets, aws: pytest.MonkeyPatch, database_url: str, model_name: str, tmp_path: Path
) -> None:
    with (
        behind_front(aws) as front,
        proxied(buckets, aws, database_url, model_name, tmp_path) as installation,
    ):
        where = logged(installation)
        folder = f"mlflow/{where.removeprefix('mlflow-artifacts:/')}/model"
        front.before_read["weights.bin"] = lambda: buckets.s3.delete_object(
            Bucket=buckets.bucket, Key=f"{folder}/weights.bin"
        )
        raced = installation.asked(1)
        buckets.put(f"{folder}/weights.bin", FILES["weights.bin"])
        installation.approve(raced)
        installation.settle_until(lambda: installation.reread(raced).state is State.STALE)
        request = installation.request(1)
        installation.approve(request)
        installation.settle_until(lambda: installation.reread(request).state is State.APPLIED)
        aws.setenv("MLFLOW_TRACKING_URI", installation.settings.mlflow_tracking_uri)
        uri = f"models:/{installation.model}@champion"
        checked = gate(installation.settings.mlflow_tracking_uri, "check", uri, "--key", key_of(installation, tmp_path))
        download(f"models:/{installation.model}/1", tmp_path / "served", 1_000)
        buckets.s3.delete_object(Bucket=buckets.bucket, Key=f"{folder}/weights.bin")
        download(f"models:/{installation.model}/1", tmp_path / "less", 1_000)
        before, after = evidence_of(installation, raced).artifacts, evidence_of(installation, request).artifacts
        outcome = installation.reread(raced).outcome

    assert where.startswith("mlflow-artifacts:/")
    assert "weights.bin" not in front.before_read
    assert before is not None
    assert before.files == 1
    assert "the artifacts are other bytes now" in outcome
    assert after is not None
    assert after.digest == digest() == digest_of(manifest_in(tmp_path / "served"))
    assert (checked.code, checked.out) == (0, f"models:/{installation.model}/1\n"), checked.err
    assert digest_of(manifest_in(tmp_path / "less")) == before.digest
