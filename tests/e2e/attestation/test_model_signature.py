"""`countersign attestation --format model-signing`: OpenSSF's own verifier checks the approved files, and knows nothing of Countersign."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.clients.signers import signer_with
from bot.domain.events import ModelSigned
from bot.domain.model import TransitionRequest
from bot.errors import Refused
from handlers.attestation.model_signature import sign_model
from handlers.attestation.signing import register_key
from tests.fixtures.installation import Installation

COUNTERSIGN = Path(sys.executable).with_name("countersign")


def with_files(installation: Installation) -> TransitionRequest:
    """A request for a version with files in two folders, whose names sort differently as text and as paths."""
    version = installation.register()
    for path in ("MLmodel", "data/a.bin", "data-more/b.bin", "data.bin"):
        text = "flavors: {}" if path == "MLmodel" else path
        installation.mlflow.log_text(installation.run_of(version), text, f"model/{path}")
    return installation.asked(version)


def fetched(installation: Installation, request: TransitionRequest, folder: Path) -> Path:
    """The files as another party has them, with the file that MLflow adds to its copies."""
    run = installation.run_of(request.version.version)
    place = Path(installation.mlflow.download_artifacts(run, "model", str(folder)))
    (place / "registered_model_meta").write_text("model_name: x")
    return place


VERIFY = """
import sys
from model_signing.verifying import Config

signature, key, *folders = sys.argv[1:]
for folder in folders:
    try:
        Config().use_elliptic_key_verifier(public_key=key).verify(folder, signature)
        print("verified")
    except ValueError as refused:
        print(refused)
"""


def verified(signature: Path, key: Path, *folders: Path) -> list[str]:
    """What OpenSSF's `model_signing` says of each folder, in a process of its own."""
    command = [sys.executable, "-c", VERIFY, str(signature), str(key), *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_another_partys_verifier_accepts_the_approved_files_and_refuses_a_changed_an_added_and_a_missing_one(
    installation: Installation, tmp_path: Path
) -> None:
    request = with_files(installation)
    installation.approve(request)
    settings = installation.settings
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "COUNTERSIGN_SIGNING_KEY": settings.signing_key_location,
    }
    command = [str(COUNTERSIGN), "attestation", request.id, "--format", "model-signing", "--out", str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    signature, key = tmp_path / "model.sig", tmp_path / "key.pem"
    key.write_text(installation.s.signer.key.pem)
    folder = fetched(installation, request, tmp_path)

    changed, added, missing = (Path(copytree(folder, tmp_path / name)) for name in ("changed", "added", "missing"))
    (changed / "data" / "a.bin").write_text("changed")
    (added / "code.py").write_text("added")
    (missing / "data.bin").unlink()

    said = verified(signature, key, folder, changed, added, missing)

    assert said[0] == "verified"
    assert "Hash mismatch for 'data/a.bin'" in said[1]
    assert "Extra files found" in said[2]
    assert "Missing files" in said[3]
    assert installation.happened(ModelSigned) == ["ModelSigned"]
    assert installation.ledger_fault() is None


def test_only_an_approval_that_is_valid_now_is_signed_and_only_with_a_key_that_others_can_verify(
    installation: Installation,
) -> None:
    request = with_files(installation)
    with pytest.raises(Refused, match="is not an approval that is valid now"):
        sign_model(request.id, installation.s)
    installation.approve(request)
    other = replace(installation.s, signer=signer_with(Ed25519PrivateKey.generate()))
    register_key(other)

    with pytest.raises(Refused, match="model_signing verifies only ECDSA keys"):
        sign_model(request.id, other)

    assert installation.happened(ModelSigned) == []
