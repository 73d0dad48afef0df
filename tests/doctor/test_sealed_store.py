"""What `countersign doctor` says of the sealed store, on moto."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from bot.doctor.findings import Finding, Status, World
from bot.doctor.sealed_store import stores_are_ready
from bot.domain.seals.places import SealPlan
from config.policy import read_policy
from tests.builders import a_policy, a_rule
from tests.builders.policies import SMALL
from tests.fixtures.buckets import DENIED, REGION, Buckets

LOCK = "{{to: s3://{0}/, lock_for: 90d}}"
PLAIN = "s3://{0}/"


@pytest.fixture
def bucket(buckets: Buckets, aws: pytest.MonkeyPatch) -> str:
    """With versions and Object Lock."""
    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")
    name = f"prod-{buckets.bucket}"
    where = {"LocationConstraint": REGION}
    buckets.s3.create_bucket(Bucket=name, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    return name


def looked_at(seal: str) -> list[Finding]:
    policy = read_policy(SMALL.replace("    notify:", f"    seal: {seal}\n    notify:", 1))
    return list(stores_are_ready(cast(World, SimpleNamespace(policy=policy))))


def test_a_bucket_that_keeps_versions_locks_and_takes_our_files_is_fine(bucket: str, buckets: Buckets) -> None:
    (found,) = looked_at(LOCK.format(bucket))

    assert (found.status, found.why) == (Status.OK, "keeps versions, locks for 90d, and takes our files")
    assert "Versions" not in buckets.s3.list_object_versions(Bucket=bucket)
    assert "Uploads" not in buckets.s3.list_multipart_uploads(Bucket=bucket)


def test_nothing_is_said_while_no_rule_seals_and_a_place_of_two_rules_is_looked_at_once(bucket: str) -> None:
    def found(*seals: SealPlan | None) -> list[Finding]:
        policy = a_policy(*(a_rule(seal=seal) for seal in seals))
        return list(stores_are_ready(cast(World, SimpleNamespace(policy=policy))))

    plan = SealPlan(f"s3://{bucket}/")
    assert found(None) == []
    assert len(found(plan, plan, None)) == 1


def test_a_bucket_without_a_lock_is_a_warning(bucket: str) -> None:
    (found,) = looked_at(PLAIN.format(bucket))

    assert found.status is Status.WARN
    assert "nothing locks them" in found.why
    assert "add lock_for" in found.fix


def test_each_thing_that_keeps_it_from_sealing_is_named_with_what_to_do(buckets: Buckets, bucket: str) -> None:
    (missing,) = looked_at(PLAIN.format("no-such-bucket-here"))
    (unversioned,) = looked_at(PLAIN.format(buckets.bucket))
    buckets.s3.put_bucket_versioning(Bucket=buckets.bucket, VersioningConfiguration={"Status": "Enabled"})
    (lockless,) = looked_at(LOCK.format(buckets.bucket))

    assert {one.status for one in (missing, unversioned, lockless)} == {Status.FAIL}
    assert "there is no such bucket" in missing.why
    assert "Switch versioning on" in unversioned.why
    assert "Switch Object Lock on, or take lock_for out of `seal`." in lockless.why
    assert "replay" not in missing.why + unversioned.why + lockless.why


def test_an_account_without_permission_or_a_store_that_is_away_fails(
    buckets: Buckets, bucket: str, aws: pytest.MonkeyPatch
) -> None:
    stranger = buckets.user(f"stranger-{bucket}", DENIED)
    aws.setenv("AWS_ACCESS_KEY_ID", stranger.access)
    aws.setenv("AWS_SECRET_ACCESS_KEY", stranger.secret)
    with buckets.strict():
        (denied,) = looked_at(PLAIN.format(bucket))
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (away,) = looked_at(PLAIN.format(bucket))

    assert (denied.status, away.status) == (Status.FAIL, Status.FAIL)
    assert "no permission" in denied.why
    assert "docs/sealed-store.md" in denied.why
    assert "cannot be reached" in away.why
    assert "tried again" not in away.why
