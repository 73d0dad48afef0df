"""Checks of what keeps the ledger honest: a role that cannot change it, and a key that signs its checkpoints."""

from __future__ import annotations

from bot.doctor.findings import Findings, World, failure, fine, warning
from bot.errors import Permanent
from bot.store.roles import powers_of


def ledger_is_out_of_reach(world: World) -> Findings:
    with world.services.store.engine.connect() as connection:
        powers = powers_of(connection)
    if powers.owns or powers.changes:
        yield warning(
            "ledger",
            f'the bot\'s own role "{powers.role}" could change it, for one role owns all',
            "give DATABASE_URL a role of its own, put the owner's into DATABASE_OWNER_URL, and run `countersign migrate`",
        )
    else:
        yield fine("ledger", f'"{powers.role}" can append to it, and neither change nor cut it')


def checkpoints_are_signed(world: World) -> Findings:
    mend = "make a key with `countersign keys new --algorithm ed25519 --out FILE`, and name it in COUNTERSIGN_CHECKPOINT_KEY"
    try:
        key = world.services.checkpoint_signer.key
    except Permanent as trouble:
        yield failure("checkpoints", str(trouble).partition(". Checkpoints want")[0], mend)
        return
    with world.services.store.transaction() as tx:
        known = tx.keys.find(key.id)
    if known is None:
        yield fine("checkpoints", f"key {key.id[:12]} signs them, and registers itself with the first")
    elif known.retired_seq is not None:
        yield failure("checkpoints", f"key {key.id[:12]} was retired: {known.retired_because}", mend)
    else:
        yield fine("checkpoints", f"key {key.id[:12]} has signed them since entry {known.added_seq}")
