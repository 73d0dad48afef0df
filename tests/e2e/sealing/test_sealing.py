"""A rule that seals, with the whole product: a real MLflow, a bucket for models and another one that only the bot writes to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.attestation.answers import GateResult
from bot.domain.events import SealHindered, TargetMoved, VersionSealed
from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.gate.checks import check, proof_of
from bot.gate.keys import read_keys
from bot.gate.serving import checked_folder
from tests.fixtures.buckets import REGION, Buckets
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation
from tests.gate.approvals import Outcome, gate

FILES = {"MLmodel": b"flavors: {}\n", "weights.bin": b"\0\1"}


@dataclass
class Vault:
    """The installation, the bucket that everyone writes to, and the sealed one."""

    installation: Installation
    buckets: Buckets
    sealed: str
    key: Path

    def make_bucket(self, *, locks: bool = True) -> None:
        where = {"LocationConstraint": REGION}
        s3 = self.buckets.s3
        s3.create_bucket(Bucket=self.sealed, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=locks)
        s3.put_bucket_versioning(Bucket=self.sealed, VersioningConfiguration={"Status": "Enabled"})

    def use_policy(self, seal: str = "seal: {{to: s3://{0}/, lock_for: 90d}}") -> None:
        stores = f'artifact_stores: ["s3://{self.buckets.bucket}/"]'
        self.installation.use_policy(top=stores, extra=seal.format(self.sealed))

    def logged(self) -> int:
        """A version whose files are in the bucket of the models."""
        client, model = self.installation.mlflow, self.installation.model
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
            client.create_experiment(model, artifact_location=f"s3://{self.buckets.bucket}/runs")
        experiment = client.get_experiment_by_name(model)
        assert experiment is not None
        run = client.create_run(experiment.experiment_id, tags={"mlflow.user": "bea"})
        for name, content in FILES.items():
            client.log_text(run.info.run_id, content.decode(), f"model/{name}")
        client.log_metric(run.info.run_id, "mae", 31.5)
        client.set_terminated(run.info.run_id)
        where = f"{run.info.artifact_uri}/model"
        return int(client.create_model_version(model, where, run.info.run_id, await_creation_for=0).version)

    def overwrite(self, version: int, name: str, content: bytes) -> None:
        """Somebody changes a file of the version where MLflow has it."""
        source = str(self.installation.mlflow.get_model_version(self.installation.model, str(version)).source)
        self.buckets.put(f"{source.partition(self.buckets.bucket + '/')[2]}/{name}", content)

    def asked(self) -> TransitionRequest:
        return self.installation.asked(self.logged())

    def approved(self, request: TransitionRequest) -> TransitionRequest:
        self.installation.approve(request)
        return self.installation.reread(request)

    def promoted(self) -> TransitionRequest:
        request = self.asked()
        self.installation.approve(request)
        self.installation.settle_until(lambda: self.installation.reread(request).state is State.APPLIED)
        self.installation.settle()
        return self.installation.reread(request)

    def objects(self) -> list[dict[str, Any]]:
        """Every object version in the sealed bucket."""
        found: list[dict[str, Any]] = self.buckets.s3.list_object_versions(Bucket=self.sealed).get("Versions", [])
        return found

    def read(self, uri: str, name: str) -> bytes:
        key = f"{uri.partition(self.sealed + '/')[2]}/{name}"
        content: bytes = self.buckets.s3.get_object(Bucket=self.sealed, Key=key)["Body"].read()
        return content

    def gate(self) -> Outcome:
        uri = f"models:/{self.installation.model}@champion"
        return gate(self.installation.settings.mlflow_tracking_uri, "check", uri, "--key", str(self.key))

    def judged(self) -> GateResult:
        environ = {"MLFLOW_TRACKING_URI": self.installation.settings.mlflow_tracking_uri}
        proof = proof_of(environ, read_keys([self.key]), None, None)
        uri = f"models:/{self.installation.model}@champion"
        return check(uri, None, proof, environ, self.installation.clock.now())

    def run(self, *words: str, **environ: str) -> Finished:
        settings = self.installation.settings
        return countersign(
            *words,
            **environ,
            DATABASE_URL=settings.database_url.get_secret_value(),
            MLFLOW_TRACKING_URI=settings.mlflow_tracking_uri,
        )


@pytest.fixture
def vault(installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Vault]:
    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")
    key = tmp_path / "public.pem"
    key.write_text(installation.s.signer.key.pem)
    built = Vault(installation, buckets, f"prod-{buckets.bucket}", key)
    built.use_policy()
    return built


def test_approved_files_are_sealed_before_the_target_moves_and_everyone_is_told_where(vault: Vault) -> None:
    vault.make_bucket()
    request = vault.promoted()

    seal = request.sealing.seal
    assert seal is not None
    assert vault.installation.champion() == request.version.version
    assert vault.installation.happened(VersionSealed, TargetMoved) == ["VersionSealed", "TargetMoved"]
    assert {name: vault.read(seal.at.uri, name) for name in FILES} == FILES
    assert seal.lock is not None
    assert seal.at.uri in vault.installation.details(request) + vault.installation.card(request).all_text
    assert f"The files are sealed in {seal.at.uri}, locked until" in vault.installation.comments(request)
    described = vault.run("describe", f"models:/{request.version.model}/{request.version.version}").stdout
    assert seal.at.uri in described
    assert "sealed" in vault.run("history", request.version.model).stdout

    listed = json.loads(vault.run("seal", "list", "--json").stdout)
    assert [(one["place"], one["files"]) for one in listed] == [(seal.at.uri, len(FILES))]
    verified = vault.run("seal", "verify")
    assert (verified.returncode, verified.stdout) == (0, "OK: 3 objects, each as it was sealed.\n"), verified.stderr

    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
    vault.buckets.s3.put_object_retention(
        Bucket=vault.sealed, Key=seal.at.key_of("MLmodel"), Retention=shorter, BypassGovernanceRetention=True
    )
    lifted = vault.run("seal", "verify")
    assert (lifted.returncode, lifted.stdout) == (1, "")
    assert "its lock ends at" in lifted.stderr
    assert "1 of 3 objects differ from what was sealed" in lifted.stderr
    away = vault.run("seal", "verify", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (away.returncode, "3 objects cannot be read now" in away.stderr) == (3, True), away.stderr


def test_the_gate_reads_the_sealed_object_versions_whatever_mlflow_has_by_then(vault: Vault, tmp_path: Path) -> None:
    vault.make_bucket(locks=True)
    vault.use_policy("seal: s3://{0}/")
    request = vault.promoted()
    seal = request.sealing.seal
    assert seal is not None
    vault.overwrite(request.version.version, "weights.bin", b"evil")

    allowed = vault.gate()
    folder = checked_folder(vault.judged(), tmp_path / "served")

    assert (allowed.code, allowed.out) == (0, f"{seal.at.uri}\n"), allowed.err
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES

    key = seal.at.key_of("weights.bin")
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=key, Body=b"evil")
    over = vault.run("seal", "verify", "--json")
    assert over.returncode == 1
    assert [one["why"] for one in json.loads(over.stdout)["faults"]] == [
        "something newer lies over it, which readers get that name no object version"
    ]
    assert vault.gate().code == 0, "the gate names the object version"
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=seal.at.key_of("other.bin"), Body=b"evil")
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=f"{seal.at.beginning}-2/MLmodel", Body=b"evil")
    beside = json.loads(vault.run("seal", "verify", "--json").stdout)["faults"]
    assert [one["object"] for one in beside if one["why"].startswith("it was not sealed")] == [
        f"s3://{vault.sealed}/{seal.at.beginning}-2/MLmodel",
        f"s3://{vault.sealed}/{seal.at.key_of('other.bin')}",
    ]

    index = {"Bucket": vault.sealed, "Key": seal.at.index, "VersionId": seal.at.index_version}
    vault.buckets.s3.delete_object(**index)
    denied = vault.gate()
    assert denied.code == 1
    assert "does not count" in denied.err
    assert "is gone from the bucket" in denied.err


def test_a_version_whose_bytes_are_not_those_that_were_approved_is_not_moved_and_says_which_file(vault: Vault) -> None:
    vault.make_bucket()
    request = vault.asked()
    vault.overwrite(request.version.version, "weights.bin", b"\0\2")

    ended = vault.approved(request)

    assert ended.state is State.STALE
    asked_again = vault.installation.request(request.version.version)
    assert (asked_again.state, asked_again.id != request.id) == (State.PENDING, True)
    assert "weights.bin has other bytes" in vault.installation.card(request).all_text
    assert vault.installation.champion() is None
    assert not [one for one in vault.objects() if one["Key"].endswith("weights.bin")]
    assert vault.installation.happened(VersionSealed, TargetMoved) == []


def test_a_bucket_that_is_missing_keeps_the_target_where_it_is_until_it_is_made(vault: Vault) -> None:
    request = vault.asked()

    waiting = vault.approved(request)

    assert (waiting.state, vault.installation.champion()) == (State.APPROVED, None)
    assert "there is no such bucket" in vault.installation.card(request).all_text
    assert vault.installation.happened(SealHindered) == ["SealHindered"]
    vault.make_bucket()
    (parked,) = vault.installation.s.store.jobs.listing(JobStatus.PARKED)
    assert parked.name == "seal"
    vault.installation.s.store.jobs.replay(parked.id)
    vault.installation.settle_until(lambda: vault.installation.reread(request).state is State.APPLIED)
    assert vault.installation.champion() == request.version.version


def test_what_holds_a_target_already_is_sealed_when_its_rule_begins_to_seal(vault: Vault) -> None:
    vault.use_policy("remind_after: 4h")
    request = vault.promoted()
    vault.make_bucket()
    assert vault.gate().code == 0

    vault.use_policy()
    vault.installation.sweep("seal_holders")

    seal = vault.installation.reread(request).sealing.seal
    assert seal is not None
    allowed = vault.gate()
    assert (allowed.code, allowed.out) == (0, f"{seal.at.uri}\n"), allowed.err
