"""Whether the keys in this environment may write to a bucket, tried so that nothing can be written.

A part is sent to an upload that was never begun: S3 looks at the right to write (s3:PutObject) first, and then finds no such upload.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
"""

from __future__ import annotations

from bot.bucket_refusals import bucket_refusal
from bot.errors import NotTried

SECONDS = 5
NAME = "countersign-doctor"
REFUSED = frozenset({"AccessDenied", "403", "AllAccessDisabled"})


def may_write(location: str, endpoint: str = "") -> bool:
    """`location` is such as s3://bucket/prefix. Raises NotTried."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise NotTried("boto3 is not installed here") from None
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    patience = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    try:
        boto3.session.Session().client("s3", endpoint_url=endpoint or None, config=patience).upload_part(
            Bucket=bucket,
            Key=f"{prefix.rstrip('/')}/{NAME}".lstrip("/"),
            UploadId=NAME,
            PartNumber=1,
            Body=b"",
        )
    except ClientError as answer:
        code = str(answer.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchUpload":
            return True
        if code in REFUSED:
            return False
        raise NotTried(_reason(answer)) from answer
    except BotoCoreError as trouble:
        raise NotTried(_reason(trouble)) from trouble
    return True  # by no rule of S3; but then it would have been written


def _reason(trouble: Exception) -> str:
    refusal = bucket_refusal(trouble)
    return refusal.why if refusal else type(trouble).__name__
