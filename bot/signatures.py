"""Verifies DSSE envelopes and signed checkpoints, with `cryptography` alone. The gate and the bot use the same code.

What a statement or checkpoint says, and whether that is enough, is decided in `bot.domain.attestation` and `bot.domain.ledger`. Signing is
in `bot.clients.signers`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from bot.domain.attestation.in_toto import APPROVAL_TYPE, STATEMENT_TYPE, VERDICT_TYPE
from bot.domain.ledger.checkpoint import Note, key_hint
from bot.errors import NotVerified

PAYLOAD_TYPE = "application/vnd.in-toto+json"
APPROVALS, LEDGER = "approvals", "ledger"  # what a key is for
ECDSA_P256, ED25519 = "ecdsa-p256", "ed25519"
ENVELOPE_LIMIT = 100_000  # bytes; our envelopes have about 4,000, and MLflow stores no longer tag
MOST_SIGNATURES = 16
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"  # https://docs.sigstore.dev/about/bundle/

Verifier: TypeAlias = "ec.EllipticCurvePublicKey | Ed25519PublicKey"


@dataclass(frozen=True)
class TrustedKey:
    """A trusted public key; `purpose` is approvals or ledger."""

    id: str
    algorithm: str
    pem: str
    purpose: str = APPROVALS


@dataclass(frozen=True)
class Verified:
    """A verified envelope: the in-toto Statement as it was signed, and the key that signed it."""

    key: str
    payload: bytes
    statement: Mapping[str, object]


@dataclass(frozen=True)
class Signature:
    key: str
    value: bytes


@dataclass(frozen=True)
class Opened:
    """A parsed envelope that is not verified yet."""

    payload: bytes
    signatures: tuple[Signature, ...]


def verify(envelope: str, ring: Mapping[str, TrustedKey]) -> Verified:
    """Raises NotVerified unless this is a well-formed envelope signed by a key of the ring.

    One valid signature is enough. Keys are matched by their own bytes, not by their names in the ring.
    """
    opened = _opened(envelope)
    key = _signed_by(opened, {verifier_id(one): one for one in _verifiers(ring.values())})
    return Verified(key, opened.payload, _statement(opened.payload))


def digest_of(envelope: str) -> str:
    """The sha256 of an envelope's text, as the ledger records it."""
    return "sha256:" + hashlib.sha256(envelope.encode()).hexdigest()


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that are signed: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md"""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def payload_of(envelope: str) -> bytes:
    """The payload, without verifying any signature. Raises NotVerified when this is not an envelope."""
    return _opened(envelope).payload


def signatures_of(envelope: str) -> tuple[Signature, ...]:
    """All signatures, unverified. Raises NotVerified when this is not an envelope."""
    return _opened(envelope).signatures


def as_sigstore_bundle(envelope: str) -> str:
    """The same signatures as a Sigstore bundle v0.3; its hint is the id of the public key."""
    (first, *_) = _opened(envelope).signatures
    material: dict[str, object] = {"publicKey": {"hint": first.key}, "tlogEntries": []}
    bundle = {"mediaType": BUNDLE_TYPE, "verificationMaterial": material, "dsseEnvelope": json.loads(envelope)}
    return json.dumps(bundle, separators=(",", ":"))


def as_model_signature(envelope: str, pem: str) -> str:
    """The same signature as OpenSSF Model Signing stores it; its hint is the sha256 of the public key's PEM."""
    (first, *_) = _opened(envelope).signatures
    material: dict[str, object] = {
        "publicKey": {"hint": hashlib.sha256(pem.encode()).hexdigest()},
        "tlogEntries": [],
    }
    signed = {**json.loads(envelope), "signatures": [{"sig": base64.b64encode(first.value).decode(), "keyid": ""}]}
    bundle = {"mediaType": BUNDLE_TYPE, "verificationMaterial": material, "dsseEnvelope": signed}
    return json.dumps(bundle, separators=(",", ":"))


def trusted_key(pem: str, purpose: str = APPROVALS) -> TrustedKey:
    """A public key in PEM, as `countersign keys new` prints it. Raises NotVerified for anything else."""
    verifier = read_verifier(pem)
    algorithm = ED25519 if isinstance(verifier, Ed25519PublicKey) else ECDSA_P256
    text = verifier.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return TrustedKey(verifier_id(verifier), algorithm, text, purpose)


def read_verifier(pem: str) -> Verifier:
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        _refuse("this is no public key: it is not PEM. `countersign keys new` prints one")
    if isinstance(found, Ed25519PublicKey):
        return found
    if isinstance(found, ec.EllipticCurvePublicKey) and isinstance(found.curve, ec.SECP256R1):
        return found
    raise NotVerified("this is a public key of another kind: only ECDSA P-256 and Ed25519 keys sign approvals")


def verifier_id(verifier: Verifier) -> str:
    """The sha256 of its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(verifier.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _verifiers(keys: Iterable[TrustedKey]) -> list[Verifier]:
    return [read_verifier(key.pem) for key in keys if key.purpose == APPROVALS]


def _opened(envelope: str) -> Opened:
    size = len(envelope.encode("utf-8", "replace"))
    if size > ENVELOPE_LIMIT:
        _refuse(f"the envelope is too large: {size} bytes, and at most {ENVELOPE_LIMIT} are read")
    read = _strict_json(envelope, "the envelope")
    if not isinstance(read, dict):
        _refuse("the envelope is no JSON object")
    if read.get("payloadType") != PAYLOAD_TYPE:
        _refuse(f"the envelope holds something else: its payload type is not {PAYLOAD_TYPE}")
    return Opened(_bytes(read.get("payload"), "payload"), _signatures(read.get("signatures")))


def _signatures(read: object) -> tuple[Signature, ...]:
    if not isinstance(read, list) or not read:
        _refuse("the envelope has no signature")
    if len(read) > MOST_SIGNATURES:
        _refuse(f"the envelope has {len(read)} signatures, and at most {MOST_SIGNATURES} are read")
    return tuple(_signature(one) for one in read)


def _signature(read: object) -> Signature:
    if not isinstance(read, dict) or not isinstance(read.get("keyid"), str):
        _refuse("a signature in the envelope does not say which key made it")
    return Signature(read["keyid"], _bytes(read.get("sig"), "signature"))


def _signed_by(opened: Opened, verifiers: Mapping[str, Verifier]) -> str:
    """The first key of the ring with a valid signature, in the envelope's order."""
    known = [signature for signature in opened.signatures if signature.key in verifiers]
    for signature in known:
        if _holds(verifiers[signature.key], signature.value, pae(opened.payload)):
            return signature.key
    if known:
        _refuse(f"the signature is not good: key {_shown(known[0])} did not sign this, or it was changed since")
    named = ", ".join(_shown(signature) for signature in opened.signatures)
    raise NotVerified(f"the envelope is signed by an unknown key: {named} is not one that counts here")


def _shown(signature: Signature) -> str:
    """The start of the key id, with only letters and digits, because the id is untrusted."""
    return "".join(letter for letter in signature.key[:12] if letter.isalnum()) or "without a name"


def _holds(verifier: Verifier, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(verifier, Ed25519PublicKey):
            verifier.verify(signature, signed)
        else:
            verifier.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _statement(payload: bytes) -> Mapping[str, object]:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        _refuse("what was signed is not a statement of Countersign: it is no text")
    read = _strict_json(text, "what was signed")
    if not isinstance(read, dict) or read.get("_type") != STATEMENT_TYPE:
        _refuse("what was signed is not a statement of Countersign: it is no in-toto Statement v1")
    if read.get("predicateType") not in (APPROVAL_TYPE, VERDICT_TYPE):
        _refuse(
            "what was signed is not a statement of Countersign: it is neither an approval nor a verdict of the gate"
        )
    if not isinstance(read.get("predicate"), dict) or not isinstance(read.get("subject"), list):
        _refuse("what was signed is not a statement of Countersign: it has no subject, or says nothing about it")
    return read


def _strict_json(text: str, what: str) -> object:
    """Refuses duplicate names and NaN, so that all programs read the same from one text."""
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as wrong:
        said = wrong.msg if isinstance(wrong, json.JSONDecodeError) else str(wrong)
        raise NotVerified(f"{what} is not JSON: {said[:100]}") from None


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return read


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _bytes(text: object, what: str) -> bytes:
    """Accepts only the canonical base64 of the bytes."""
    if not isinstance(text, str) or not text:
        _refuse(f"the envelope has no {what}")
    try:
        read = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _refuse(f"the {what} in the envelope is not base64")
    if base64.b64encode(read).decode() != text:
        _refuse(f"the {what} in the envelope is not base64 as it is written: letters were changed")
    return read


def _refuse(why: str) -> NoReturn:
    raise NotVerified(why)


def ledger_key(pem: str) -> TrustedKey:
    """A ledger's public key from PEM. Raises NotVerified for any other text or kind of key."""
    key = trusted_key(pem, LEDGER)
    if key.algorithm != ED25519:
        raise NotVerified(f"this is a key of another kind ({key.algorithm}): checkpoints are signed with Ed25519")
    return key


def signer_of(note: Note, keys: Iterable[TrustedKey]) -> TrustedKey | None:
    """The key that signed the note; None when none of them did."""
    return next((key for key in keys if key.purpose == LEDGER and _has_signed_note(note, key)), None)


def _has_signed_note(note: Note, key: TrustedKey) -> bool:
    public = read_verifier(key.pem)
    if not isinstance(public, Ed25519PublicKey):
        return False
    if note.hint != key_hint(note.checkpoint.origin, public.public_bytes_raw()):
        return False
    try:
        public.verify(note.signature, note.checkpoint.text.encode())
    except InvalidSignature:
        return False
    return True
