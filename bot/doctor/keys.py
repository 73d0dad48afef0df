"""Checks of the private keys: the one that signs approvals, and the one that signs checkpoints of the ledger."""

from __future__ import annotations

from dataclasses import replace

from bot.assembly import absent_keys, lost_key
from bot.clients.note_keys import NEW_NOTE_KEY, read_note_key
from bot.clients.signers import read_signer
from bot.doctor.findings import Finding, Findings, World, failure, failure_as_told, fine, warning
from bot.errors import InvalidKey, KeyExposed
from bot.signatures import APPROVALS, LEDGER


def signing_key_is_ready(world: World) -> Findings:
    """Reads the private key, as only the worker does otherwise, to check that the worker's key is a registered one."""
    location = world.settings.signing_key_location
    try:
        key = read_signer(location, world.settings.hsm_pin.get_secret_value()).key
    except InvalidKey as mistake:
        yield _unusable(world, "signing key", APPROVALS, mistake)
        return
    yield from _standing(
        world,
        key.id,
        APPROVALS,
        new=warning("signing key", f"{key.id[:12]} is not registered yet", "a worker registers it when it starts"),
        counts=fine("signing key", f"{key.algorithm} {key.id[:12]} counts since ledger entry"),
        retired=failure(
            "signing key",
            f"{key.id[:12]} was retired",
            "make another with `countersign keys new --out FILE`, and name it in COUNTERSIGN_SIGNING_KEY",
        ),
    )


def checkpoints_are_signed(world: World) -> Findings:
    try:
        key = read_note_key(world.settings.checkpoint_key_path).key
    except InvalidKey as mistake:
        yield _unusable(world, "checkpoints", LEDGER, mistake)
        return
    fix = f"make another with `{NEW_NOTE_KEY}`, and name it in COUNTERSIGN_CHECKPOINT_KEY"
    yield from _standing(
        world,
        key.id,
        LEDGER,
        new=fine("checkpoints", f"key {key.id[:12]} signs them, and registers itself with the first"),
        counts=fine("checkpoints", f"key {key.id[:12]} has signed them since entry"),
        retired=failure("checkpoints", f"key {key.id[:12]} was retired", fix),
    )


def _standing(world: World, key_id: str, purpose: str, *, new: Finding, counts: Finding, retired: Finding) -> Findings:
    """What the ledger says of the key that is here: `counts` is followed by the entry since when, and `retired` by the reason."""
    with world.services.store.transaction() as tx:
        known = tx.keys.find(key_id)
    elsewhere = list(_keys_elsewhere(world, new.what, purpose, key_id))
    if elsewhere and (known is None or known.retired_seq is None):
        yield from elsewhere
    elif known is None:
        yield new
    elif known.retired_seq is not None:
        yield replace(retired, why=f"{retired.why}: {known.retired_because}")
    else:
        yield replace(counts, why=f"{counts.why} {known.added_seq}")


def _unusable(world: World, what: str, purpose: str, mistake: InvalidKey) -> Finding:
    """Before another key is made, one that the ledger knows is to be brought back."""
    with world.services.store.transaction() as tx:
        known = tx.keys.counting(purpose)
    path = absent_keys(world.settings).get(purpose)
    if known and path is not None:
        found = failure_as_told(what, lost_key(path, known[-1]))
    else:
        found = failure_as_told(what, str(mistake))
        if known and not isinstance(mistake, KeyExposed):
            back = f"the ledger knows {known[-1].id[:12]}: put the saved file of that key back"
            found = replace(found, fix=f"{back}, or {found.fix}" if found.fix else back)
    return replace(found, why=f"{found.why}, so no worker starts")


def _keys_elsewhere(world: World, what: str, purpose: str, here: str) -> Findings:
    """A key that the ledger knows, and that is not the one here: it was lost or replaced, as after a restore without the keys."""
    with world.services.store.transaction() as tx:
        others = [one.id[:12] for one in tx.keys.counting(purpose) if one.id != here]
    if others:
        yield warning(
            what,
            f"the ledger knows {others[-1]}, which is not here: {here[:12]} is",
            f"put the saved file of that key back; if it was replaced on purpose, `countersign keys retire {others[-1]} --reason TEXT`",
        )
