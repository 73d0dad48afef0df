"""Row files: bytes read of a model's files from the ask to the moved alias, counted before an S3 on loopback that keeps all versions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.model import State
from bot.sandbox.mlflow_server import running_mlflow
from bot.sandbox.serving import serving
from tests.bench.bars import Figure, figure
from tests.bench.database import database
from tests.fixtures import quick_directory
from tests.fixtures.buckets import client_at
from tests.fixtures.installation import Installation, running_installation

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MODEL, BUCKET, FOLDER = "bike-demand", "models", "bike/1"
FILE_SIZE = 10 * 2**20  # bytes; boto3 reads a file of this size in parts
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Reads:
    """Counts the bytes of the model's files that pass; listings are not among them."""

    application: WSGIApplication
    size: int = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = list(self.application(environ, start_response))
        if environ["REQUEST_METHOD"] == "GET" and f"/{FOLDER}/" in environ["PATH_INFO"]:
            self.size += sum(map(len, answer))
        return answer


def promotion_from_a_bucket(files: int = 6) -> Iterator[Figure]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    reads = Reads(DomainDispatcherApplication(create_backend_app))
    with serving(reads) as s3_url, environment({**ENVIRONMENT, "AWS_ENDPOINT_URL": s3_url}):
        s3 = client_at(s3_url, "s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for number in range(files):
            s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{number}.bin", Body=os.urandom(FILE_SIZE))
        read = promoted(reads)
    scale = f"{files} files, {files * FILE_SIZE / 1e6:,.0f} MB"
    yield figure("files read", read / (files * FILE_SIZE), scale)


def promoted(reads: Reads) -> int:
    """The bytes read from the ask until the alias has moved."""
    with (
        quick_directory() as home,
        database(home) as url,
        running_mlflow(home / "mlflow") as mlflow_url,
        running_installation(url, mlflow_url, mlflow_url, MODEL, home, {"top": 'artifact_stores: ["s3://"]'}) as here,
    ):
        here.sweep()  # the baseline
        reads.size = 0
        promote(here)
        return reads.size


def promote(here: Installation) -> None:
    """Raises RuntimeError when its files were not read, or it has not moved."""
    run = here.mlflow.create_run(here.mlflow.create_experiment(MODEL), tags={"mlflow.user": "bea"})
    here.mlflow.create_registered_model(MODEL)
    here.mlflow.create_model_version(MODEL, f"s3://{BUCKET}/{FOLDER}", run.info.run_id, await_creation_for=0)
    request = here.asked(1)
    here.approve(request)
    here.settle_until(lambda: here.reread(request).state is not State.APPROVED)
    after = here.reread(request)
    if after.state is not State.APPLIED or after.evidence is None or after.evidence.artifacts is None:
        raise RuntimeError(f"the promotion ended {after.state}: {after.outcome}")


@contextmanager
def environment(ours: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text
