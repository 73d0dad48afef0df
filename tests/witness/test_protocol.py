"""What the witness cosigns, and what it refuses: by the protocol alone, without HTTP."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.keys import public_key_of
from bot.clients.note_keys import NoteKey
from bot.clients.witnesses import CosigningWitness
from bot.domain.ledger.checkpoint import Checkpoint, Note, read_note, read_notes
from bot.domain.ledger.cosignature import WitnessKey, cosignatures_in
from bot.domain.ledger.merkle import consistency_proof, root_of
from bot.errors import InvalidCheckpoint, NotVerified, Refused
from bot.signatures import ledger_key
from bot.witness.protocol import Answer, WitnessSigner, add_checkpoint
from bot.witness.state import Seen

LEDGER, NEXT, ANOTHER, STRANGER = (NoteKey(Ed25519PrivateKey.generate()) for _ in range(4))
LOGS = [ledger_key(one.key.pem) for one in (LEDGER, NEXT, ANOTHER)]
WITNESS = WitnessSigner("witness.example.com", Ed25519PrivateKey.generate())
ORIGIN = "countersign/0123456789abcdef"
NOON = 1_780_000_000


def leaves(count: int, flavour: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{flavour}{number}".encode()).digest() for number in range(count)]


def head(count: int, flavour: str = "", origin: str = ORIGIN, key: NoteKey = LEDGER) -> Note:
    return key.sign(Checkpoint(origin, count, root_of(leaves(count, flavour))))


def body(before: int, note: Note | str, proof: Sequence[bytes] = ()) -> bytes:
    lines = [f"old {before}", *(base64.b64encode(step).decode() for step in proof)]
    return ("\n".join(lines) + f"\n\n{note}").encode()


def proof(before: int, count: int, flavour: str = "") -> tuple[bytes, ...]:
    return consistency_proof(before, count, leaves(count, flavour))


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path / "witness.notes")


def ask(seen: Seen, sent: bytes, seconds: int = NOON) -> Answer:
    return add_checkpoint(sent, LOGS, seen, WITNESS, seconds)


def test_a_ledger_that_grows_is_cosigned_at_each_size(seen: Seen) -> None:
    first = ask(seen, body(0, head(3)))
    second = ask(seen, body(3, head(8), proof(3, 8)), NOON + 60)
    again = ask(seen, body(8, head(8)), NOON + 61)

    assert [one.status for one in (first, second, again)] == [200, 200, 200]
    witness = CosigningWitness(WITNESS.key)
    assert witness.check(head(3), first.text).timestamp() == NOON
    assert witness.check(head(8), second.text).timestamp() == NOON + 60
    with pytest.raises(NotVerified, match="is not over this checkpoint"):
        witness.check(head(8), first.text)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (body(5, head(8, "other"), proof(5, 8, "other")), 422),
        (body(5, head(8), proof(5, 8, "other")), 422),
        (body(5, head(8)), 422),
        (body(5, head(5, "other")), 409),
        (body(0, head(8)), 409),
        (body(3, head(8), proof(3, 8)), 409),
        (body(5, head(3)), 400),
        (body(3, head(3)), 409),
        (body(5, head(8, key=STRANGER), proof(5, 8)), 403),
        (body(5, str(head(8)).replace("\n8\n", "\n9\n"), proof(5, 8)), 403),
        (body(0, head(8, origin="countersign/fedcba9876543210"), proof(3, 8)), 422),
        (b"old 5\n\n", 400),
        (b"old -5\n\n" + str(head(8)).encode(), 400),
        (b"old 05\n\n" + str(head(8)).encode(), 400),
        (body(5, head(8), [b"short"]), 400),
        (body(5, head(8), [bytes(32)] * 64), 400),
        (body(5, f"text before\n{head(8)}", proof(5, 8)), 400),
        (b"\xff", 400),
        (b"", 400),
    ],
)
def test_nothing_else_is_cosigned_and_what_was_seen_stays(seen: Seen, sent: bytes, status: int) -> None:
    ask(seen, body(0, head(5)))
    before = seen.text()

    answer = ask(seen, sent)

    assert answer.status == status
    assert cosignatures_in(answer.text) == ()
    assert seen.text() == before
    assert answer.content_type != "text/x.tlog.size" or answer.text == "5\n"


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: f"old 0\n\n{text}".encode()))
def test_no_body_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, sent: bytes) -> None:
    answer = ask(Seen(tmp_path_factory.getbasetemp() / "never.notes"), sent)

    assert answer.status == 400


def test_what_was_seen_is_kept_for_each_ledger_and_serves_an_audit_as_it_is(seen: Seen) -> None:
    other = "countersign/fedcba9876543210"
    ask(seen, body(0, head(3)))
    ask(seen, body(0, head(4, "b", other, ANOTHER)))
    ask(seen, body(3, head(8), proof(3, 8)))

    again = Seen(seen.path)
    with again.locked() as known:
        sizes = {note.checkpoint.origin: note.checkpoint.size for note in known}

    assert sizes == {ORIGIN: 8, other: 4}
    assert [note.checkpoint.size for note in read_notes(again.text())] == [8, 4]
    assert len(cosignatures_in(again.text())) == 2


def test_a_ledger_that_was_rewritten_from_its_first_entry_is_refused_also_after_its_key_was_replaced(
    seen: Seen,
) -> None:
    """Its name comes from its first entry, so to a witness that only knew names it would be a new ledger."""
    rewritten = "countersign/fedcba9876543210"
    ask(seen, body(0, head(3)))
    first = ask(seen, body(0, head(3, "other", rewritten)))
    replaced = ask(seen, body(3, head(8, key=NEXT), proof(3, 8)))
    again = [ask(seen, body(0, head(8, "other", rewritten, key))) for key in (LEDGER, NEXT)]
    goes_on = ask(seen, body(8, head(9, key=NEXT), proof(8, 9)))

    assert [one.status for one in (first, *again)] == [422] * 3
    assert f"This ledger's key has signed {ORIGIN}" in first.text
    assert [replaced.status, goes_on.status] == [200, 200]
    assert rewritten not in seen.text()


@pytest.mark.parametrize("damage", ["rubbish", "cut", "another line"])
def test_a_damaged_file_is_never_begun_anew(seen: Seen, damage: str) -> None:
    ask(seen, body(0, head(5)))
    text = seen.text()
    seen.path.write_text({"rubbish": "rubbish", "cut": text[:60], "another line": f"{text}more\n"}[damage])

    with pytest.raises(Refused, match="is damaged"):
        ask(seen, body(0, head(8, "other")))


def test_of_two_histories_at_one_moment_only_one_is_cosigned(seen: Seen) -> None:
    """Each asker has the file open for itself, as another process would."""
    ask(seen, body(0, head(5)))
    forks = [[*leaves(5), *leaves(4, flavour)] for flavour in ("one", "two")]
    heads = [LEDGER.sign(Checkpoint(ORIGIN, 9, root_of(fork))) for fork in forks]
    sent = [body(5, note, consistency_proof(5, 9, fork)) for note, fork in zip(heads, forks, strict=True)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: ask(Seen(seen.path), one).status, sent * 8))

    assert sorted(set(answers)) == [200, 409]
    assert answers.count(200) == 1


def test_a_key_is_read_as_it_is_printed_and_damage_is_noticed() -> None:
    key = WITNESS.key

    assert WitnessKey.parse(str(key)) == key
    for text in (
        "",
        "witness.example.com",
        str(key)[:-3],
        str(key).replace("witness", "another"),
        public_key_of(WITNESS.private).pem,
    ):
        with pytest.raises(InvalidCheckpoint):
            WitnessKey.parse(text)


def test_a_cosigned_note_is_still_a_checkpoint(seen: Seen) -> None:
    note = head(3)

    cosigned = f"{note}{ask(seen, body(0, note)).text}"

    assert read_note(cosigned) == note
    assert CosigningWitness(WITNESS.key).check(note, cosigned).timestamp() == NOON
