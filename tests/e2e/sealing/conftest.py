"""The sealed store's end-to-end tests share one kind of installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sealing.vault import Vault
from tests.fixtures.buckets import Buckets
from tests.fixtures.installation import Installation


@pytest.fixture
def vault(installation: Installation, buckets: Buckets, aws: pytest.MonkeyPatch, tmp_path: Path) -> Vault:
    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")
    key = tmp_path / "public.pem"
    key.write_text(installation.s.signer.key.pem)
    built = Vault(installation, buckets, f"prod-{buckets.bucket}", key)
    built.use_policy()
    return built
