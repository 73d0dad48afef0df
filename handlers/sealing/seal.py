"""`seal`: copies exactly the approved files to the store that the rule names, before the target moves.

Level-triggered: it looks what is there and copies what is missing, so running it again, or on after a crash, is always safe. `sync_target`
waits for it (`handlers.registry.apply`). What holds a target already, when its rule begins to seal, is sealed by the clock, after all that
people wait for (`seal_holder`), and keeps that seal when the rule names another place later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.attestation.sealing import KEY_LIMIT, awaits_seal, folder_of, hinder, sealed, too_long
from bot.domain.model import EVER_APPROVED, Kind, StaleCause, State, TargetKind, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.seals.places import SealedAt
from bot.engine.lanes import FollowUp, Lane
from bot.errors import FilesUnread, OtherFiles, OutsideError, Permanent
from bot.gate.manifests import digests_in
from bot.language import recorded
from bot.ports.sealed_store import Sealed, SealOrder
from bot.services import Services
from bot.store.registry import Placement
from bot.store.transaction import Transaction
from handlers.attestation.proven import check_may_be_carried_out
from handlers.custody.facts import as_called_now
from handlers.custody.own_keys import is_approval_believed
from handlers.registry.settling import go_stale
from handlers.request.waiting import A_WHILE, lasts, reason_of

GOES_ON = FollowUp("sync_target", Lane.MOVES)
AGAIN = "Then replay the job."
ITS_EFFECTS = ("seal", "seal_holder")


@dataclass(frozen=True)
class Due:
    """A request whose files have yet to be sealed, and how."""

    request: TransitionRequest
    order: SealOrder
    stores: tuple[str, ...]


def seal(request_id: str, s: Services) -> None:
    """Seals the files of an approval that is proven, and lets its move go on."""
    if not _is_wanted(request_id, s):
        return
    with _telling(request_id, s):
        due = _due(request_id, s)
    if due is None:
        return
    request = due.request
    with s.store.readers.take(is_way_back=request.kind is Kind.ROLLBACK), _telling(request_id, s):
        found = _copied(due, s)
    if found is None:
        return
    now = s.clock.now()
    with s.store.transaction() as tx:
        locked = tx.requests.get(request_id, for_update=True)
        events = sealed(locked, found.at, found.objects, found.lock, now)
        tx.record(events)
        if not events:
            tx.defer_for(GOES_ON, locked)


def seal_holder(request_id: str, s: Services) -> None:
    """As `seal`, for what holds its target already: it runs after all that people wait for."""
    seal(request_id, s)


def seal_holders(_: str, s: Services) -> None:
    """By the clock: a job for each holder of a target whose approved files its rule seals and which are not sealed anywhere.

    A job that is parked is sent back once for each policy, which may name another bucket; else it waits for a person, and no other is made.
    """
    with s.store.transaction() as tx:
        active = tx.policies.active()
        held = {one.request_id for one in tx.registry.placements() if one.request_id and _may_seal(one, active.policy)}
        waiting = [one for one in tx.requests.some(held).values() if _is_unsealed_holder(one, tx)]
        busy = frozenset[str]().union(*(tx.unfinished(effect) for effect in ITS_EFFECTS)) if waiting else frozenset()
        parked = tx.parked(ITS_EFFECTS) if waiting else frozenset()
        for request in waiting:
            if request.id in busy:
                continue
            is_first_under_policy = tx.outbox.is_new_tick("seal_holder", f"{request.id}/{active.id}", s.clock.now())
            if request.id not in parked:
                tx.defer("seal_holder", request.id, f"{Lane.EVIDENCE}:{request.id}", once=True)
            elif is_first_under_policy:
                tx.replay_parked_of(ITS_EFFECTS, request.id)


def _may_seal(place: Placement, policy: Policy) -> bool:
    """False when no rule for the target seals. What is in a target model was asked for under another name, so its rule is found later."""
    if place.target.kind is TargetKind.MODEL:
        rules = (one for one in policy.rules if one.covers_copies_into(place.version.workspace, place.target.name))
        return any(one.seal is not None for one in rules)
    rule = policy.rule_for(place.version.workspace, place.version.model, place.target)
    return rule is not None and rule.seal is not None


def _is_unsealed_holder(request: TransitionRequest, tx: Transaction) -> bool:
    return request.state is State.APPLIED and awaits_seal(request, _rule_of(as_called_now(request, tx), tx.policy()))


def _rule_of(request: TransitionRequest, policy: Policy) -> Rule | None:
    return policy.rule_for(request.version.workspace, request.version.model, request.target)


def _is_wanted(request_id: str, s: Services) -> bool:
    """Whether the approval is in force, and proven unless it is applied, and not sealed yet."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if not awaits_seal(request, _rule_of(as_called_now(request, tx), tx.policy())):
            tx.defer_for(GOES_ON, request)
            return False
    return request.state is State.APPLIED or check_may_be_carried_out(request_id, s)


def _due(request_id: str, s: Services) -> Due | None:
    """None when the version is gone, which the move finds out and says. Raises Permanent when there is nothing that could be sealed."""
    with s.store.transaction() as tx:
        recorded_as = tx.requests.get(request_id)
        version = as_called_now(recorded_as, tx).version
        if recorded_as.state is State.APPLIED and not is_approval_believed(recorded_as, tx, s):
            raise Permanent(
                f"request {recorded_as.short_id} is approved, but no key that this worker believes has signed it. Nothing is sealed. Run "
                "`countersign audit verify`, and find out who can write to the database"
            )
    seen = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
    with s.store.transaction() as tx:
        recorded_as = tx.requests.get(request_id)
        if seen is None or seen.id != version:
            tx.defer_for(GOES_ON, recorded_as)
            return None
        return _ordered(as_called_now(recorded_as, tx), tx, s)


def _copied(due: Due, s: Services) -> Sealed | None:
    """None when the approval has ended, because the files are other ones or cannot be compared."""
    request = due.request
    try:
        with s.registry_at(request.version.workspace).open_files(request.version, due.stores) as files:
            return s.seals.seal(due.order, files)
    except OtherFiles as fault:
        why = recorded("outcome", "the artifacts are not those that were approved: {what}", what=str(fault))
    except FilesUnread as reason:
        said = str(reason).rstrip(".")
        why = recorded(
            "outcome", "the artifacts cannot be compared, because they were not read this time: {reason}", reason=said
        )
    _end(request, why, s)
    return None


def _ordered(request: TransitionRequest, tx: Transaction, s: Services) -> Due | None:
    policy = tx.policy()
    rule = _rule_of(request, policy)
    if rule is None or rule.seal is None:
        return None
    artifacts = request.evidence.artifacts if request.evidence else None
    manifest = tx.manifests.find(artifacts.digest) if artifacts else None
    if artifacts is None or manifest is None:
        raise Permanent(
            f"The approval of {request.version} names no list of its files, because the bot did not read them, so there is nothing to "
            "seal. Add their store to the policy's artifact_stores, and ask for the version again."
        )
    try:
        listed = digests_in(manifest, artifacts.digest)
    except OtherFiles as fault:
        raise Permanent(
            f"{request.version} was approved by its list of files, and {fault}: somebody has changed it in the database. Nothing is "
            "sealed. Run `countersign audit verify`, and find out who can write to the database"
        ) from fault
    folder = folder_of(rule.seal, request.version, artifacts.digest)
    unfit = too_long(folder, listed)
    if unfit is not None:
        raise Permanent(
            f"The name of the file {unfit[:200]} is too long for the store, which allows {KEY_LIMIT} bytes with the folder before it. "
            "Log the model again with shorter names, and ask for that version."
        )
    until = None
    if rule.seal.lock_for is not None:
        until = (s.clock.now() + rule.seal.lock_for + timedelta(seconds=1)).replace(microsecond=0)
    order = SealOrder(
        rule.seal, folder, artifacts.digest, listed, until, _earlier(request, rule.seal.bucket, folder, tx)
    )
    return Due(request, order, policy.artifact_stores)


def _earlier(request: TransitionRequest, bucket: str, folder: str, tx: Transaction) -> SealedAt | None:
    """Where an earlier approval has sealed the same files: a way back copies nothing."""
    approved = tx.requests.find(version=request.version, states=EVER_APPROVED)
    seals = [one.sealing.seal for one in approved if one.sealing.seal is not None]
    here = [one for one in seals if (one.at.bucket, one.at.folder) == (bucket, folder)]
    newest = max(here, key=lambda one: one.sealed_at, default=None)
    return newest.at if newest else None


def _end(request: TransitionRequest, why: str, s: Services) -> None:
    """The files are not what people have approved: as for every change since, the approval is not applied, and is asked anew.

    What holds the target already stays there, and its gate refuses it.
    """
    if request.state is State.APPROVED:
        with s.store.turns.take(request.version.workspace, request.target_model):
            go_stale(request, why, StaleCause.FILES, s)
        return
    raise Permanent(
        f"{request.version} holds {request.target}, and {why}. Nothing is sealed. Find out who changed the files, and ask for the "
        f"version again or roll back. {AGAIN}"
    )


@contextmanager
def _telling(request_id: str, s: Services) -> Iterator[None]:
    """Re-raises every error. The card says it at once if there is no retry within a minute, else after a minute."""
    try:
        yield
    except OutsideError as trouble:
        now = s.clock.now()
        with s.store.transaction() as tx:
            request = tx.requests.get(request_id, for_update=True)
            if lasts(trouble) or now - (request.decided_at or request.opened_at) >= A_WHILE:
                tx.record(hinder(request, reason_of(trouble), now))
        raise
