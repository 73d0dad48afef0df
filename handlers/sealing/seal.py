"""`seal`: copies exactly the approved files to the store that the rule names, before the target moves.

Level-triggered: it looks what is there and copies what is missing, so running it again, or on after a crash, is always safe. `sync_target`
waits for it (`handlers.registry.apply`). What holds a target already, when its rule begins to seal, is sealed by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.attestation.sealing import KEY_LIMIT, awaits_seal, folder_of, hinder, sealed, too_long
from bot.domain.model import EVER_APPROVED, Kind, StaleCause, State, TransitionRequest
from bot.domain.policy.rules import Policy, Rule
from bot.domain.seals.places import SealedAt
from bot.engine.lanes import FollowUp, Lane
from bot.errors import FilesUnread, OtherFiles, OutsideError, Permanent
from bot.gate.manifests import digests_in
from bot.language import recorded
from bot.ports.sealed_store import SealOrder
from bot.services import Services
from bot.store.transaction import Transaction
from handlers.attestation.proven import check_may_be_carried_out
from handlers.custody.own_keys import is_approval_believed
from handlers.registry.settling import go_stale
from handlers.request.waiting import A_WHILE, lasts, reason_of

GOES_ON = FollowUp("sync_target", Lane.MOVES)
AGAIN = "Then replay the job."


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
    due = _due(request_id, s)
    if due is None:
        return
    request = due.request
    try:
        with (
            s.store.readers.take(is_way_back=request.kind is Kind.ROLLBACK),
            s.registry_at(request.version.workspace).open_files(request.version, due.stores) as files,
        ):
            found = s.seals.seal(due.order, files)
    except OtherFiles as fault:
        why = recorded("outcome", "the artifacts are not those that were approved: {what}", what=str(fault))
        _end(request, why, s)
        return
    except FilesUnread as reason:
        said = str(reason).rstrip(".")
        why = recorded(
            "outcome", "the artifacts cannot be compared, because they were not read this time: {reason}", reason=said
        )
        _end(request, why, s)
        return
    except OutsideError as trouble:
        _tell(request_id, trouble, s)
        raise
    now = s.clock.now()
    with s.store.transaction() as tx:
        locked = tx.requests.get(request_id, for_update=True)
        events = sealed(locked, found.at, found.objects, found.lock, now)
        tx.record(events)
        if not events:
            tx.defer_for(GOES_ON, locked)


def seal_holders(_: str, s: Services) -> None:
    """By the clock: a job for each holder of a target whose approved files its rule seals and which are not sealed there.

    What hinders one is with its parked job, which is not made anew.
    """
    with s.store.transaction() as tx:
        policy = tx.policy()
        if all(rule.seal is None for rule in policy.rules):
            return
        held = {place.request_id for place in tx.registry.placements() if place.request_id}
        for request in tx.requests.some(held).values():
            rule = _rule_of(request, policy)
            if request.state is State.APPLIED and awaits_seal(request, rule) and not request.sealing.hindered:
                tx.defer("seal", request.id, f"{Lane.EVIDENCE}:{request.id}", once=True)


def _rule_of(request: TransitionRequest, policy: Policy) -> Rule | None:
    return policy.rule_for(request.version.workspace, request.version.model, request.target)


def _is_wanted(request_id: str, s: Services) -> bool:
    """Whether the approval is in force, proven, and not sealed yet."""
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        if not awaits_seal(request, _rule_of(request, tx.policy())):
            tx.defer_for(GOES_ON, request)
            return False
        is_held = request.state is State.APPLIED
        if is_held and not is_approval_believed(request, tx, s):
            raise Permanent(
                f"request {request.short_id} is approved, but no key that this worker believes has signed it. Nothing is sealed. Run "
                "`countersign audit verify`, and find out who can write to the database"
            )
    return is_held or check_may_be_carried_out(request_id, s)


def _due(request_id: str, s: Services) -> Due | None:
    """None when the version is gone, which the move finds out and says. Raises Permanent when there is nothing that could be sealed."""
    with s.store.transaction() as tx:
        version = tx.requests.get(request_id).version
    seen = s.registry_at(version.workspace).find_version(version.workspace, version.model, version.version)
    try:
        with s.store.transaction() as tx:
            request = tx.requests.get(request_id)
            if seen is None or seen.id != version:
                tx.defer_for(GOES_ON, request)
                return None
            return _ordered(request, tx, s)
    except Permanent as trouble:
        _tell(request_id, trouble, s)
        raise


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
    folder, listed = folder_of(rule.seal, request.version, artifacts.digest), digests_in(manifest, artifacts.digest)
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
    trouble = Permanent(
        f"{request.version} holds {request.target}, and {why}. Nothing is sealed. Find out who changed the files, and ask for the "
        f"version again or roll back. {AGAIN}"
    )
    _tell(request.id, trouble, s)
    raise trouble


def _tell(request_id: str, trouble: OutsideError, s: Services) -> None:
    """On the card: at once if there is no retry within a minute, else after a minute."""
    now = s.clock.now()
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id, for_update=True)
        if lasts(trouble) or now - (request.decided_at or request.opened_at) >= A_WHILE:
            tx.record(hinder(request, reason_of(trouble), now))
