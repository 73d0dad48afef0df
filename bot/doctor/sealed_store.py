"""Checks of the sealed store, where a rule seals: the bucket is there, keeps versions, locks if the rule wants it, and takes our files."""

from __future__ import annotations

from bot.clients.s3.calls import AS_A_JOB
from bot.clients.s3.sealed_store import S3SealedStore
from bot.doctor.findings import Findings, World, failure, fine, warning
from bot.domain.seals.places import SealPlan
from bot.domain.text import exact_duration
from bot.errors import OutsideError, without_retries


def stores_are_ready(world: World) -> Findings:
    """Says nothing while no rule seals. Writes nothing: it begins an upload, and aborts it."""
    plans = dict.fromkeys(rule.seal for rule in world.policy.rules if rule.seal is not None)
    for plan in plans:
        yield from _store_is_ready(plan)


def _store_is_ready(plan: SealPlan) -> Findings:
    what = f"sealed store {plan.to}"
    store = S3SealedStore()
    try:
        found = store.check(plan)
        store.try_to_write(plan)
    except OutsideError as trouble:
        yield failure(what, without_retries(str(trouble)).removesuffix(AS_A_JOB).strip())
        return
    lock = f"locks for {exact_duration(plan.lock_for)}" if plan.lock_for else "its own default locks"
    if plan.lock_for is None and not found.default_mode:
        yield warning(
            what,
            "the bucket keeps versions and takes our files, and nothing locks them: accounts that may delete object versions can do so",
            "add lock_for to the rule's `seal`, or give a bucket with Object Lock a default retention",
        )
        return
    yield fine(what, f"keeps versions, {lock}, and takes our files")
