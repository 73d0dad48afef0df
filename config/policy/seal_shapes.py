"""The shape of a rule's `seal`: the bucket that approved files are copied to before the target moves."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from bot.domain.seals.places import SCHEME, SealPlan
from config.policy.times import Duration
from config.policy.values import Shape

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"([A-Za-z0-9!_.*'()=-]+/)*")
PREFIX_LIMIT = 200
SHORTEST_LOCK = timedelta(days=1)
LONGEST_LOCK = timedelta(days=36_500)  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
EXAMPLE = "s3://prod-models/"


def _place(text: str) -> str:
    if not text.startswith(SCHEME):
        raise ValueError(f'must be a place in a bucket of S3, for example "{EXAMPLE}", not "{text[:80]}"')
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    if not BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ValueError(f'must name a bucket as S3 does, for example "{EXAMPLE}", not "{text[:80]}"')
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    steps = prefix.split("/")
    if not PREFIX.fullmatch(prefix) or len(prefix) > PREFIX_LIMIT or {".", ".."} & set(steps):
        raise ValueError(
            f"must go on with a plain prefix of at most {PREFIX_LIMIT} letters, digits, - and _, for example "
            f'"{EXAMPLE}bikes/", not "{text[:80]}"'
        )
    return f"{SCHEME}{bucket}/{prefix}"


def _lockable(duration: timedelta) -> timedelta:
    if duration < SHORTEST_LOCK:
        raise ValueError('must be at least "1d": the store counts locks in days')
    if duration > LONGEST_LOCK:
        raise ValueError(f'must be at most "{LONGEST_LOCK.days}d": S3 locks an object for 100 years at the most')
    return duration


def _written_out(value: object) -> object:
    """`seal: s3://prod-models/` is short for `seal: {to: s3://prod-models/}`."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"to": value}
    raise ValueError(f'must be the place to copy to, such as "{EXAMPLE}", or a mapping with `to` and `lock_for`')


class _OrText:
    """Tells editors that the text alone is enough."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


class SealShape(Shape):
    """Where the approved files are copied to before the target moves, so that what was approved is what is served."""

    to: Annotated[str, AfterValidator(_place)]
    """The bucket, with a prefix if you like, for example s3://prod-models/bikes/. Only the bot may write there."""
    lock_for: Annotated[Duration, AfterValidator(_lockable)] | None = None
    """How long no one can delete the objects, for example 365d; needs a bucket with Object Lock. Without it, the bucket's own default."""

    def as_plan(self) -> SealPlan:
        return SealPlan(self.to, self.lock_for)


Seal = Annotated[SealShape, BeforeValidator(_written_out), _OrText]
