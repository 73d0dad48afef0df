"""The client of S3, and what its failures mean: try again, or a person must fix it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bot.bucket_refusals import RIGHTS, bucket_refusal, failures_of_s3
from bot.errors import Permanent, Temporary

ATTEMPTS = 3  # of one call, for a slow moment of the store; after that the job that made it is tried again
CONNECT, READ = 5, 60  # seconds
PASSING = frozenset({408, 409, 429})  # statuses; 409 when two writers meet
OUR_RIGHTS = "Give the worker's account the permissions in docs/sealed-store.md"
AS_A_JOB = "Then replay the job."
THERE_ALREADY = ("PreconditionFailed", "412")
MISSING = ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed")  # 405: the newest is a delete marker
NO_SUCH_UPLOAD = "NoSuchUpload"


def new_client() -> Any:
    """With the credentials and the address of the AWS environment. Calls nothing yet. Raises Permanent."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise Permanent(
            "Sealing takes the Python package boto3, which is not installed. Install mlflow-countersign[s3] beside the worker. "
            + AS_A_JOB
        ) from None
    options = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with asking("opening the client of S3"):
        return boto3.session.Session().client("s3", config=options)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """`what` completes "S3 … while …", such as `sealing bike v2`. Raises Temporary or Permanent."""
    try:
        yield
    except failures_of_s3() as error:
        raise meaning_of(error, what) from error


def code_of(error: BaseException) -> str:
    """S3's own code; empty when it is another exception."""
    response = getattr(error, "response", None)
    said = response.get("Error") if isinstance(response, Mapping) else None
    return str(said.get("Code", "")) if isinstance(said, Mapping) else ""


def meaning_of(error: Exception, what: str) -> Temporary | Permanent:
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, Mapping) else {}
    status = int(metadata.get("HTTPStatusCode", 0))
    if status >= 500 or status in PASSING:
        wait = _seconds(metadata.get("HTTPHeaders", {}).get("retry-after"))
        return Temporary(f"S3 answered {code_of(error) or status} while {what}. It will be tried again.", wait)
    refusal = bucket_refusal(error)
    if refusal is not None:
        fix = OUR_RIGHTS if refusal.fix == RIGHTS else refusal.fix
        return Permanent(f"S3 refused {what}: {refusal.why}. {fix}. {AS_A_JOB}")
    if status:
        said = response.get("Error", {}).get("Message", "") if isinstance(response, Mapping) else ""
        why = " ".join(f"{code_of(error)} {said}".split())[:300]
        return Permanent(f"S3 refused {what} ({status}): {why}. Look at the bucket's settings. {AS_A_JOB}")
    return Temporary(f"S3 cannot be reached while {what}: {type(error).__name__}. It will be tried again.")


def _seconds(text: object) -> float:
    return float(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10 else 0.0
