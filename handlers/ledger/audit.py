"""The audit: does everything in the database still follow from the ledger, and the ledger from what was signed over it?

Everything is read in one picture of the database and streamed, so that the size of the ledger costs time and no memory. The first thing
that does not hold ends the audit with its sentence.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.domain.ledger.audit import Claim, walk
from bot.domain.ledger.chain import Entry
from bot.domain.ledger.checkpoint import Note, read_note
from bot.domain.ledger.merkle import consistency_proof, inclusion_proof
from bot.domain.ledger.proofs import Continuation, Inclusion, Proof
from bot.domain.model import DECISION
from bot.domain.policy.rules import Policy
from bot.errors import ChainBroken, InvalidCheckpoint, NotFound, Refused
from bot.ports import OutsideWitness
from bot.ports.progress import Report, silent
from bot.services import Services
from bot.signatures import TrustedKey, signer_of
from bot.store.attestations import KeyRows, KnownKey
from bot.store.audit import check_attestations, check_keys, check_requests
from bot.store.ledger import CheckpointRows, LedgerRows, Recorded, unhurried
from bot.store.record_checks import differences
from handlers.ledger.outside import Witnessed, check_witnessed

MOST_SHOWN = 50  # differences in one report
SHOWN_EACH = 100  # entries


@dataclass(frozen=True)
class Witness:
    """A past checkpoint that was kept outside; `where` says where it was found."""

    note: Note
    where: str


@dataclass(frozen=True)
class Audited:
    """What was looked at, and all of it held. `head` is in hex, `root` in base64, as in a checkpoint."""

    entries: int
    head: str
    root: str
    checkpoints: int
    witnesses: int
    keys: int
    attestations: int
    requests: int
    outside: tuple[Witnessed, ...] = ()


def audit(
    engine: sa.Engine,
    witnesses: Sequence[Witness] = (),
    trusted: Sequence[TrustedKey] = (),
    outside: Sequence[OutsideWitness] = (),
    now: datetime | None = None,
    read_policy: Callable[[str], Policy] | None = None,
    demanded: Collection[str] = (),
    report: Report = silent,
) -> Audited:
    """`trusted` are the keys that witnesses are believed by, in place of those in the database. Raises ChainBroken.

    `outside` are witnesses that must have signed our checkpoints until a day before `now`; those named in `demanded` also when they are
    new. `read_policy` turns a policy's text into a Policy, for the names in earlier policies.
    """
    with unhurried(engine) as connection:
        known = {key.id: key for key in KeyRows(connection).all()}
        ring = KeyRows(connection).ring()
        claimed = [_claimed(witness, trusted or ring.values(), {} if trusted else known) for witness in witnesses]
        on_record = (_recorded(row, ring.values(), known) for row in CheckpointRows(connection).all())
        claims = heapq.merge(sorted(claimed, key=_size), on_record, key=_size)
        walked = walk(_watched(LedgerRows(connection), report), claims)
        report("comparing keys, approvals and requests with the ledger")
        found = Audited(
            entries=walked.frontier.size,
            head=walked.head.hex(),
            root=base64.b64encode(walked.frontier.root()).decode(),
            checkpoints=walked.checkpoints - len(witnesses),
            witnesses=len(witnesses),
            keys=check_keys(connection),
            attestations=check_attestations(connection),
            requests=check_requests(connection),
            outside=tuple(check_witnessed(connection, outside, now or datetime.now(UTC), demanded)) if outside else (),
        )
        differing = list(differences(connection, read_policy))
        if differing:
            raise ChainBroken(_as_sentence(differing))
        return found


def _watched(rows: LedgerRows, report: Report) -> Iterator[Entry]:
    total = rows.count()
    for entry in rows.whole():
        if entry.seq % SHOWN_EACH == 0:
            report(f"checking entry {entry.seq:,} of {total:,}")
        yield entry


def _as_sentence(differing: Sequence[str]) -> str:
    """One on each line."""
    more = [f"and {len(differing) - MOST_SHOWN} more"] if len(differing) > MOST_SHOWN else []
    rows = "1 row was" if len(differing) == 1 else f"{len(differing)} rows were"
    return "\n  ".join([f"{rows} changed beside the ledger:", *differing[:MOST_SHOWN], *more])


def prove_entry(entry: str, size: int | None, s: Services) -> Proof:
    """`entry` is its number, or a request's id, which means the signed decision about it. Raises Refused."""
    with unhurried(s.store.engine) as connection:
        rows = LedgerRows(connection)
        seq = int(entry) if entry.isascii() and entry.isdecimal() and len(entry) < 19 else _decision_on(entry, s)
        if not 1 <= seq <= rows.count():
            raise NotFound(f"there is no entry {seq}: the ledger has {rows.count()}, and they are counted from 1")
        checkpoint = _checkpoint_for(seq, size, connection)
        path = inclusion_proof(seq - 1, checkpoint.checkpoint.size, rows.leaves())
        return Inclusion(rows.get(seq), path, checkpoint)


def prove_continuation(before: int, size: int | None, s: Services) -> Proof:
    """That the checkpoint of `size`, or else the newest, continues the one of `before` entries. Raises Refused."""
    with unhurried(s.store.engine) as connection:
        earlier = _checkpoint_for(before, before, connection)
        newest = CheckpointRows(connection).newest()
        later = _checkpoint_for(before, size or (newest.size if newest else before), connection)
        path = consistency_proof(before, later.checkpoint.size, LedgerRows(connection).leaves())
        return Continuation(earlier, path, later)


def _decision_on(request_id: str, s: Services) -> int:
    with s.store.transaction() as tx:
        request = tx.requests.get(tx.requests.full_id(request_id))
        signed = [one.seq for one in tx.attestations.of(request.id) if one.about == DECISION]
    if not signed:
        raise Refused(
            f"request {request.short_id} is {request.state}, and no decision on it was signed. Name an entry by its number"
        )
    return max(signed)


def _checkpoint_for(seq: int, size: int | None, connection: sa.Connection) -> Note:
    found = CheckpointRows(connection).first_over(max(seq, size or 0))
    if found is None:
        raise Refused(
            f"no checkpoint covers entry {max(seq, size or 0)} yet. Make one with `countersign audit checkpoint`"
        )
    if size is not None and found.size != size:
        raise Refused(
            f"no checkpoint of {size} entries was signed; the next one has {found.size}. Say --size {found.size}"
        )
    return read_note(found.note)


def _size(claim: Claim) -> int:
    return claim.checkpoint.size


def _claimed(witness: Witness, keys: Iterable[TrustedKey], known: Mapping[str, KnownKey]) -> Claim:
    whose = f"the checkpoint of {witness.note.checkpoint.size} entries {witness.where}"
    _check_signed(witness.note, whose, keys, known)
    return Claim(witness.note.checkpoint, whose)


def _recorded(row: Recorded, keys: Iterable[TrustedKey], known: Mapping[str, KnownKey]) -> Claim:
    whose = f"the checkpoint of {row.size} entries on record"
    try:
        note = read_note(row.note)
    except InvalidCheckpoint as damage:
        raise ChainBroken(f"{whose} was changed: {damage}") from None
    if str(note) != row.note or note.checkpoint.size != row.size:
        raise ChainBroken(f"{whose} was changed: it is not the text that was signed")
    _check_signed(note, whose, keys, known)
    return Claim(note.checkpoint, whose, row.frontier)


def _check_signed(note: Note, whose: str, keys: Iterable[TrustedKey], known: Mapping[str, KnownKey]) -> None:
    """A retired key counts for the entries before it was retired, and for none after."""
    signer = signer_of(note, keys)
    if signer is None:
        raise ChainBroken(f"{whose} is not signed by a key of this ledger, or it was changed")
    key = known.get(signer.id)
    if key is not None and key.retired_seq is not None and note.checkpoint.size >= key.retired_seq:
        raise ChainBroken(f"{whose} is signed by key {key.id[:12]}, which was retired at entry {key.retired_seq}")
