"""Envelopes are believed only when they are well formed, unchanged, and signed by a key of the ring; each refusal has its own sentence."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bot.clients.signers import DsseSigner, signer_with
from bot.domain.attestation.decision import of_vote, payload_of
from bot.errors import NotVerified
from bot.signatures import ENVELOPE_LIMIT, LEDGER, PAYLOAD_TYPE, TrustedKey, as_sigstore_bundle, trusted_key, verify
from tests.builders import a_request, a_rule, a_vote

P256 = signer_with(ec.generate_private_key(ec.SECP256R1()))
ED25519 = signer_with(Ed25519PrivateKey.generate())
STRANGER = signer_with(ec.generate_private_key(ec.SECP256R1()))
STATEMENT = of_vote(a_request(), a_vote(), a_rule(), {"cy": "Cy Lindqvist"})
PAYLOAD = payload_of(STATEMENT)

signers = st.sampled_from([P256, ED25519])


def ring_of(*signers: DsseSigner) -> dict[str, TrustedKey]:
    return {signer.key.id: trusted_key(signer.key.pem) for signer in signers}


RING = ring_of(P256, ED25519)
SIGNED = {signer.key.id: signer.sign(PAYLOAD, PAYLOAD_TYPE) for signer in (P256, ED25519)}


def with_changes(envelope: str, **changes: object) -> str:
    return json.dumps({**json.loads(envelope), **changes})


def with_signature(envelope: str, **changes: object) -> str:
    read = json.loads(envelope)
    return with_changes(envelope, signatures=[{**read["signatures"][0], **changes}])


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def why_not(envelope: str, ring: dict[str, TrustedKey] | None = None) -> str:
    with pytest.raises(NotVerified) as refused:
        verify(envelope, RING if ring is None else ring)
    return str(refused.value)


# What is good


@pytest.mark.parametrize("signer", [P256, ED25519], ids=["P-256", "Ed25519"])
def test_what_a_key_of_the_ring_has_signed_is_verified(signer: DsseSigner) -> None:
    verified = verify(signer.sign(PAYLOAD, PAYLOAD_TYPE), RING)

    assert (verified.key, verified.payload, verified.statement) == (signer.key.id, PAYLOAD, STATEMENT)


@given(signer=signers, order=st.permutations(list(RING)))
def test_the_order_of_the_ring_does_not_matter(signer: DsseSigner, order: list[str]) -> None:
    ring = {key: RING[key] for key in order}

    assert verify(SIGNED[signer.key.id], ring).key == signer.key.id


def test_one_good_signature_among_several_suffices() -> None:
    mine, strangers = SIGNED[P256.key.id], STRANGER.sign(PAYLOAD, PAYLOAD_TYPE)
    both = [*json.loads(strangers)["signatures"], *json.loads(mine)["signatures"]]

    assert verify(with_changes(mine, signatures=both), RING).key == P256.key.id


# What is not


@given(signer=signers, at=st.integers(0, len(PAYLOAD) - 1), bit=st.integers(1, 255))
def test_any_changed_byte_of_the_payload_is_found(signer: DsseSigner, at: int, bit: int) -> None:
    changed = bytearray(PAYLOAD)
    changed[at] ^= bit

    assert "did not sign this" in why_not(with_changes(SIGNED[signer.key.id], payload=in_base64(bytes(changed))))


@given(signer=signers, bit=st.integers(1, 255), share=st.floats(0, 1, exclude_max=True))
def test_any_changed_byte_of_a_signature_is_found(signer: DsseSigner, bit: int, share: float) -> None:
    envelope = SIGNED[signer.key.id]
    changed = bytearray(base64.b64decode(json.loads(envelope)["signatures"][0]["sig"]))
    changed[int(share * len(changed))] ^= bit

    assert "did not sign this" in why_not(with_signature(envelope, sig=in_base64(bytes(changed))))


@given(signer=signers, share=st.floats(0, 1, exclude_max=True), letter=st.characters(codec="ascii"))
def test_any_changed_letter_of_the_text_is_found_or_says_the_same(
    signer: DsseSigner, share: float, letter: str
) -> None:
    envelope = SIGNED[signer.key.id]
    at = int(share * len(envelope))
    changed = envelope[:at] + letter + envelope[at + 1 :]

    try:
        verified = verify(changed, RING)
    except NotVerified:
        return
    assert (verified.key, verified.payload) == (signer.key.id, PAYLOAD)


def test_another_key_or_another_ring_is_found() -> None:
    mine = SIGNED[P256.key.id]
    under_my_name = with_signature(STRANGER.sign(PAYLOAD, PAYLOAD_TYPE), keyid=P256.key.id)

    assert "unknown key" in why_not(STRANGER.sign(PAYLOAD, PAYLOAD_TYPE))
    assert "unknown key" in why_not(mine, ring_of(STRANGER, ED25519))
    assert "unknown key" in why_not(mine, {})
    assert "did not sign this" in why_not(under_my_name)


def test_a_ring_that_calls_a_key_by_anothers_name_is_not_deceived() -> None:
    swapped = {P256.key.id: trusted_key(STRANGER.key.pem)}

    assert "unknown key" in why_not(with_signature(STRANGER.sign(PAYLOAD, PAYLOAD_TYPE), keyid=P256.key.id), swapped)


def test_the_ledgers_key_signs_no_approvals() -> None:
    ring = {P256.key.id: trusted_key(P256.key.pem, LEDGER)}

    assert "unknown key" in why_not(SIGNED[P256.key.id], ring)


GOOD: dict[str, Any] = json.loads(SIGNED[P256.key.id])
SIGNATURE: dict[str, str] = GOOD["signatures"][0]


@pytest.mark.parametrize(
    ("envelope", "sentence"),
    [
        ("x" * (ENVELOPE_LIMIT + 1), "the envelope is too large"),
        (json.dumps({**GOOD, "padding": "x" * 1_000_000}), "the envelope is too large"),
        ("", "the envelope is not JSON"),
        ("{", "the envelope is not JSON"),
        ("[" * 50_000, "the envelope is not JSON"),
        ('{"payload": NaN}', "the envelope is not JSON: NaN is no number"),
        ('{"payload": 1' + "0" * 5_000 + "}", "the envelope is not JSON"),
        ("[]", "the envelope is no JSON object"),
        ('{"payload": "a", "payload": "b"}', "the envelope is not JSON: a name stands twice in one object"),
        (json.dumps({**GOOD, "payloadType": "application/json"}), "its payload type is not application/vnd.in-toto"),
        (json.dumps({**GOOD, "payload": None}), "the envelope has no payload"),
        (json.dumps({**GOOD, "payload": "a*b"}), "the payload in the envelope is not base64"),
        (json.dumps({**GOOD, "payload": "é"}), "the payload in the envelope is not base64"),
        (json.dumps({**GOOD, "payload": "QR=="}), "the payload in the envelope is not base64 as it is written"),
        (json.dumps({**GOOD, "signatures": []}), "the envelope has no signature"),
        (json.dumps({**GOOD, "signatures": "none"}), "the envelope has no signature"),
        (json.dumps({**GOOD, "signatures": [SIGNATURE] * 17}), "the envelope has 17 signatures"),
        (json.dumps({**GOOD, "signatures": ["none"]}), "does not say which key made it"),
        (json.dumps({**GOOD, "signatures": [{"sig": SIGNATURE["sig"]}]}), "does not say which key made it"),
        (json.dumps({**GOOD, "signatures": [{"keyid": P256.key.id}]}), "the envelope has no signature"),
        (with_signature(SIGNED[P256.key.id], keyid="\x1b[2J\n"), "signed by an unknown key: 2J is"),
    ],
    ids=lambda case: case[:40],
)
def test_what_is_no_envelope_is_refused_with_its_own_sentence(envelope: str, sentence: str) -> None:
    assert sentence in why_not(envelope)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"not JSON",
        b"[]",
        b'{"_type": "https://in-toto.io/Statement/v0.1"}',
        payload_of({**STATEMENT, "predicateType": "https://slsa.dev/provenance/v1"}),  # type: ignore[dict-item]
        payload_of({**STATEMENT, "subject": "all"}),  # type: ignore[dict-item]
        payload_of({**STATEMENT, "predicate": []}),  # type: ignore[dict-item]
        b'{"_type": "https://in-toto.io/Statement/v1", "_type": "https://in-toto.io/Statement/v1"}',
    ],
)
def test_a_good_signature_over_something_else_is_refused(payload: bytes) -> None:
    said = why_not(P256.sign(payload, PAYLOAD_TYPE))

    assert said.startswith(("what was signed is not a statement of Countersign", "what was signed is not JSON"))


def test_only_keys_that_sign_approvals_are_taken_into_a_ring() -> None:
    private = rsa.generate_private_key(65537, 2048).public_key()
    other = private.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(NotVerified, match="another kind"):
        trusted_key(other)
    with pytest.raises(NotVerified, match="not PEM"):
        trusted_key("ssh-ed25519 AAAA")


def test_a_sigstore_bundle_carries_the_very_same_envelope() -> None:
    bundle = json.loads(as_sigstore_bundle(SIGNED[P256.key.id]))

    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert bundle["verificationMaterial"]["publicKey"] == {"hint": P256.key.id}
    assert bundle["dsseEnvelope"] == GOOD
