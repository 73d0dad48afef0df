"""An installation whose rule seals: a bucket that everyone writes to, and another one that only the bot writes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.attestation.answers import GateResult
from bot.domain.model import State, TransitionRequest
from bot.gate.checks import check, proof_of
from bot.gate.keys import read_keys
from tests.fixtures.buckets import REGION, Buckets
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import API_TOKEN, Installation
from tests.gate.approvals import Outcome, gate

FILES = {"MLmodel": b"flavors: {}\n", "weights.bin": b"\0\1"}


@dataclass
class Vault:
    """The installation, the bucket that everyone writes to, and the sealed one."""

    installation: Installation
    buckets: Buckets
    sealed: str
    key: Path

    def make_bucket(self, name: str = "") -> None:
        where = {"LocationConstraint": REGION}
        s3, bucket = self.buckets.s3, name or self.sealed
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def use_policy(self, seal: str = "seal: {{to: s3://{0}/, lock_for: 90d}}") -> None:
        stores = f'artifact_stores: ["s3://{self.buckets.bucket}/"]'
        self.installation.use_policy(top=stores, extra=seal.format(self.sealed))

    def logged(self, files: Mapping[str, bytes] = FILES) -> int:
        """A version whose files are in the bucket of the models."""
        client, model = self.installation.mlflow, self.installation.model
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
            client.create_experiment(model, artifact_location=f"s3://{self.buckets.bucket}/runs")
        experiment = client.get_experiment_by_name(model)
        assert experiment is not None
        run = client.create_run(experiment.experiment_id, tags={"mlflow.user": "bea"})
        for name, content in files.items():
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

    def promoted(self, files: Mapping[str, bytes] = FILES) -> TransitionRequest:
        request = self.installation.asked(self.logged(files))
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

    def gate(self, *, with_bot: bool = False) -> Outcome:
        """What holds the target, by what is signed; with the bot, by its own answer too."""
        uri = f"models:/{self.installation.model}@champion"
        bot = {"COUNTERSIGN_URL": self.installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN} if with_bot else None
        return gate(self.installation.settings.mlflow_tracking_uri, "check", uri, "--key", str(self.key), environ=bot)

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
