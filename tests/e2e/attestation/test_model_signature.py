"""`countersign attestation --format model-signing`: OpenSSF's own verifier checks the approved files, and knows nothing of Countersign."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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


def verified(folder: Path, signature: Path, key: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder)]
    options = ["--signature", str(signature), "--public_key", str(key)]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


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

    as_approved = verified(folder, signature, key)
    (folder / "data" / "a.bin").write_text("changed")
    changed = verified(folder, signature, key)
    (folder / "data" / "a.bin").write_text("data/a.bin")
    (folder / "code.py").write_text("added")
    added = verified(folder, signature, key)
    (folder / "code.py").unlink()
    (folder / "data.bin").unlink()
    missing = verified(folder, signature, key)

    assert as_approved.returncode == 0, as_approved.stderr
    assert (changed.returncode, "Hash mismatch for 'data/a.bin'" in changed.stderr) == (1, True)
    assert (added.returncode, "Extra files found" in added.stderr) == (1, True)
    assert (missing.returncode, "Missing files" in missing.stderr) == (1, True)
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
