"""The audit of the ledger: every change in the database is found, and named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clients.note_keys import NoteKey
from bot.clients.signers import signer_with
from bot.domain.attestation.in_toto import APPROVAL_TYPE, STATEMENT_TYPE
from bot.domain.events import (
    AccountBound,
    AccountUnbound,
    AttestationSigned,
    AwayDeclared,
    AwayEnded,
    BaselineRecorded,
    DecisionSigned,
    FastTrackSwitched,
    KeyAdded,
    KeyRetired,
    ModelGone,
    OldBaselinesListed,
    OldRecordsListed,
    PasskeyConfirmed,
    PolicyActivated,
    RequestApproved,
    RequestEvent,
    TicketOpened,
    VoteCast,
    VoteSigned,
)
from bot.domain.ledger.chain import GENESIS, head_of, leaf_of
from bot.domain.ledger.checkpoint import Checkpoint, origin_of, read_note
from bot.domain.ledger.merkle import Frontier, root_of
from bot.domain.model import DECISION, VOTE
from bot.domain.registry.watch_events import WatchBegun
from bot.errors import ChainBroken, Permanent
from bot.services import Services
from bot.signatures import APPROVALS, PAYLOAD_TYPE, digest_of, ledger_key
from bot.store.attestations import Attestation, KnownKey
from bot.store.audit import check_requests
from bot.store.ledger import CheckpointRows, LedgerRows, unhurried
from bot.store.transaction import Store, Transaction
from config.policy import read_policy
from handlers import ON
from handlers.ledger.audit import Witness, audit, prove_continuation, prove_entry
from handlers.ledger.checkpoints import checkpoint_over, take_checkpoint
from tests.builders import LATER, REQUEST_ID, TICKET, a_version, a_vote, every_event, opened
from tests.fixtures.clock import SystemClock

if TYPE_CHECKING:
    from bot.engine.jobs import Jobs

STATEMENT = {"_type": STATEMENT_TYPE, "predicateType": APPROVAL_TYPE, "subject": [], "predicate": {}}
SIGNER = signer_with(Ed25519PrivateKey.generate())
ENVELOPE = SIGNER.sign(json.dumps(STATEMENT).encode(), PAYLOAD_TYPE)
OF_ANOTHER_KEY = signer_with(Ed25519PrivateKey.generate()).sign(json.dumps(STATEMENT).encode(), PAYLOAD_TYPE)
KEY = NoteKey(Ed25519PrivateKey.generate())
HAS_A_ROW = (
    *(AttestationSigned, KeyAdded, KeyRetired, PolicyActivated, FastTrackSwitched),
    *(AccountBound, AccountUnbound, OldRecordsListed, AwayDeclared, AwayEnded, PasskeyConfirmed),
    *(WatchBegun, BaselineRecorded, OldBaselinesListed),
)  # beside its entry, which those who record it add
ELSEWHERE = [event for event in every_event() if not isinstance(event, (RequestEvent, *HAS_A_ROW))]


class OnlyTheLedger(Services):
    """What the story of the checkpoints asks for: no registry, no notifier, no tickets."""

    def __init__(self, store: Store, checkpoint_signer: NoteKey) -> None:
        clock = SystemClock()
        super().__init__(store, None, None, None, clock, None, checkpoint_signer, None, home=None)  # type: ignore[arg-type]


@pytest.fixture
def s(engine: sa.Engine, jobs: Jobs) -> Services:
    """A ledger with two requests in it, one of them decided and signed, and a checkpoint in the middle."""
    services = OnlyTheLedger(Store(engine, jobs, SystemClock(), ON, read_policy), KEY)
    with services.store.transaction() as tx:
        tx.record([opened(), *ELSEWHERE])
    take_checkpoint(services)
    with services.store.transaction() as tx:
        tx.record([opened("r2", version=a_version(8)), VoteCast(LATER, REQUEST_ID, a_vote())])
        tx.record([RequestApproved(LATER, REQUEST_ID, ("cy",), "sha256:1"), TicketOpened(LATER, REQUEST_ID, TICKET)])
        added = tx.record_now(KeyAdded(LATER, SIGNER.key.id, SIGNER.key.algorithm, APPROVALS))
        tx.keys.add(KnownKey(SIGNER.key.id, APPROVALS, SIGNER.key.algorithm, SIGNER.key.pem, LATER, added))
    keep(services, DecisionSigned(LATER, REQUEST_ID, DECISION, "", SIGNER.key.id, digest_of(ENVELOPE)), ENVELOPE)
    take_checkpoint(services)
    return services


def keep(s: Services, signed: AttestationSigned, envelope: str) -> int:
    """The envelope, and the entry that vouches for it."""
    with s.store.transaction() as tx:
        seq = tx.record_now(signed)
        tx.attestations.add(
            Attestation(
                REQUEST_ID, signed.about, signed.person, signed.key, envelope, signed.digest, seq=seq, signed_at=LATER
            )
        )
    return seq


@pytest.fixture
def as_owner(database_url: str) -> Callable[..., int]:
    """What the owner of the database can do: the triggers are disabled first. Returns how many rows it touched."""

    def execute(statement: str, *values: object) -> int:
        with psycopg.connect(database_url) as connection:
            connection.execute("alter table ledger disable trigger user")
            touched = connection.execute(statement.encode(), values).rowcount
            connection.execute("alter table ledger enable trigger user")
        return touched

    return execute


def fault(s: Services, *witnesses: Witness) -> str | None:
    try:
        audit(s.store.engine, witnesses)
    except ChainBroken as broken:
        return str(broken)
    return None


def newest(s: Services) -> Witness:
    with s.store.transaction() as tx:
        recorded = CheckpointRows(tx.connection).newest()
    assert recorded is not None
    return Witness(read_note(recorded.note), "in a ticket")


def chain_anew(as_owner: Callable[..., int], s: Services) -> None:
    """Leaves and heads as the bodies want them."""
    with s.store.engine.connect() as connection:
        rows = connection.execute(sa.text("select seq, body from ledger order by seq")).all()
    head = GENESIS
    for row in rows:
        leaf = leaf_of(row.body)
        head = head_of(head, leaf)
        as_owner("update ledger set leaf = %s, head = %s where seq = %s", leaf, head, row.seq)


def rewrite(as_owner: Callable[..., int], s: Services, seq: int) -> None:
    """Changes one entry and makes all that follows fit again, as somebody would who owns the database and knows what he does."""
    with s.store.transaction() as tx:
        entries = list(tx.ledger.entries())
    head = GENESIS
    for entry in entries:
        body = entry.body.replace("2026", "2025") if entry.seq == seq else entry.body
        at = entry.at.replace(year=2025) if entry.seq == seq else entry.at
        leaf = leaf_of(body)
        head = head_of(head, leaf)
        as_owner(
            "update ledger set body = %s, at = %s, leaf = %s, head = %s where seq = %s", body, at, leaf, head, entry.seq
        )


def test_a_ledger_that_nobody_touched_holds(s: Services) -> None:
    found = audit(s.store.engine, [newest(s)])

    with s.store.transaction() as tx:
        entries = list(tx.ledger.entries())
    assert found.entries == len(entries)
    assert found.head == entries[-1].head.hex()
    assert (found.checkpoints, found.witnesses, found.keys, found.attestations, found.requests) == (2, 1, 2, 1, 2)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_byte_that_was_changed_in_the_ledger_is_found(
    s: Services, as_owner: Callable[..., int], data: st.DataObject
) -> None:
    with s.store.transaction() as tx:
        entry = data.draw(st.sampled_from(list(tx.ledger.entries())))
    column = data.draw(st.sampled_from(["seq", "at", "kind", "body", "leaf", "head"]))
    value = getattr(entry, column)

    altered = _altered(value, data)
    as_owner(f"update ledger set {column} = %s where seq = %s", altered, entry.seq)
    found = fault(s)
    seq = altered if column == "seq" else entry.seq
    as_owner(f"update ledger set {column} = %s where seq = %s", value, seq)

    assert found is not None
    assert re.match(r"entry \d+ (was changed|is missing)", found)
    assert fault(s) is None


def _altered(value: object, data: st.DataObject) -> object:
    """The same with one byte changed: a bit of a number, a microsecond, a letter."""
    if isinstance(value, int):
        return value ^ (1 << data.draw(st.integers(5, 40)))
    if isinstance(value, bytes):
        place = data.draw(st.integers(0, len(value) - 1))
        return value[:place] + bytes([value[place] ^ data.draw(st.integers(1, 255))]) + value[place + 1 :]
    if isinstance(value, str):
        place = data.draw(st.integers(0, len(value) - 1))
        letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda new: new != value[place]))
        return value[:place] + letter + value[place + 1 :]
    return value + timedelta(microseconds=1 << data.draw(st.integers(0, 40)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("delete from ledger where seq = 4", "entry 4 is missing: the next one there is 5"),
        (
            "delete from ledger where seq > (select max(seq) - 2 from ledger)",
            r"the ledger ends at entry \d+, but the checkpoint of \d+ entries on record covers \d+: the entries after \d+ were cut off",
        ),
        (
            "update checkpoints set note = replace(note, 'countersign/', 'countersign/0')",
            r"the checkpoint of \d+ entries on record was changed: no checkpoint is in it",
        ),
        (
            "update checkpoints set frontier = frontier || '\\x00'",
            r"the checkpoint of \d+ entries on record was changed: what its row keeps of the tree",
        ),
        (
            "update checkpoints set size = size + 1 where size = (select max(size) from checkpoints)",
            r"the checkpoint of \d+ entries on record was changed: it is not the text that was signed",
        ),
        ("update keys set retired_seq = 3", "is signed by key .*, which was retired at entry 3"),
        ("delete from keys", "is not signed by a key of this ledger, or it was changed"),
        ("update keys set added_seq = 1", "the public key .* is not as the ledger's entries added and retired it"),
        (
            "update attestations set envelope = envelope || ' '",
            "the envelope of request .* is not the one that ledger entry",
        ),
        ("update attestations set person = 'ben'", "the envelope of request .* is not the one that ledger entry"),
        ("delete from attestations", r"the envelope that ledger entry \d+ vouches for is missing"),
        ("delete from requests where id = 'r2'", "request r2 is missing, and the ledger tells of it"),
        (
            "update requests set state = 'rejected' where state = 'approved'",
            "request .* was changed beside the ledger: its columns are not what its events made of it",
        ),
        (
            "update requests set body = replace(body, '\"cy\"', '\"ana\"')",
            "request .* was changed beside the ledger: its votes is not what its events made of it",
        ),
        (
            "update requests set body = '{}' where id = 'r2'",
            "request r2 was changed .*: its body cannot be read any more",
        ),
        ("update requests set id = 'r3' where id = 'r2'", "request r2 is missing"),
        (
            "insert into requests select 'r3', 'expired', workspace, model, 99, version_created, target, opened_at, expires_at, "
            "ticket_id, body from requests where id = 'r2'",
            "request r3 is nowhere in the ledger",
        ),
    ],
)
def test_whatever_was_changed_is_found_and_named(
    s: Services, as_owner: Callable[..., int], statement: str, said: str
) -> None:
    assert fault(s) is None

    assert as_owner(statement) > 0

    assert re.search(said, fault(s) or "nothing was found")


@pytest.mark.parametrize(
    ("key", "envelope", "said"),
    [
        (SIGNER.key.id, OF_ANOTHER_KEY, r"proves nothing: the envelope is signed by an unknown key"),
        (
            SIGNER.key.id,
            ENVELOPE.replace('"sig": "', '"sig": "AAAA').replace('"sig":"', '"sig":"AAAA'),
            r"proves nothing",
        ),
        ("no-such-key", ENVELOPE, r"names key no-such-key, which was never registered"),
    ],
    ids=["another key's", "nobody's", "a key that is not there"],
)
def test_an_envelope_that_nobody_of_ours_has_signed_is_found_although_its_entry_vouches_for_it(
    s: Services, key: str, envelope: str, said: str
) -> None:
    seq = keep(s, VoteSigned(LATER, REQUEST_ID, VOTE, "cy", key, digest_of(envelope)), envelope)

    assert re.search(f"the envelope that ledger entry {seq} vouches for {said}", fault(s) or "nothing was found")


def test_an_envelope_that_came_after_its_key_was_retired_is_found(s: Services) -> None:
    with s.store.transaction() as tx:
        retired = tx.record_now(KeyRetired(LATER, SIGNER.key.id, "stolen"))
        tx.keys.retire(SIGNER.key.id, retired, "stolen")
    before = fault(s)

    seq = keep(s, VoteSigned(LATER, REQUEST_ID, VOTE, "cy", SIGNER.key.id, digest_of(ENVELOPE)), ENVELOPE)

    assert before is None
    said = rf"the envelope that ledger entry {seq} vouches for is signed by key .* and was retired at entry {retired}$"
    assert re.search(said, fault(s) or "nothing was found")


def test_a_ledger_that_was_rewritten_from_its_middle_on_is_found_by_a_checkpoint(
    s: Services, as_owner: Callable[..., int]
) -> None:
    kept = newest(s)
    rewrite(as_owner, s, 3)
    on_record = fault(s)

    as_owner("delete from checkpoints")

    assert on_record is not None
    assert "entries are not those that the checkpoint of" in on_record
    assert fault(s) is None  # the chain by itself looks as good as ever
    assert re.search(
        r"entries are not those that the checkpoint of \d+ entries in a ticket was signed over", fault(s, kept) or ""
    )


def test_a_ledger_that_was_replaced_from_its_first_entry_on_is_found_by_a_checkpoint(
    s: Services, as_owner: Callable[..., int]
) -> None:
    kept = newest(s)

    rewrite(as_owner, s, 1)
    as_owner("delete from checkpoints")

    assert re.search(r"in a ticket is of the ledger countersign/\w+, and this one is", fault(s, kept) or "")


def test_a_ledger_whose_end_was_cut_off_is_found_by_a_checkpoint(s: Services, as_owner: Callable[..., int]) -> None:
    kept = newest(s)

    as_owner("delete from ledger where seq = (select max(seq) from ledger)")
    as_owner("delete from checkpoints where size = (select max(size) from checkpoints)")

    assert re.search(
        r"the ledger ends at entry \d+, but the checkpoint of \d+ entries in a ticket covers", fault(s, kept) or ""
    )


def test_a_checkpoint_that_somebody_else_has_signed_is_not_believed(s: Services) -> None:
    genuine = newest(s).note
    forged = NoteKey(Ed25519PrivateKey.generate()).sign(genuine.checkpoint)

    said = fault(s, Witness(forged, "in a ticket"))

    assert (
        said
        == f"the checkpoint of {genuine.checkpoint.size} entries in a ticket is not signed by a key of this ledger, or it was changed"
    )


def test_with_a_key_of_their_own_auditors_need_not_believe_the_database(
    s: Services, as_owner: Callable[..., int]
) -> None:
    """The owner of the database has rewritten it, and registered another key."""
    kept, forger = newest(s), NoteKey(Ed25519PrivateKey.generate())
    forged = Witness(forger.sign(kept.note.checkpoint), "in a ticket")

    with pytest.raises(ChainBroken, match="is not signed by a key of this ledger"):
        audit(s.store.engine, [forged], [ledger_key(KEY.key.pem)])

    assert audit(s.store.engine, [kept], [ledger_key(KEY.key.pem)]).witnesses == 1


def test_a_retired_key_counts_for_what_it_signed_before_and_signs_nothing_more(s: Services) -> None:
    before = newest(s)
    with s.store.transaction() as tx:
        seq = tx.record_now(KeyRetired(LATER, KEY.key.id, "it was in a backup"))
        tx.keys.retire(KEY.key.id, seq, "it was in a backup")
        leaves = list(tx.ledger.leaves())
    after = KEY.sign(Checkpoint(origin_of(leaves[0]), len(leaves), root_of(leaves)))

    assert fault(s, before) is None
    assert f"which was retired at entry {seq}" in str(fault(s, Witness(after, "in a ticket")))
    with pytest.raises(Permanent, match="was retired at entry"):
        take_checkpoint(s)


def test_checkpoints_grow_from_the_one_before_and_have_the_root_of_all(s: Services) -> None:
    with s.store.transaction() as tx:
        tx.record([opened("r3", version=a_version(9))])

    taken = take_checkpoint(s)

    with s.store.transaction() as tx:
        leaves = list(tx.ledger.leaves())
    assert taken.size == len(leaves)
    assert read_note(taken.note).checkpoint.root == root_of(leaves)
    assert taken.frontier == Frontier().extended(leaves).as_bytes()
    assert take_checkpoint(s) == taken  # nothing has happened since


class WhileOthersWrite(LedgerRows):
    """After each look at the ledger, somebody else has added an entry."""

    def __init__(self, connection: sa.Connection, write: Callable[[], None]) -> None:
        super().__init__(connection)
        self.write = write

    def count(self) -> int:
        counted = super().count()
        self.write()
        return counted

    def leaves(self, after: int = 0, until: int | None = None) -> Iterator[bytes]:
        yield from super().leaves(after, until)
        self.write()


class BusyStore(Store):
    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            tx.ledger = WhileOthersWrite(tx.connection, self.write)
            yield tx

    def write(self) -> None:
        with super().transaction() as other:
            other.record([ModelGone(LATER, "default", "churn", "it was deleted")])


def test_what_others_write_while_a_checkpoint_is_taken_belongs_to_the_next(s: Services) -> None:
    quiet = s.store
    with quiet.transaction() as tx:
        size = tx.record_now(ModelGone(LATER, "default", "churn", "it was deleted"))
    busy = BusyStore(quiet.engine, quiet.jobs, quiet.clock, quiet.follow_ups, read_policy)

    taken = take_checkpoint(OnlyTheLedger(busy, KEY))

    assert taken.size == size
    assert take_checkpoint(s).size > size
    assert fault(s) is None


def test_several_decisions_share_a_checkpoint_that_covers_them(s: Services) -> None:
    there = newest(s).note.checkpoint.size

    assert checkpoint_over(there, s).size == there
    with s.store.transaction() as tx:
        tx.record([opened("r3", version=a_version(9))])
    assert checkpoint_over(there + 1, s).size == there + 1


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "update checkpoints set frontier = decode(repeat('00', length(frontier)), 'hex')",
            "its columns do not say what was signed",
        ),
        ("update checkpoints set frontier = ''", "perfect subtrees"),
        ("update checkpoints set note = ''", "no checkpoint is in it"),
        ("delete from ledger where seq = (select max(seq) from ledger)", "entries are missing"),
    ],
)
def test_nothing_more_is_signed_over_a_past_that_was_changed(
    s: Services, as_owner: Callable[..., int], statement: str, why: str
) -> None:
    as_owner(statement)

    with pytest.raises(Permanent, match=why):
        take_checkpoint(s)


def test_every_entry_and_every_earlier_checkpoint_can_be_proved(s: Services) -> None:
    with s.store.transaction() as tx:
        count = tx.ledger.count()
        sizes = [recorded.size for recorded in CheckpointRows(tx.connection).all()]

    proofs = [prove_entry(str(seq), None, s) for seq in range(1, count + 1)]

    assert [proof.fault() for proof in proofs] == [None] * count
    assert [proof.checkpoint.checkpoint.size for proof in proofs] == [sizes[0]] * sizes[0] + [sizes[1]] * (
        count - sizes[0]
    )
    continued = prove_continuation(sizes[0], None, s)
    assert continued.fault() is None
    assert continued.checkpoint.checkpoint.size == sizes[1]


def test_a_request_stands_for_the_signed_decision_about_it(s: Services) -> None:
    proof = prove_entry(REQUEST_ID, None, s).as_plain()

    assert isinstance(proof["entry"], dict)
    assert proof["entry"]["kind"] == "DecisionSigned"
    assert f'"request_id":"{REQUEST_ID}"' in str(proof["entry"]["body"])


def test_a_ledger_in_which_everything_has_happened_can_be_replayed(engine: sa.Engine, jobs: Jobs) -> None:
    store = Store(engine, jobs, SystemClock(), ON, read_policy)

    with store.transaction() as tx:
        tx.record([event for event in every_event() if not isinstance(event, HAS_A_ROW)])

    with unhurried(engine) as connection:
        assert check_requests(connection) == 1


def test_the_bot_goes_on_writing_while_it_is_audited(s: Services) -> None:
    with s.store.transaction() as writing:
        writing.record([opened("r3", version=a_version(9))])
        writing.flush()
        during = audit(s.store.engine)

    assert during.requests == 2
    assert audit(s.store.engine).requests == 3


def test_a_ledger_that_holds_a_nul_is_verified(s: Services, as_owner: Callable[..., int]) -> None:
    """Releases before such letters were replaced wrote them. A body with half a character could never be written."""
    nul = "\\u0000"
    as_owner('update ledger set body = replace(body, \'"comment":""\', \'"comment":"a\' || %s || \'b"\')', nul)
    as_owner('update requests set body = replace(body, \'"comment": ""\', \'"comment": "a\' || %s || \'b"\')', nul)
    as_owner("delete from checkpoints")

    chain_anew(as_owner, s)

    assert fault(s) is None
