"""A key in an HSM, by PKCS#11: SoftHSM, which keeps its token in files but is used through the same library calls as hardware."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bot.clients.signers import read_signer
from bot.domain.attestation.decision import of_vote, payload_of
from bot.errors import InvalidKey, Permanent
from bot.signatures import ECDSA_P256, PAYLOAD_TYPE, trusted_key, verify
from tests.builders import a_request, a_rule, a_vote

LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
PAYLOAD = payload_of(of_vote(a_request(), a_vote(), a_rule(), {}))
PIN = "648219"
MAKE_KEY = """
import sys, pkcs11
from pkcs11.util.ec import encode_named_curve_parameters
token = pkcs11.lib(sys.argv[1]).get_token(token_label="bot")
with token.open(rw=True, user_pin=sys.argv[2]) as session:
    curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(id=b"\\x02", store=True, label="approvals")
"""


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token with one P-256 key, number 2. Without SoftHSM these tests are skipped, unless REQUIRE_BROWSER=1 (as CI says)."""
    tool = shutil.which("softhsm2-util")
    if tool is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set, but there is no softhsm2-util on the PATH")
        pytest.skip("there is no softhsm2-util on the PATH")
    home = tmp_path_factory.mktemp("token")
    (home / "softhsm2.conf").write_text(
        f"directories.tokendir = {home}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(home / "softhsm2.conf"))
        patch.setenv("PYKCS11LIB", LIBRARY)
        made = [tool, "--init-token", "--free", "--label", "bot", "--pin", PIN, "--so-pin", "12345678"]
        subprocess.run(made, check=True, capture_output=True)
        subprocess.run([sys.executable, "-c", MAKE_KEY, LIBRARY, PIN], check=True, capture_output=True)
        yield


def test_a_key_that_never_leaves_its_token_signs_approvals_that_anyone_verifies(token: None) -> None:
    signer = read_signer("hsm:2?label=bot", PIN)

    envelopes = [signer.sign(PAYLOAD, PAYLOAD_TYPE) for _ in range(2)]

    ring = {signer.key.id: trusted_key(signer.key.pem)}
    assert signer.key.algorithm == ECDSA_P256
    assert [verify(envelope, ring).payload for envelope in envelopes] == [PAYLOAD] * 2


def test_a_wrong_pin_is_tried_once_and_not_until_the_token_locks(token: None) -> None:
    signer = read_signer("hsm:2?label=bot", "000000")

    with pytest.raises(Permanent, match="the HSM did not sign: PinIncorrect"):
        signer.sign(PAYLOAD, PAYLOAD_TYPE)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("hsm:2?label=another", "No PKCS#11 token found for label another"),
        ("hsm:7?label=bot", "could not find ECDSA key"),
        ("hsm:approvals", "'approvals' is no number. Write hsm:KEYID"),
    ],
)
def test_a_key_that_is_not_there_is_refused_at_the_start(token: None, location: str, sentence: str) -> None:
    with pytest.raises(InvalidKey, match=sentence):
        read_signer(location, PIN)
