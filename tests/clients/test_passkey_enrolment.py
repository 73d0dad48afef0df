"""What a browser sends about a new passkey: read, or refused with a sentence, whatever its bytes are."""

from __future__ import annotations

import pytest
from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Rejected
from bot.passkey_enrolment import MadePasskey, read_made
from tests.builders.passkeys import CHALLENGE, MADE, PARTY
from tests.fixtures.passkey_device import as_bytes, as_text

KEY_AT = 37 + 16 + 2 + 32  # after the header, the kind of device, and an id of 32 bytes


def with_key(key: object) -> dict[str, str]:
    """The answer of a browser whose device has made this COSE key."""
    attested = cbor.decode(as_bytes(MADE["attestationObject"]))
    data = attested["authData"][:KEY_AT] + cbor.encode(key)
    return {**MADE, "attestationObject": as_text(cbor.encode({**attested, "authData": data}))}


@pytest.mark.parametrize(
    "key",
    [
        {},
        {1: 2},
        {1: 2, 3: -7},
        {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32},  # on no curve
        {1: 2, 3: -35, -1: 2, -2: b"x" * 48, -3: b"y" * 48},  # a curve that is not offered
        {1: 3, 3: -257, -1: b"\x01" * 64, -2: b"\x01\x00\x01"},  # RSA of 512 bits
        {"1": "2"},
        [],
        "key",
    ],
)
def test_a_key_that_no_signature_could_be_checked_with_is_refused(key: object) -> None:
    with pytest.raises(Rejected) as refused:
        read_made(with_key(key), CHALLENGE, PARTY)

    assert refused.value.reason == "malformed"
    assert refused.value.status == 400


def test_the_key_of_a_common_device_is_read() -> None:
    made = read_made(MADE, CHALLENGE, PARTY)

    assert made.credential == MADE["id"]


@settings(max_examples=200)
@given(
    part=st.sampled_from(["attestationObject", "clientDataJSON"]),
    places=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 400),
)
def test_changed_bytes_are_read_or_refused(part: str, places: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(as_bytes(MADE[part]))
    for place, byte in places:
        content[place % len(content)] = byte
    changed = {**MADE, part: as_text(bytes(content[: cut or None]))}

    made = read_or_refused(changed)

    assert made is None or made.credential


def read_or_refused(sent: dict[str, str]) -> MadePasskey | None:
    try:
        return read_made(sent, CHALLENGE, PARTY)
    except Rejected:
        return None
