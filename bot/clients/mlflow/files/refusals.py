"""What the failures of the stores' clients mean: which can never be read, what the account lacks, and what may pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from bot.bucket_refusals import BucketRefusal, bucket_refusal, failures_of_s3
from bot.clients.mlflow.http import TRY_AGAIN, fix_for, reading
from bot.errors import FilesUnread, Permanent, Temporary

NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "ClientAuthenticationError",
}
SDK_FAILURES = (
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
    ("paramiko.ssh_exception", "SSHException"),
    ("ftplib", "Error"),
)
"""What the stores' own clients raise beside OSError. Which of them are installed is the operator's choice."""

SDKS = {
    "botocore": "boto3",
    "google.cloud": "google-cloud-storage",
    "azure": "azure-storage-blob and azure-identity",
    "HadoopFileSystem": "pyarrow",
}
"""What to install for the name that was missing, where the two differ."""


@contextmanager
def asking_store(what: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    with reading(what):
        try:
            yield
        except (ImportError, NameError) as error:  # MLflow's HDFS repository swallows the first and meets the second
            sdk = SDKS.get(error.name or "", error.name)
            raise FilesUnread(
                f"The files were not read: their store is read with the Python package {sdk}, which is not installed. "
                "Install it beside the worker."
            ) from error
        except _failures_of_stores() as error:
            raise _meaning_of(error, what) from error
        except MlflowException as error:
            refusal = bucket_refusal(error)
            if refusal is not None:
                raise _refused(refusal, what) from error
            if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                raise _not_handed_out(what) from error
            raise


def _refused(refusal: BucketRefusal, what: str) -> Exception:
    """Only listed files are read, so one that is gone was deleted since, by somebody who is about to write it again."""
    if refusal.is_gone or refusal.is_changing:
        return Temporary(f"The bucket was written to while {what}: {refusal.why}. It will be read again.")
    return FilesUnread(f"The files were not read ({what}): {refusal}.")


def _failures_of_stores() -> tuple[type[Exception], ...]:
    """A client that has not been imported cannot have failed."""
    of_sdks = (getattr(sys.modules[module], name) for module, name in SDK_FAILURES if module in sys.modules)
    return (OSError, EOFError, *failures_of_s3(), *of_sdks)


def _meaning_of(error: Exception, what: str) -> Exception:
    """The error's own text may hold addresses with passwords, so it stays in the cause."""
    refusal = bucket_refusal(error)
    if refusal is not None:
        return _refused(refusal, what)
    status = status_of(error)
    if type(error).__name__ in NO_CREDENTIALS or (status in (401, 403) and not isinstance(error, requests.HTTPError)):
        return FilesUnread(
            f"The files were not read: the artifact store did not let the worker in ({status or type(error).__name__}). "
            "Give it credentials that may read them."
        )
    if status in (401, 403):
        fix = {401: fix_for(401), 403: "Give the bot's account the right to read these files."}[status]
        return Permanent(f"The artifact store refused {what} ({status}). {fix}")
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return _not_handed_out(what)
    reason = str(status) if status else getattr(error, "strerror", None) or type(error).__name__
    return Temporary(f"The artifact store failed while {what}: {reason}. It will be tried again.")


def status_of(error: Exception) -> int:
    """Of an HTTP answer, as requests or as botocore's ClientError keep it; 0 when there was none."""
    response = getattr(error, "response", None)
    if isinstance(
        response, Mapping
    ):  # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/error-handling.html
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return int(getattr(response, "status_code", 0) or 0)


def _not_handed_out(what: str) -> FilesUnread:
    return FilesUnread(
        f"MLflow lists the files but does not hand them out ({what}): one is gone, is a link, or has a name that MLflow cannot ask "
        "for. Log the model again without it and register that."
    )
