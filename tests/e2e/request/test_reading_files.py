"""The files of a version while they are read, and their list afterwards."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from bot.domain.model import Evidence, State
from bot.engine.rows import JobStatus
from bot.ports import ModelRegistry, ProgressListener
from tests.fixtures.installation import Installation

COUNTERSIGN = Path(sys.executable).with_name("countersign")
GB = 10**9


class HoldingLargeModels:
    """The registry, whose models take so long to read that one can look on."""

    def __init__(self, registry: ModelRegistry, read: Callable[[ProgressListener], None]) -> None:
        self._registry = registry
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def read_evidence(self, *what: Any, **more: Any) -> Evidence:
        self._read(what[-1])
        return self._registry.read_evidence(*what, **more)


def test_how_far_the_reading_of_a_large_model_is_stands_on_its_card(installation: Installation) -> None:
    shown: list[str] = []

    def read(follower: ProgressListener) -> None:
        for done, later in ((0, 5), (1, 11), (2, 0)):
            follower.on_progress(done * GB, 14 * GB)
            installation.settle()  # as another thread of the worker does meanwhile
            shown.append(installation.cards()[-1].all_text)
            installation.clock.ahead += timedelta(seconds=later)

    installation.s = replace(
        installation.s, registry=cast("ModelRegistry", HoldingLargeModels(installation.s.registry, read))
    )
    request = installation.asked()

    collecting = "The evidence is being collected; the vote opens after that."
    assert f"{collecting} 0 bytes of 14.0 GB of its files are read." in shown[0]
    assert "Approve?" not in shown[0]
    assert shown[1] == shown[0]
    assert f"{collecting} 2.0 GB of 14.0 GB of its files are read." in shown[2]
    assert len(installation.cards()) == 1
    assert (installation.reread(request).state, "being collected" in installation.card(request).all_text) == (
        State.PENDING,
        False,
    )
    with installation.s.store.transaction() as tx:
        assert tx.readings.find(request.id) is None


def test_a_slack_that_refuses_does_not_keep_a_large_model_from_being_read(installation: Installation) -> None:
    def read(follower: ProgressListener) -> None:
        for done in (0, 1, 2):
            follower.on_progress(done * GB, 14 * GB)
            installation.settle()
            installation.clock.ahead += timedelta(minutes=1)

    installation.s = replace(
        installation.s, registry=cast("ModelRegistry", HoldingLargeModels(installation.s.registry, read))
    )
    installation.slack.app.revoked = True
    request = installation.asked()

    parked = [job.name for job in installation.s.store.jobs.listing(JobStatus.PARKED)]
    assert installation.reread(request).state is State.PENDING
    assert parked == ["sync_card"] * 3  # the reading's first word, then the frozen evidence and the ticket


def test_a_small_model_is_read_before_anybody_wonders(installation: Installation) -> None:
    shown: list[int] = []

    def read(follower: ProgressListener) -> None:
        follower.on_progress(0, GB - 1)
        shown.append(len(installation.cards()))

    installation.s = replace(
        installation.s, registry=cast("ModelRegistry", HoldingLargeModels(installation.s.registry, read))
    )
    installation.asked()

    assert (shown, len(installation.cards())) == ([0], 1)


def test_the_list_of_files_that_was_signed_can_be_had_to_compare_them(
    installation: Installation, tmp_path: Path
) -> None:
    version = installation.register()
    installation.mlflow.log_text(installation.run_of(version), "weights", "model/weights/model.bin")
    request = installation.asked(version)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.bin").write_text("weights")

    environment = {**os.environ, "DATABASE_URL": installation.settings.database_url.get_secret_value()}
    command = [str(COUNTERSIGN), "attestation", request.id, "--format", "manifest"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    (tmp_path / "files.sha256").write_text(printed)
    compared = subprocess.run(["sha256sum", "--check", "files.sha256"], cwd=tmp_path, capture_output=True, check=False)

    evidence = installation.reread(request).evidence
    assert evidence is not None
    assert evidence.artifacts is not None
    assert evidence.artifacts.digest == f"sha256:{hashlib.sha256(printed.encode()).hexdigest()}"
    assert compared.returncode == 0
