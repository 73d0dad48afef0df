"""The client of a witness: what it sends when an answer was lost, and what it makes of each answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug import Request, Response
from werkzeug.wsgi import responder

from bot.clients.note_keys import NoteKey
from bot.clients.witnesses import CosigningWitness
from bot.domain.ledger.checkpoint import Checkpoint, Note
from bot.domain.ledger.merkle import consistency_proof, root_of
from bot.errors import OutsideError, Permanent, Temporary
from bot.sandbox.serving import serving
from bot.signatures import ledger_key
from bot.witness.protocol import WitnessSigner, add_checkpoint
from bot.witness.state import Seen

LEDGER = NoteKey(Ed25519PrivateKey.generate())
SIGNER = WitnessSigner("witness.example.com", Ed25519PrivateKey.generate())
STRANGER = WitnessSigner("witness.example.com", Ed25519PrivateKey.generate())
LEAVES = [hashlib.sha256(bytes([number])).digest() for number in range(20)]


def head(size: int) -> Note:
    return LEDGER.sign(Checkpoint("countersign/0123456789abcdef", size, root_of(LEAVES[:size])))


def proof_to(size: int) -> Callable[[int], tuple[bytes, ...]]:
    return lambda before: () if before in (0, size) else consistency_proof(before, size, LEAVES[:size])


def a_witness(state: Path, sizes: list[int], signer: WitnessSigner = SIGNER) -> Callable[..., object]:
    """Notes in `sizes` from which size each submission starts."""

    @responder
    def answer(environ: dict[str, object], start_response: object) -> Response:
        body = Request(environ).get_data()
        sizes.append(int(body.split(b"\n")[0].removeprefix(b"old ")))
        said = add_checkpoint(body, [ledger_key(LEDGER.key.pem)], Seen(state), signer, 1_780_000_000)
        return Response(said.text, said.status, content_type=said.content_type)

    return answer  # type: ignore[no-any-return]


def test_after_a_lost_answer_it_goes_on_from_what_the_witness_has(tmp_path: Path) -> None:
    sizes: list[int] = []
    with serving(a_witness(tmp_path / "seen", sizes)) as url:
        witness = CosigningWitness(SIGNER.key, url)
        witness.attest(head(5), 0, proof_to(5))

        evidence = witness.attest(head(12), 0, proof_to(12))
        again = witness.attest(head(12), 5, proof_to(12))

    assert witness.check(head(12), evidence) == witness.check(head(12), again)
    assert sizes == [0, 0, 5, 5, 12]


def test_a_witness_that_has_seen_more_is_an_alarm_and_no_reason_to_try_again(tmp_path: Path) -> None:
    with serving(a_witness(tmp_path / "seen", [])) as url:
        witness = CosigningWitness(SIGNER.key, url)
        witness.attest(head(12), 0, proof_to(12))

        with pytest.raises(
            Permanent, match="has cosigned 12 entries of this ledger, which has 5: entries were cut off"
        ):
            witness.attest(head(5), 0, proof_to(5))


def test_the_signature_of_another_key_is_not_kept(tmp_path: Path) -> None:
    with (
        serving(a_witness(tmp_path / "seen", [], STRANGER)) as url,
        pytest.raises(Permanent, match="Check the key of http"),
    ):
        CosigningWitness(SIGNER.key, url).attest(head(5), 0, proof_to(5))


@pytest.mark.parametrize(
    ("status", "text", "kind", "said"),
    [
        (200, "", Permanent, "there is no cosignature"),
        (200, "x" * 1_000_000, Permanent, "there is no cosignature"),
        (302, "elsewhere", Temporary, "answered 302"),
        (403, "who?", Permanent, "has this ledger's key as --log"),
        (404, "", Permanent, "Check its address"),
        (409, "rubbish", Permanent, "has seen another history"),
        (422, "", Permanent, "find out who changed the ledger"),
        (429, "", Temporary, "It is tried again"),
        (500, "", Temporary, "It is tried again"),
    ],
)
def test_every_answer_has_its_sentence(status: int, text: str, kind: type[OutsideError], said: str) -> None:
    answer = responder(lambda environ, start_response: Response(text, status, {"Location": "http://127.0.0.1:9"}))

    with serving(answer) as url, pytest.raises(kind, match=said):
        CosigningWitness(SIGNER.key, url).attest(head(5), 0, proof_to(5))


@pytest.mark.parametrize("size", ["13", "-1", "99999999999999999999", "five", ""])
def test_a_size_that_this_ledger_never_had_is_an_alarm(size: str) -> None:
    answer = responder(lambda environ, start_response: Response(size, 409, content_type="text/x.tlog.size"))

    with serving(answer) as url, pytest.raises(Permanent, match="of this ledger, which has 12"):
        CosigningWitness(SIGNER.key, url).attest(head(12), 5, proof_to(12))
