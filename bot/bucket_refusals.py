"""What S3, or the client that calls it, means by a refusal: which of the setup's parts is wrong, and what to do.

MLflow and DVC wrap the client's exceptions in their own, so the chain of causes is searched for the answer of S3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CREDENTIALS = (
    "Give this process credentials: a role, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with its file"
)
RENEW = "Renew them, and restart this process if they came from the environment"
KEYS = "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role that is used"
REGION = "Set AWS_DEFAULT_REGION (or the profile's region) to the bucket's region"
BUCKET = "Correct the bucket's name; for a store that is not Amazon's, set AWS_ENDPOINT_URL_S3 (for MLflow, MLFLOW_S3_ENDPOINT_URL)"
RIGHTS = "Grant it s3:ListBucket on the bucket and s3:GetObject on its objects, and kms:Decrypt where they are encrypted with a KMS key"
GONE = "Restore it from the bucket's versions if it has them, or write it again"


@dataclass(frozen=True)
class BucketRefusal:
    """`why` continues "the bucket cannot be read: …". `is_gone`: the bucket answers, and lacks the object.

    `is_changing`: somebody writes to the bucket at this moment, so reading it again may do.
    """

    why: str
    fix: str
    is_gone: bool = False
    is_changing: bool = False

    def __str__(self) -> str:
        return f"{self.why}. {self.fix}"


REPLACED = BucketRefusal("the object was replaced while it was read", "Try again", is_changing=True)
"""boto3 downloads a large object in parts, each of which must have the ETag of the first."""

BY_CODE = {
    "NoSuchBucket": BucketRefusal("there is no such bucket", BUCKET),
    "InvalidBucketName": BucketRefusal("there is no such bucket", BUCKET),
    "PermanentRedirect": BucketRefusal("the bucket is in another region", REGION),
    "TemporaryRedirect": BucketRefusal("the bucket is in another region", REGION),
    "AuthorizationHeaderMalformed": BucketRefusal("the bucket is in another region", REGION),
    "IllegalLocationConstraintException": BucketRefusal("the bucket is in another region", REGION),
    "400": BucketRefusal(
        "the bucket is in another region, or the session's token has expired", f"{REGION}, or renew the token"
    ),
    "301": BucketRefusal("the bucket is in another region", REGION),
    "AccessDenied": BucketRefusal("the account in use has no permission", RIGHTS),
    "AllAccessDisabled": BucketRefusal("the account in use has no permission", RIGHTS),
    "403": BucketRefusal("the account in use has no permission", RIGHTS),
    "InvalidAccessKeyId": BucketRefusal("S3 does not know the access key", KEYS),
    "SignatureDoesNotMatch": BucketRefusal("the secret key does not belong to the access key", KEYS),
    "InvalidToken": BucketRefusal("S3 does not accept the session token", KEYS),
    "ExpiredToken": BucketRefusal("the session's credentials have expired", RENEW),
    "TokenRefreshRequired": BucketRefusal("the session's credentials have expired", RENEW),
    "RequestTimeTooSkewed": BucketRefusal("this machine's clock is wrong", "Set the clock (NTP)"),
    "InvalidObjectState": BucketRefusal("the object is archived (Glacier)", "Restore it in S3 first"),
    "NoSuchKey": BucketRefusal("the object is gone", GONE, is_gone=True),
    "NoSuchVersion": BucketRefusal("that version of the object is gone", GONE, is_gone=True),
    "404": BucketRefusal("the object is gone", GONE, is_gone=True),
    "PreconditionFailed": REPLACED,
    "412": REPLACED,
}
"""By S3's error codes, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; HEAD answers with the bare status."""

BY_NAME = {
    "NoCredentialsError": BucketRefusal("no credentials were found", CREDENTIALS),
    "PartialCredentialsError": BucketRefusal("the credentials are incomplete", CREDENTIALS),
    "ProfileNotFound": BucketRefusal(
        "AWS_PROFILE names a profile that does not exist", "Correct it, or AWS_CONFIG_FILE"
    ),
    "CredentialRetrievalError": BucketRefusal(
        "the role's credentials could not be fetched", "Check the role and its trust policy"
    ),
    "TokenRetrievalError": BucketRefusal("the session's credentials have expired", RENEW),
    "S3DownloadFailedError": REPLACED,
    "UnauthorizedSSOTokenError": BucketRefusal("the session's credentials have expired", RENEW),
}
"""By the names of the clients' exceptions that have no answer of S3, because it was not asked or was asked for parts."""


def bucket_refusal(error: BaseException) -> BucketRefusal | None:
    """None when no part of the chain is a refusal that we know; a failure that may pass by itself is none.

    An answer with a code of its own says more than a bare status, which may be the answer to an earlier call.
    """
    found = [
        known
        for known in (BY_CODE.get(_code_of(one)) or BY_NAME.get(type(one).__name__) for one in _chain(error))
        if known
    ]
    return next((one for one in found if not one.is_gone), found[0] if found else None)


FAILURES = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("boto3.exceptions", "Boto3Error"),  # above all RetriesExceededError: the connection broke too often
    ("s3transfer.exceptions", "S3DownloadFailedError"),
    ("s3transfer.exceptions", "S3ValidationError"),
)
"""They have no class in common, and boto3 lets the last two pass as they are."""


def failures_of_s3() -> tuple[type[Exception], ...]:
    """What S3's client raises, for an except clause; a client that has not been imported cannot have failed."""
    return tuple(getattr(sys.modules[module], name) for module, name in FAILURES if module in sys.modules)


def _code_of(error: BaseException) -> str:
    """As botocore's ClientError keeps it; empty when it is another exception."""
    response = getattr(error, "response", None)
    said = response.get("Error") if isinstance(response, Mapping) else None
    return str(said.get("Code", "")) if isinstance(said, Mapping) else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        yield now
        now = now.__cause__ or now.__context__
