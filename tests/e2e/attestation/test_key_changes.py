"""The keys change hands or are lost, as docs/keys.md tells: what was signed before still verifies, and what comes after waits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import main
from bot.assembly import check_checkpoint_key, check_link_key, signer_of
from bot.clients.keys import make_key
from bot.clients.note_keys import NoteKeyFile
from bot.clients.signers import read_signer
from bot.engine.rows import JobStatus
from bot.errors import InvalidSettings
from bot.links import KEY_FILE, make_link_key
from bot.signatures import ED25519
from config.settings import Settings
from handlers.attestation.signing import register_key, retire_key
from handlers.ledger.checkpoints import take_checkpoint
from tests.fixtures.installation import Installation
from tests.gate.approvals import gate

COUNTERSIGN = Path(sys.executable).with_name("countersign")


def audited(installation: Installation, *words: str) -> tuple[int, str]:
    environ = {"DATABASE_URL": installation.settings.database_url.get_secret_value()}
    told = CliRunner().invoke(main, ["audit", "verify", *words], env=environ)
    return told.exit_code, told.output


def ships(installation: Installation, version: int, *keys: Path) -> int:
    """The gate's exit code, without the bot."""
    options = [word for key in keys for word in ("--key", str(key))]
    uri = f"models:/{installation.model}/{version}"
    return gate(installation.settings.mlflow_tracking_uri, "check", uri, "--target", "alias:champion", *options).code


def public(installation: Installation, file: Path) -> Path:
    file.write_text(installation.s.signer.key.pem)
    return file


def another_signer(installation: Installation, file: Path) -> None:
    """As a worker has it that was restarted with another COUNTERSIGN_SIGNING_KEY."""
    make_key(file)
    installation.s = replace(installation.s, signer=read_signer(str(file)))
    register_key(installation.s)


def test_a_key_is_rotated_and_what_it_signed_still_ships(installation: Installation, tmp_path: Path) -> None:
    installation.approve(installation.asked())
    old = public(installation, tmp_path / "old.pem")
    first = installation.s.signer.key.id

    another_signer(installation, tmp_path / "approvals.pem")
    retire_key(first, "rotated", installation.s)
    installation.approve(installation.asked(installation.register()))
    new = public(installation, tmp_path / "new.pem")

    assert [ships(installation, 1, old, new), ships(installation, 2, old, new)] == [0, 0]
    assert [ships(installation, 2, old), ships(installation, 2, new)] == [1, 0]
    assert installation.champion() == 2
    assert audited(installation)[0] == 0


def test_a_lost_key_is_retired_and_approvals_wait_for_the_next_one(installation: Installation, tmp_path: Path) -> None:
    installation.approve(installation.asked())
    retire_key(installation.s.signer.key.id, "the disk was lost", installation.s)
    installation.approve(installation.asked(installation.register()))
    while_lost = installation.champion()

    another_signer(installation, tmp_path / "approvals.pem")
    installation.s.store.jobs.replay_all()
    installation.settle()

    assert (while_lost, installation.champion()) == (1, 2)
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []
    assert audited(installation)[0] == 0


def test_the_ledgers_key_is_lost_and_the_next_one_continues_the_same_ledger(
    installation: Installation, tmp_path: Path
) -> None:
    installation.approve(installation.asked())
    before = take_checkpoint(installation.s)
    (tmp_path / "before.txt").write_text(before.note)
    retire_key(installation.s.checkpoint_signer.key.id, "the disk was lost", installation.s)
    installation.approve(installation.asked(installation.register()))
    parked = [job.name for job in installation.s.store.jobs.listing(JobStatus.PARKED)]

    make_key(tmp_path / "checkpoints.pem", ED25519)
    installation.s = replace(installation.s, checkpoint_signer=NoteKeyFile(tmp_path / "checkpoints.pem"))
    installation.s.store.jobs.replay_all()
    installation.settle()
    (tmp_path / "after.txt").write_text(take_checkpoint(installation.s).note)

    assert (parked, installation.champion()) == (["witness"], 2)
    code, told = audited(
        installation, "--checkpoint", str(tmp_path / "before.txt"), "--checkpoint", str(tmp_path / "after.txt")
    )
    assert code == 0, told
    assert installation.s.store.jobs.listing(JobStatus.PARKED) == []


# At the start


def test_one_key_in_two_roles_is_refused_also_as_a_copy(installation: Installation, tmp_path: Path) -> None:
    make_key(tmp_path / "one.pem", ED25519)
    (tmp_path / "copy.pem").touch(mode=0o600)
    (tmp_path / "copy.pem").write_bytes((tmp_path / "one.pem").read_bytes())
    for file in ("one.pem", "copy.pem"):
        settings = installation.settings.model_copy(
            update={"signing_key": str(tmp_path / "one.pem"), "checkpoint_key": tmp_path / file}
        )

        with pytest.raises(InvalidSettings, match=f"{file} holds the key that signs approvals"):
            check_checkpoint_key(settings, signer_of(settings))


def test_the_secret_of_links_is_its_owners_alone(tmp_path: Path) -> None:
    make_link_key(tmp_path)
    settings = Settings(COUNTERSIGN_HOME=tmp_path)
    check_link_key(settings)
    (tmp_path / KEY_FILE).chmod(0o640)

    with pytest.raises(InvalidSettings, match=f"is open to its group .* Run: chmod 600 {tmp_path / KEY_FILE}"):
        check_link_key(settings)


def test_a_worker_with_a_key_that_others_can_read_does_not_start(database_url: str, tmp_path: Path) -> None:
    signing, checkpoints = tmp_path / "a.pem", tmp_path / "c.pem"
    make_key(signing)
    make_key(checkpoints, ED25519)
    checkpoints.chmod(0o644)
    outside = {
        "DATABASE_URL": database_url,
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
        "SLACK_SIGNING_SECRET": "of-the-tests",
        "JIRA_URL": "http://127.0.0.1:9",
        "JIRA_TOKEN": "of-the-tests",
        "SMTP_URL": "smtp://127.0.0.1:9?from=a@example.com",
        "COUNTERSIGN_SIGNING_KEY": str(signing),
        "COUNTERSIGN_CHECKPOINT_KEY": str(checkpoints),
    }

    told = subprocess.run(
        [str(COUNTERSIGN), "worker"], env={**os.environ, **outside}, capture_output=True, text=True, check=False
    )
    signing.chmod(0o640)

    assert told.returncode == 2
    assert told.stderr.startswith(f"COUNTERSIGN_CHECKPOINT_KEY: {checkpoints} is open to everyone (mode 644)")
    assert f"Run: chmod 600 {checkpoints}." in told.stderr
    with pytest.raises(InvalidSettings, match=f"COUNTERSIGN_SIGNING_KEY: {signing} is open to its group"):
        signer_of(Settings.model_validate({"COUNTERSIGN_SIGNING_KEY": str(signing)}))
