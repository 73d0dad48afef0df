"""Others verify what we sign, with programs that know nothing of us: OpenSSL, and Sigstore's own verifier from npm."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.signers import DsseSigner, signer_with
from bot.domain.attestation.decision import of_decision, payload_of
from bot.domain.model import DecidedBy, State
from bot.signatures import ED25519, PAYLOAD_TYPE, as_sigstore_bundle, pae, signatures_of
from bot.signatures import payload_of as inside
from tests.builders import a_request, a_rule, a_vote

SIGSTORE = ("@sigstore/verify@2.1.1", "@sigstore/bundle@3.1.0")
VERIFY_JS = """
const fs = require('fs'), crypto = require('crypto');
const { bundleFromJSON } = require('@sigstore/bundle');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const [bundleFile, pemFile] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(bundleFile, 'utf8')));
const key = crypto.createPublicKey(fs.readFileSync(pemFile, 'utf8'));
const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = toTrustMaterial(nobody, () => ({ publicKey: key, validFor: () => true }));
const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0, timestampThreshold: 0 });
try { verifier.verify(toSignedEntity(bundle)); console.log('verified'); }
catch (error) { console.log(error.code || error); process.exit(1); }
"""

SIGNERS = {
    "ecdsa-p256": signer_with(ec.generate_private_key(ec.SECP256R1())),
    ED25519: signer_with(Ed25519PrivateKey.generate()),
}


@pytest.fixture(params=SIGNERS.values(), ids=SIGNERS)
def signer(request: pytest.FixtureRequest) -> DsseSigner:
    found = request.param
    assert isinstance(found, DsseSigner)
    return found


@pytest.fixture
def envelope(signer: DsseSigner) -> str:
    decided = a_request(State.APPROVED, decided_by=DecidedBy.PEOPLE, votes=(a_vote(),))
    return signer.sign(payload_of(of_decision(decided, a_rule(), {"cy": "Cy Lindqvist"})), PAYLOAD_TYPE)


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Sigstore's verifier installed. Without npm its tests are skipped, unless REQUIRE_BROWSER=1 (as CI says)."""
    npm = shutil.which("npm")
    if npm is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set, but there is no npm on the PATH")
        pytest.skip("there is no npm on the PATH; install it, or leave these tests to CI")
    directory = tmp_path_factory.mktemp("sigstore")
    (directory / "package.json").write_text("{}")
    (directory / "verify.js").write_text(VERIFY_JS)
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *SIGSTORE]
    done = subprocess.run(install, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


def with_another_payload(envelope: str) -> str:
    read = json.loads(envelope)
    changed = base64.b64decode(read["payload"]).replace(b'"approve"', b'"reject!"')
    return json.dumps({**read, "payload": base64.b64encode(changed).decode()})


def verified_by_sigstore(directory: Path, bundle: str, signer: DsseSigner, workplace: Path) -> str:
    (workplace / "bundle.json").write_text(bundle)
    (workplace / "key.pem").write_text(signer.key.pem)
    command = ["node", "verify.js", str(workplace / "bundle.json"), str(workplace / "key.pem")]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False).stdout.strip()


def verified_by_openssl(envelope: str, signer: DsseSigner, workplace: Path) -> str:
    (signature,) = signatures_of(envelope)
    files = {"signed": pae(inside(envelope)), "signature": signature.value, "key.pem": signer.key.pem.encode()}
    for name, content in files.items():
        (workplace / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"]
    if signer.key.algorithm == ED25519:
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
        command += ["-in", "signed", "-sigfile", "signature"]
    return subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=False).stdout.strip()


def test_openssl_verifies_the_bytes_that_were_signed(envelope: str, signer: DsseSigner, tmp_path: Path) -> None:
    said = verified_by_openssl(envelope, signer, tmp_path)

    assert said in ("Verified OK", "Signature Verified Successfully")


def test_openssl_finds_a_changed_payload(envelope: str, signer: DsseSigner, tmp_path: Path) -> None:
    said = verified_by_openssl(with_another_payload(envelope), signer, tmp_path)

    assert said in ("Verification failure", "Signature Verification Failure")


def test_sigstore_verifies_the_bundle(envelope: str, signer: DsseSigner, sigstore: Path, tmp_path: Path) -> None:
    said = verified_by_sigstore(sigstore, as_sigstore_bundle(envelope), signer, tmp_path)

    assert said == "verified"


def test_sigstore_finds_a_changed_payload(envelope: str, signer: DsseSigner, sigstore: Path, tmp_path: Path) -> None:
    said = verified_by_sigstore(sigstore, as_sigstore_bundle(with_another_payload(envelope)), signer, tmp_path)

    assert said == "SIGNATURE_ERROR"


def test_sigstore_finds_another_key(envelope: str, sigstore: Path, tmp_path: Path) -> None:
    stranger = signer_with(ec.generate_private_key(ec.SECP256R1()))

    assert verified_by_sigstore(sigstore, as_sigstore_bundle(envelope), stranger, tmp_path) == "SIGNATURE_ERROR"
