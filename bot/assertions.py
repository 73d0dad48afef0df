"""Verifies what a person signed with their passkey (a WebAuthn assertion), with `cryptography` alone: the gate has no more.

The challenge is the digest of the vote's statement, so that the signature is over version, evidence, rule and meaning. In the signed
envelope of the vote the assertion stands beside what it signed, as `passkey` in the predicate: without it, the statement has the very bytes
that were signed. `bot.passkeys` asks a browser for an assertion.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias
from urllib.parse import urlsplit

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.domain.attestation import in_toto
from bot.domain.ledger.chain import as_plain
from bot.errors import AssertionRefused

PASSKEY = "passkey"
LONGEST = 8192  # characters of each part; a browser sends some hundred
FLAGS_AT, COUNTER_ENDS = 32, 37  # https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data
USER_PRESENT, USER_VERIFIED = 0x01, 0x04
ES256, EDDSA, RS256 = -7, -8, -257  # https://www.iana.org/assignments/cose; only these are enrolled
KTY, ALG, CURVE, X, Y = 1, 3, -1, -2, -3
MODULUS, EXPONENT = -1, -2
SMALLEST_RSA = 2048  # bits

PasskeyKey: TypeAlias = "ec.EllipticCurvePublicKey | Ed25519PublicKey | rsa.RSAPublicKey"


@dataclass(frozen=True)
class SignedByPasskey:
    """An assertion, with all that it takes to verify it. Binary parts are base64url without padding; `public_key` is a COSE key.

    `rp_id` and `origin` are the site that the passkey was used on.
    """

    credential: str
    public_key: str
    client_data: str
    authenticator_data: str
    signature: str
    rp_id: str
    origin: str


def check_assertion(signed: SignedByPasskey, payload: bytes) -> None:
    """Raises AssertionRefused unless the passkey's owner, verified by the device, signed exactly these bytes on that site."""
    client = _client_data(signed.client_data)
    if client.get("type") != "webauthn.get":
        _refuse("malformed", "the browser's answer is not a passkey's signature")
    if not hmac.compare_digest(_text(client, "challenge").encode(), challenge_of(payload).encode()):
        _refuse("other_statement", "the passkey signed another statement than this one")
    is_ours = site_of(signed.origin) == signed.rp_id and _text(client, "origin") == signed.origin
    if not is_ours or client.get("crossOrigin") is True:
        _refuse("other_origin", f"the passkey was used on another page than one of {signed.origin}")
    _check_authenticator(signed)
    made = hashlib.sha256(decoded(signed.client_data)).digest()
    if not _holds(public_key(signed.public_key), decoded(signed.signature), decoded(signed.authenticator_data) + made):
        _refuse("bad_signature", "the signature is not good: this passkey did not make it, or it was changed since")


def challenge_of(payload: bytes) -> str:
    """The digest of the bytes as a browser puts it into its client data: base64url without padding."""
    return encoded(hashlib.sha256(payload).digest())


def passkey_in(statement: Mapping[str, object]) -> SignedByPasskey | None:
    """The assertion that a vote's statement carries; None when it has none. Raises InvalidStatement."""
    predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
    if predicate.get(PASSKEY) is None:
        return None
    said = in_toto.mapping(predicate, PASSKEY)
    return SignedByPasskey(*(in_toto.text(said, name) for name in NAMES))


NAMES = ("credential", "publicKey", "clientDataJSON", "authenticatorData", "signature", "rpId", "origin")


def signed_bytes(statement: Mapping[str, object]) -> bytes:
    """What the passkey signed: the statement without the assertion, in canonical JSON (RFC 8785). Raises InvalidStatement."""
    predicate = in_toto.predicate_of(statement, in_toto.APPROVAL_TYPE)
    without = as_plain({**statement, "predicate": {n: said for n, said in predicate.items() if n != PASSKEY}})
    try:
        return bytes(rfc8785.dumps(without))
    except rfc8785.CanonicalizationError:
        raise AssertionRefused("malformed", "the statement has no canonical form") from None


def proven_by(statement: Mapping[str, object]) -> str:
    """The digest (sha256:...) of what the person signed with the passkey in this statement; empty when there is none.

    Raises AssertionRefused, and InvalidStatement.
    """
    signed = passkey_in(statement)
    if signed is None:
        return ""
    payload = signed_bytes(statement)
    check_assertion(signed, payload)
    return "sha256:" + hashlib.sha256(payload).hexdigest()


def public_key(cose: str) -> PasskeyKey:
    """Raises AssertionRefused for anything but a COSE key of ES256 (P-256), EdDSA (Ed25519) or RS256."""
    said = _CoseKey(decoded(cose)).read()
    make = KINDS.get((said.get(KTY), said.get(ALG)))
    try:
        return make(said) if make else _no_key()
    except (ValueError, UnsupportedAlgorithm):
        return _no_key()


def origin_of(client_data: str) -> str:
    """The page on which the passkey was used, as the browser says. Raises AssertionRefused."""
    return _text(_client_data(client_data), "origin")


def site_of(origin: str) -> str:
    """The host of a page's address; empty when it is none."""
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Accepts only the one way to write the bytes: base64url without padding."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if 0 < len(text) <= LONGEST else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or encoded(raw) != text:
        _refuse("malformed", "a part of the passkey's signature is not base64url as a browser writes it")
    return raw


def _client_data(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(decoded(text))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _refuse("malformed", "the browser's part of the passkey's signature is not JSON")
    return found


def _text(client: Mapping[str, object], name: str) -> str:
    """Empty for anything but a text of ASCII: challenges are base64url, and browsers write the origin of a page in ASCII."""
    found = client.get(name)
    return found if isinstance(found, str) and found.isascii() else ""


def _check_authenticator(signed: SignedByPasskey) -> None:
    seen = decoded(signed.authenticator_data)
    if len(seen) < COUNTER_ENDS:
        _refuse("malformed", "the device's part of the passkey's signature is too short")
    if seen[:FLAGS_AT] != hashlib.sha256(signed.rp_id.encode()).digest():
        _refuse("other_site", f"the passkey was used for another site than {signed.rp_id}")
    if not seen[FLAGS_AT] & USER_PRESENT:
        _refuse("no_user", "the device says that no person was there when it signed")
    if not seen[FLAGS_AT] & USER_VERIFIED:
        _refuse(
            "not_verified",
            "the device did not verify who used it. Unlock the passkey with a fingerprint, face or PIN",
        )


def _holds(key: PasskeyKey, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _coordinate(said: Mapping[int, int | bytes], label: int) -> bytes:
    found = said.get(label)
    if not isinstance(found, bytes) or len(found) != 32:
        raise ValueError
    return found


def _p256_key(said: Mapping[int, int | bytes]) -> PasskeyKey:
    if said.get(CURVE) != 1:
        raise ValueError
    return ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), b"\x04" + _coordinate(said, X) + _coordinate(said, Y)
    )


def _ed25519_key(said: Mapping[int, int | bytes]) -> PasskeyKey:
    if said.get(CURVE) != 6:
        raise ValueError
    return Ed25519PublicKey.from_public_bytes(_coordinate(said, X))


def _rsa_key(said: Mapping[int, int | bytes]) -> PasskeyKey:
    modulus, exponent = said.get(MODULUS), said.get(EXPONENT)
    if not isinstance(modulus, bytes) or not isinstance(exponent, bytes) or _bits(modulus) < SMALLEST_RSA:
        raise ValueError
    return rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()


def _bits(number: bytes) -> int:
    """Without the zeros in front of it."""
    return int.from_bytes(number).bit_length()


def _no_key() -> NoReturn:
    _refuse("bad_key", "the passkey's public key is of no kind that Countersign accepts: ES256, EdDSA or RS256")


KINDS: Mapping[tuple[object, object], Callable[[Mapping[int, int | bytes]], PasskeyKey]] = {
    (2, ES256): _p256_key,
    (1, EDDSA): _ed25519_key,
    (3, RS256): _rsa_key,
}  # by key type and algorithm


class _CoseKey:
    """Reads the CBOR of a COSE key: one map of integers to integers, byte strings or texts (RFC 8949), and nothing after it."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def read(self) -> Mapping[int, int | bytes]:
        kind, count = self._head()
        if kind != 5:
            _refuse("bad_key", "the passkey's public key is not a COSE key")
        said: dict[int, int | bytes] = {}
        for _ in range(count):
            label, value = self._item(), self._item()
            if not isinstance(label, int) or label in said:
                _refuse("bad_key", "the passkey's public key is not a COSE key")
            said[label] = value
        if self._at != len(self._raw):
            _refuse("bad_key", "the passkey's public key is longer than a COSE key")
        return said

    def _item(self) -> int | bytes:
        kind, number = self._head()
        if kind in (0, 1):
            return number if kind == 0 else -1 - number
        if kind in (2, 3):
            return self._take(number)
        raise AssertionRefused("bad_key", "the passkey's public key has more in it than a COSE key")

    def _head(self) -> tuple[int, int]:
        """The major type, and its argument."""
        (first,) = self._take(1)
        kind, short = first >> 5, first & 0x1F
        if short < 24:
            return kind, short
        if short > 27:
            _refuse("bad_key", "the passkey's public key is not a COSE key")
        return kind, int.from_bytes(self._take(1 << (short - 24)))

    def _take(self, count: int) -> bytes:
        taken = self._raw[self._at : self._at + count]
        if len(taken) != count:
            _refuse("bad_key", "the passkey's public key ends too early")
        self._at += count
        return taken


def _refuse(reason: str, why: str) -> NoReturn:
    raise AssertionRefused(reason, why)
