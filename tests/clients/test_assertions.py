"""A passkey's signature over a vote's statement: what holds, what does not, and that a third party's code agrees."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import fields, replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor
from fido2.cose import RS256, CoseKey, EdDSA
from fido2.webauthn import AuthenticatorData, CollectedClientData
from hypothesis import given
from hypothesis import strategies as st

from bot.assertions import SignedByPasskey, challenge_of, check_assertion, decoded, encoded, proven_by, public_key
from bot.domain.attestation.decision import payload_of
from bot.errors import AssertionRefused, Refused, Rejected
from bot.passkeys import assertion_options, read_assertion, relying_party, signed_by, verify_assertion
from tests.builders.passkeys import ENVELOPED, PARTY, PASSKEY, PAYLOAD, SENT, SIGNED
from tests.fixtures.passkeys import HOST, SITE, SoftPasskey, raw


def refusal(signed: SignedByPasskey, payload: bytes = PAYLOAD) -> str:
    with pytest.raises(AssertionRefused) as refused:
        check_assertion(signed, payload)
    return refused.value.reason


def test_what_the_person_signed_holds_and_both_checks_agree() -> None:
    check_assertion(SIGNED, PAYLOAD)
    verify_assertion(read_assertion(SENT, PAYLOAD), PAYLOAD, PASSKEY.public_key, PARTY)

    assert proven_by(json.loads(payload_of(ENVELOPED))) == "sha256:" + hashlib.sha256(PAYLOAD).hexdigest()


def test_a_third_party_verifies_the_statement_in_the_envelope() -> None:
    """Yubico's library, from the published statement alone: without `passkey`, it has the very bytes that were signed."""
    statement = json.loads(payload_of(ENVELOPED))
    passkey = statement["predicate"].pop("passkey")

    client = CollectedClientData(raw(passkey["clientDataJSON"]))
    seen = AuthenticatorData(raw(passkey["authenticatorData"]))
    key = CoseKey.parse(cbor.decode(raw(passkey["publicKey"])))

    assert client.challenge == hashlib.sha256(payload_of(statement)).digest()
    assert (client.type, client.origin, seen.rp_id_hash) == (
        "webauthn.get",
        SITE,
        hashlib.sha256(HOST.encode()).digest(),
    )
    assert seen.is_user_verified()
    key.verify(seen + client.hash, raw(passkey["signature"]))
    with pytest.raises(InvalidSignature):
        key.verify(seen + hashlib.sha256(b"another").digest(), raw(passkey["signature"]))


@pytest.mark.parametrize("part", [field.name for field in fields(SignedByPasskey) if field.name != "credential"])
def test_no_part_can_be_another_one(part: str) -> None:
    other = SoftPasskey("other.example.com")
    made = other.sign(assertion_options(b"another", [other.credential], PARTY), "https://other.example.com")
    others = signed_by(read_assertion(made, b"another"), other.public_key, relying_party("https://other.example.com"))

    assert refusal(replace(SIGNED, **{part: getattr(others, part)})) != ""


@pytest.mark.parametrize("field", ["reason", "meaning", "target", "version", "evidence", "rule"])
def test_a_changed_statement_is_not_what_was_signed(field: str) -> None:
    changed = json.loads(payload_of(ENVELOPED))
    changed["predicate"][field] = "something else"

    with pytest.raises(AssertionRefused, match="signed another statement"):
        proven_by(changed)


def test_a_page_inside_another_page_is_not_ours() -> None:
    said = json.loads(raw(SIGNED.client_data)) | {"crossOrigin": True}

    assert refusal(replace(SIGNED, client_data=encoded(json.dumps(said).encode()))) == "other_origin"


@pytest.mark.parametrize("name", ["challenge", "origin", "type"])
def test_text_that_no_browser_writes_is_refused_and_breaks_nothing(name: str) -> None:
    """Such as half a character, which has no bytes in UTF-8."""
    for odd in ("\ud800", "\x00", "ä.example", 7, None):
        said = json.loads(raw(SIGNED.client_data)) | {name: odd}

        assert refusal(replace(SIGNED, client_data=encoded(json.dumps(said).encode()))) != ""


def cose(key: CoseKey) -> str:
    return encoded(cbor.encode(key))


def signed_with(cose_key: str, sign: object) -> SignedByPasskey:
    """As a device with that key would sign it."""
    client = json.dumps({"type": "webauthn.get", "challenge": challenge_of(PAYLOAD), "origin": SITE}).encode()
    seen = hashlib.sha256(HOST.encode()).digest() + b"\x05" + bytes(4)
    signature = sign(seen + hashlib.sha256(client).digest())  # type: ignore[operator]
    return SignedByPasskey("Y3JlZA", cose_key, encoded(client), encoded(seen), encoded(signature), HOST, SITE)


def test_keys_of_phones_security_keys_and_windows_are_accepted_and_others_are_not() -> None:
    curve, windows = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    small = rsa.generate_private_key(65537, 1024)

    check_assertion(signed_with(cose(EdDSA.from_cryptography_key(curve.public_key())), curve.sign), PAYLOAD)
    by_windows = signed_with(
        cose(RS256.from_cryptography_key(windows.public_key())),
        lambda said: windows.sign(said, padding.PKCS1v15(), hashes.SHA256()),
    )
    check_assertion(by_windows, PAYLOAD)

    for bad in (
        cose(RS256.from_cryptography_key(small.public_key())),
        encoded(cbor.encode({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)})),
        encoded(cbor.encode({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})),
    ):
        with pytest.raises(AssertionRefused, match="no kind that Countersign accepts"):
            public_key(bad)


@given(st.binary(max_size=90))
def test_no_bytes_break_the_reader_of_public_keys(junk: bytes) -> None:
    honest = decoded(PASSKEY.public_key)

    for key in (junk, honest[: len(junk)] + junk, honest + junk[:1]):
        with suppress(AssertionRefused):
            public_key(encoded(key))


@given(
    st.dictionaries(st.sampled_from(["id", "clientDataJSON", "authenticatorData", "signature"]), st.text() | st.none())
)
def test_whatever_a_page_sends_is_refused_with_a_sentence(sent: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        verify_assertion(read_assertion({**SENT, **sent}, PAYLOAD), b"another", PASSKEY.public_key, PARTY)

    assert str(refused.value)


def test_a_site_needs_a_name_and_https_or_localhost() -> None:
    assert relying_party("https://countersign.example.com:8443/").origin == "https://countersign.example.com:8443"
    assert relying_party("http://localhost:8080").id == "localhost"
    for url, why in {
        "": "public address",
        "http://countersign.example.com": "only over https",
        "http://127.0.0.1:8080": "made for a name",
        "https://[::1]": "made for a name",
    }.items():
        with pytest.raises(Refused, match=why):
            relying_party(url)


def test_options_name_the_statement_the_site_and_the_person_s_passkeys() -> None:
    options = assertion_options(PAYLOAD, [PASSKEY.credential], PARTY)

    assert options["challenge"] == challenge_of(PAYLOAD)
    assert (options["rpId"], options["userVerification"]) == (HOST, "required")
    assert [one["id"] for one in options["allowCredentials"]] == [PASSKEY.credential]  # type: ignore[attr-defined]


@given(flags=st.integers(0, 255), more=st.binary(max_size=40))
def test_what_a_device_adds_to_its_signed_data_is_read_or_refused(flags: int, more: bytes) -> None:
    """Both checks read it: a device may set any flag and sign any bytes behind it."""
    client_data = raw(SENT["clientDataJSON"])
    data = hashlib.sha256(HOST.encode()).digest() + bytes([flags]) + bytes(4) + more
    signature = PASSKEY.private_key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
    sent = {**SENT, "authenticatorData": encoded(data), "signature": encoded(signature)}

    with suppress(Rejected):
        verify_assertion(read_assertion(sent, PAYLOAD), PAYLOAD, PASSKEY.public_key, PARTY)


@pytest.mark.parametrize("bits", [1024, 2047])
def test_leading_zeros_make_an_rsa_key_no_longer(bits: int) -> None:
    numbers = {1: 3, 3: -257, -1: ((1 << bits) - 1).to_bytes(300), -2: b"\x01\x00\x01"}

    with pytest.raises(AssertionRefused):
        public_key(encoded(cbor.encode(numbers)))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://\u00e4.example", "xn--"),
        ("https://a%62.example", "xn--"),
        ("https://10.0.0.7", "a name"),
        ("https://[::1]", "a name"),
        ("https://167772167", "a name"),
        ("https://0x0a.7", "a name"),
        ("https://bot.0x7", "a name"),
    ],
)
def test_a_host_that_browsers_write_otherwise_gets_no_passkeys(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        relying_party(url)


def test_a_host_in_the_way_browsers_write_it_gets_passkeys() -> None:
    assert relying_party("https://XN--4CA.example:8443/").origin == "https://xn--4ca.example:8443"
