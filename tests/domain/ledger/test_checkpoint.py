"""Checkpoints as signed notes: what is signed, how they are found in other texts, and that no altered one is believed."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.jira.documents import text_as_adf, text_as_wiki
from bot.clients.keys import make_key
from bot.clients.note_keys import NoteKey, NoteKeyFile
from bot.domain.ledger.checkpoint import Checkpoint, Note, origin_of, read_note, read_notes
from bot.errors import InvalidCheckpoint, NotVerified, Permanent
from bot.signatures import APPROVALS, ECDSA_P256, ED25519, TrustedKey, ledger_key, signer_of, trusted_key
from handlers.ledger.checkpoints import checkpoint_card
from tests.builders import a_version

ROOT = hashlib.sha256(b"the root").digest()
ORIGIN = origin_of(hashlib.sha256(b"the first leaf").digest())
SEVEN = Checkpoint(ORIGIN, 7, ROOT)


@pytest.fixture(scope="module")
def key() -> NoteKey:
    return NoteKey(Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def ring(key: NoteKey) -> list[TrustedKey]:
    return [ledger_key(key.key.pem)]


@pytest.fixture(scope="module")
def note(key: NoteKey) -> Note:
    return key.sign(SEVEN)


def test_a_note_has_the_lines_that_c2sp_asks_for(note: Note, key: NoteKey) -> None:
    origin, size, root, empty, signature = str(note).splitlines()

    assert (origin, size, base64.b64decode(root), empty) == (ORIGIN, "7", ROOT, "")
    dash, name, signed = signature.split(" ")
    assert (dash, name, len(base64.b64decode(signed))) == ("—", ORIGIN, 4 + 64)
    public = load_pem_public_key(key.key.pem.encode())
    hint = hashlib.sha256(f"{ORIGIN}\n\x01".encode() + public.public_bytes_raw()).digest()[:4]  # type: ignore[union-attr]
    assert base64.b64decode(signed)[:4] == hint
    public.verify(base64.b64decode(signed)[4:], f"{origin}\n{size}\n{root}\n".encode())  # type: ignore[union-attr, call-arg]


def test_what_was_written_is_read_again(note: Note, ring: list[TrustedKey]) -> None:
    read = read_note(str(note))

    assert read == note
    assert signer_of(read, ring) == ring[0]


@pytest.mark.parametrize(
    "around",
    [
        "Signed by Countersign:\n\n{note}\nKeep this.",
        "{indented}",
        "{spaced}",
        "{windows}",
        '<p>The ledger:</p><pre tabindex="0">{bare}</pre><p>Keep it.</p>',
        "Page 3\n{broken}\nMade by Countersign",
    ],
)
def test_a_note_is_found_in_what_people_paste(note: Note, around: str) -> None:
    lines = str(note).splitlines()
    text = around.format(
        note=note,
        indented="\n".join(f"    {line}" for line in lines),
        spaced="\n\n".join(lines),
        windows="\r\n".join(lines),
        bare=str(note).strip(),
        broken=f"{str(note).strip()[:-30]}\n{str(note).strip()[-30:]}",
    )

    assert read_notes(text) == (note,)


@given(root=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
def test_a_note_is_found_in_a_ticket_of_data_center_and_of_cloud_as_their_rest_api_gives_it(
    root: bytes, signature: bytes
) -> None:
    note = Note(Checkpoint(ORIGIN, 7, root), b"hint", signature)
    (said,) = checkpoint_card(a_version(), 7, str(note)).paragraphs
    wiki = text_as_wiki(said)
    answer = {"comments": [{"author": {"name": "bot"}, "body": wiki, "renderedBody": None}]}
    document = {"comments": [{"body": text_as_adf(said)}]}
    shown = said.strip().replace("\n", "<br/>").replace("+", "&#43;")

    assert read_notes(wiki) == (note,)
    assert read_notes(json.dumps(answer)) == (note,)
    assert read_notes(json.dumps(document)) == (note,)
    assert read_notes(f"<p>{shown}</p>") == (note,)


def test_all_notes_of_a_file_are_found_and_one_alone_is_not_taken_from_several(note: Note, key: NoteKey) -> None:
    other = key.sign(Checkpoint(ORIGIN, 9, ROOT))
    text = f"{note}\n{other}"

    assert read_notes(text) == (note, other)
    with pytest.raises(InvalidCheckpoint, match="the text holds 2 checkpoints, and one was expected"):
        read_note(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no checkpoint is in it"),
        ("transparency.example/log\n7\nAAAA\n\n— transparency.example/log AAAA\n", "no checkpoint is in it"),
        (f"{ORIGIN}\n7\nAAAA\n\n— {ORIGIN} AAAAAAAAAAAA\n", "its root or its signature is not whole"),
        (f"{ORIGIN}\n7\nA\n\n— {ORIGIN} AAAAAAAAAAAA\n", "the checkpoint of 7 entries is damaged"),
        (f"{ORIGIN}\n07\nAAAA\n\n— {ORIGIN} AAAA\n", "no checkpoint is in it"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(InvalidCheckpoint, match=why):
        read_notes(text)


@given(data=st.data())
def test_a_note_with_one_altered_byte_is_not_believed(note: Note, ring: list[TrustedKey], data: st.DataObject) -> None:
    signed = str(note)
    place = data.draw(st.integers(0, len(signed) - 1))
    letter = data.draw(st.sampled_from("0123456789abcdefABCDEF+/=x \n—").filter(lambda new: new != signed[place]))

    altered = signed[:place] + letter + signed[place + 1 :]

    try:
        read = read_note(altered)
    except InvalidCheckpoint:
        return
    assert read == note or signer_of(read, ring) is None  # spaces around the lines change nothing


def test_another_key_has_not_signed_it_and_neither_has_one_for_approvals(
    note: Note, key: NoteKey, tmp_path: Path
) -> None:
    other = ledger_key(make_key(tmp_path / "other.pem", ED25519).pem)
    elliptic = make_key(tmp_path / "elliptic.pem", ECDSA_P256)

    assert signer_of(note, []) is None
    assert signer_of(note, [other]) is None
    assert signer_of(note, [trusted_key(key.key.pem, APPROVALS)]) is None
    with pytest.raises(NotVerified, match="checkpoints are signed with Ed25519"):
        ledger_key(elliptic.pem)


def test_the_key_file_is_read_when_it_is_first_used(tmp_path: Path) -> None:
    file = NoteKeyFile(tmp_path / "checkpoints.pem")
    made = make_key(tmp_path / "checkpoints.pem", ED25519)

    assert file.key == made
    assert signer_of(file.sign(SEVEN), [ledger_key(made.pem)]) is not None


def test_a_key_file_that_cannot_be_used_is_refused_with_a_sentence(tmp_path: Path) -> None:
    make_key(tmp_path / "elliptic.pem", ECDSA_P256)

    with pytest.raises(
        Permanent, match=r"can be signed, because .* is not there\. Make a key with: .*--algorithm ed25519"
    ):
        NoteKeyFile(tmp_path / "checkpoints.pem").sign(SEVEN)
    with pytest.raises(
        Permanent, match=r"is not Ed25519\. Make another with `countersign keys new --algorithm ed25519"
    ):
        NoteKeyFile(tmp_path / "elliptic.pem").sign(SEVEN)
