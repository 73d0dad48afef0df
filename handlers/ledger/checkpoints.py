"""Checkpoints: the ledger's signed head, taken after every decision and given to witnesses outside.

A checkpoint proves later that the entries it covers were neither changed nor cut off: `handlers.ledger.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.card.card import Card
from bot.domain.events import KeyAdded
from bot.domain.ledger.checkpoint import Checkpoint, origin_of, read_note
from bot.domain.ledger.merkle import Frontier
from bot.domain.model import DECISION, TransitionRequest, VersionId
from bot.domain.text import version_name
from bot.errors import InvalidCheckpoint, Permanent
from bot.language import _, ngettext, sentences
from bot.ports import PublicKey
from bot.services import Services
from bot.signatures import LEDGER, TrustedKey, signer_of
from bot.store.attestations import KnownKey
from bot.store.ledger import CheckpointRows, Recorded
from bot.store.transaction import Transaction
from handlers.ledger.outside import ask_witnesses
from handlers.notify.card_and_ticket import card_in_place
from handlers.notify.outbox import Write, post_once, send_all
from handlers.notify.readers import for_everyone
from handlers.notify.ticket_writes import is_from_backup


def take_checkpoint(s: Services) -> Recorded:
    """Signs the ledger as it is now, and records it. Only what is newer than the checkpoint before is read."""
    with s.store.transaction() as tx:
        _register(s.checkpoint_signer.key, tx, s)
    with s.store.transaction() as tx:
        newest = CheckpointRows(tx.connection).newest()
        frontier = _grown(newest, tx)
        if newest is not None and newest.size == frontier.size:
            return newest
        origin = origin_of(tx.ledger.get(1).leaf)
    note = s.checkpoint_signer.sign(Checkpoint(origin, frontier.size, frontier.root()))
    with s.store.transaction() as tx:
        ask_witnesses(tx, s)
        return CheckpointRows(tx.connection).add(note, frontier, s.clock.now())


def checkpoint_over(seq: int, s: Services) -> Recorded:
    """The newest one when it covers the entry, for several decisions may share one; else a fresh one."""
    with s.store.transaction() as tx:
        newest = CheckpointRows(tx.connection).newest()
    return newest if newest is not None and newest.size >= seq else take_checkpoint(s)


def witness(request_id: str, s: Services) -> None:
    """Once a decision is signed, a checkpoint covers it, and its ticket holds that where the bot cannot take it back.

    Where the rule has no tickets, the thread under the card does. When one of them is still missing, its creation leads here again.
    """
    key = f"checkpoint:{request_id}"
    with s.store.transaction() as tx:
        request = tx.requests.get(request_id)
        signed = [one.seq for one in tx.attestations.of(request_id) if one.about == DECISION]
        opens_ticket = _opens_ticket(request, tx)
        if not signed or tx.outbox.is_sent(key):
            return
        on_ticket = [key] if request.ticket is not None else []
        is_new = bool(tx.outbox.reserve_new(on_ticket, s.clock.now())) and not is_from_backup(request, tx)
    checkpoint = checkpoint_over(max(signed), s)
    with for_everyone(s):
        reply = checkpoint_card(request.version, checkpoint.size, checkpoint.note)
    ticket, said = request.ticket, reply.paragraphs[0]
    if ticket is not None:
        send_all([Write(key, lambda: s.tickets.comment(ticket, key, said, is_new=is_new))], s)
    elif not opens_ticket and (card := card_in_place(request_id, s)) is not None:
        post_once(key, card.channel, reply, s, thread=card.root)


def checkpoint_card(about: VersionId, size: int, note: str) -> Card:
    """A reply below the card; its paragraph is also the comment in the ticket, out of which `read_notes` reads the note again."""
    said = ngettext(
        "Checkpoint of the ledger after this decision: {count} entry. Keep this text: with it in a FILE, "
        "`countersign audit verify --checkpoint FILE` finds out whether anything up to here was changed since.",
        "Checkpoint of the ledger after this decision: {count} entries. Keep this text: with it in a FILE, "
        "`countersign audit verify --checkpoint FILE` finds out whether anything up to here was changed since.",
        size,
    )
    version = version_name(about)
    summary = _("A checkpoint of the ledger covers the decision on {version}.", version=version)
    text = sentences(said, note, between="\n\n")
    return Card(_("Checkpoint of the ledger"), summary, paragraphs=(text,))


def _opens_ticket(request: TransitionRequest, tx: Transaction) -> bool:
    rule = tx.policy().rule_for(request.version.workspace, request.version.model, request.target)
    return rule is not None and rule.ticket is not None


def _register(key: PublicKey, tx: Transaction, s: Services) -> None:
    """The ledger itself says from which entry on a key signs its checkpoints."""
    tx.keys.lock()
    known = tx.keys.find(key.id)
    if known is None:
        now = s.clock.now()
        seq = tx.record_now(KeyAdded(now, key.id, key.algorithm, LEDGER))
        tx.keys.add(KnownKey(key.id, LEDGER, key.algorithm, key.pem, now, seq))
    elif known.purpose != LEDGER:
        raise Permanent(
            f"key {key.id[:12]} signs approvals, and each role has a key of its own. Make another with `countersign keys new --algorithm "
            "ed25519`, name it in COUNTERSIGN_CHECKPOINT_KEY and replay this job"
        )
    elif known.retired_seq is not None:
        raise Permanent(
            f"the ledger's key {key.id[:12]} was retired at entry {known.retired_seq}, so it signs no checkpoint any more. "
            "Make another with `countersign keys new --algorithm ed25519`, name it in COUNTERSIGN_CHECKPOINT_KEY and replay this job"
        )


def _grown(newest: Recorded | None, tx: Transaction) -> Frontier:
    """The tree of all entries, grown from what was signed before: an unsigned frontier would let a rewritten past be signed."""
    before = _signed_frontier(newest, tx.keys.ring().values()) if newest else Frontier()
    size = tx.ledger.count()  # others go on writing meanwhile: what comes after this belongs to the next checkpoint
    grown = before.extended(tx.ledger.leaves(after=before.size, until=size))
    if grown.size != size:
        raise Permanent(
            f"the ledger ends at entry {size}, and {before.size} were signed before: entries are missing. "
            "Run `countersign audit verify`; nothing more is signed until they are back"
        )
    return grown


def _signed_frontier(newest: Recorded, ring: Iterable[TrustedKey]) -> Frontier:
    try:
        note, frontier = read_note(newest.note), Frontier.of_bytes(newest.size, newest.frontier)
    except (InvalidCheckpoint, ValueError) as damage:
        raise _not_built_on(newest, str(damage)) from None
    if (note.checkpoint.size, note.checkpoint.root) != (frontier.size, frontier.root()):
        raise _not_built_on(newest, "its columns do not say what was signed")
    if signer_of(note, ring) is None:
        raise _not_built_on(newest, "no key of this ledger has signed it")
    return frontier


def _not_built_on(recorded: Recorded, why: str) -> Permanent:
    return Permanent(
        f"the checkpoint of {recorded.size} entries on record is no ground to sign another on: {why}. "
        "Run `countersign audit verify`, and bring back from a backup what it names"
    )
