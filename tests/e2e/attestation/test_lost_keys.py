"""The database is back on a machine without its keys: no other key takes their place silently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.assembly import make_missing_keys, missing_keys, signer_of
from bot.clients.keys import make_key
from bot.commands.processes import _compare_keys
from bot.signatures import APPROVALS, LEDGER
from config.settings import Settings, read_settings
from handlers.attestation.signing import register_key, retire_key
from handlers.ledger.checkpoints import take_checkpoint
from tests.fixtures.command_line import Finished, countersign
from tests.fixtures.installation import Installation, policy_text


@pytest.fixture
def new_home(tmp_path: Path) -> Path:
    """Beside the one of the installation, whose keys are not there."""
    (tmp_path / "new").mkdir(mode=0o700)
    return tmp_path / "new"


def database_of(installation: Installation) -> str:
    return installation.settings.database_url.get_secret_value()


def elsewhere(home: Path) -> Settings:
    return read_settings({"COUNTERSIGN_HOME": str(home)}, frozenset())


def serve(installation: Installation, home: Path) -> Finished:
    return call(["serve"], installation, home)


def call(words: list[str], installation: Installation, home: Path, **more: str) -> Finished:
    """It ends before it starts a process, or the test waits for ever."""
    policy = home / "policy.yaml"
    policy.write_text(policy_text(f"{installation.model}*").replace("    ticket:", "    # ticket:"))
    environ = {
        "DATABASE_URL": database_of(installation),
        "COUNTERSIGN_HOME": str(home),
        "COUNTERSIGN_POLICY": str(policy),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
        "SLACK_SIGNING_SECRET": "0" * 32,
        "JIRA_URL": "http://127.0.0.1:9",
        "JIRA_TOKEN": "of-the-tests",
        "PORT": "18437",
    }
    return countersign(*words, **environ, **more)


def test_serve_does_not_replace_keys_that_the_ledger_knows_and_says_what_to_do(
    installation: Installation, new_home: Path
) -> None:
    register_key(installation.s)
    take_checkpoint(installation.s)
    ids = installation.s.signer.key.id[:12], installation.s.checkpoint_signer.key.id[:12]

    for _ in range(2):  # a restart is told it too
        refused = serve(installation, new_home)

        said = " ".join(refused.stderr.split())
        assert refused.returncode == 2
        assert f"COUNTERSIGN_SIGNING_KEY: {new_home}/keys/approvals.pem is not there, and the ledger knows" in said
        assert f"COUNTERSIGN_CHECKPOINT_KEY: {new_home}/keys/checkpoints.pem is not there, and the ledger knows" in said
        assert "Put the saved key back there." in said
        assert f"`countersign keys new --algorithm ed25519 --out {new_home}/keys/checkpoints.pem`" in said
        assert [f"`countersign keys retire {one} --reason lost`" in said for one in ids] == [True, True]
        assert not (new_home / "keys").exists()


SIGNS_A_MODEL = ["attestation", "0123456789abcdef", "--format", "model-signing"]
NAMED = {
    "COUNTERSIGN_SIGNING_KEY": "elsewhere/approvals.pem",
    "COUNTERSIGN_CHECKPOINT_KEY": "elsewhere/checkpoints.pem",
}


@pytest.mark.parametrize("named", [{}, NAMED], ids=["default", "named"])
@pytest.mark.parametrize(
    ("words", "roles"),
    [
        (["serve"], [APPROVALS, LEDGER]),
        (["worker"], [APPROVALS, LEDGER]),
        (SIGNS_A_MODEL, [APPROVALS]),
        (["audit", "checkpoint"], [LEDGER]),
    ],
    ids=lambda words: words[0],
)
def test_whoever_needs_a_key_that_the_ledger_knows_is_told_which_and_where_to_bring_it_back(
    installation: Installation, new_home: Path, words: list[str], roles: list[str], named: dict[str, str]
) -> None:
    register_key(installation.s)
    take_checkpoint(installation.s)
    ids = {APPROVALS: installation.s.signer.key.id[:12], LEDGER: installation.s.checkpoint_signer.key.id[:12]}

    refused = call(words, installation, new_home, **named)

    said = " ".join(refused.stderr.split())
    assert refused.returncode == 2, said
    assert [f"({one}). Put the saved key back there." in said for role, one in ids.items() if role in roles] == [
        True for _ in roles
    ]
    assert (new_home / "keys").exists() is False


@pytest.mark.parametrize("words", [["worker"], SIGNS_A_MODEL], ids=lambda words: words[0])
def test_where_the_ledger_knows_no_key_it_is_said_how_to_make_one(
    installation: Installation, new_home: Path, words: list[str]
) -> None:
    refused = call(words, installation, new_home)

    assert refused.returncode == 2
    assert "Make a key with: countersign keys new --out" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("is_retired", [True, False])
def test_a_key_that_was_made_on_purpose_or_after_a_retirement_lets_serve_start(
    installation: Installation, new_home: Path, is_retired: bool
) -> None:
    register_key(installation.s)
    if is_retired:
        retire_key(installation.s.signer.key.id, "lost", installation.s)
    else:
        make_key(new_home / "keys" / "approvals.pem")
    settings = elsewhere(new_home)

    with capture_logs() as logs:
        _compare_keys(settings, database_of(installation), missing_keys(settings), "")

    key = signer_of(settings).key.id[:12]
    told = [(one["key"], one["ledger"]) for one in logs if one["event"] == "signing_key_is_new"]
    assert told == ([] if is_retired else [(key, installation.s.signer.key.id[:12])])
    assert missing_keys(settings) == {}


def test_the_first_start_makes_keys_and_a_key_that_a_setting_names_is_not_missing(
    installation: Installation, new_home: Path
) -> None:
    settings = elsewhere(new_home)
    assert set(missing_keys(settings)) == {APPROVALS, LEDGER}

    with capture_logs() as logs:
        _compare_keys(settings, database_of(installation), missing_keys(settings), "")

    assert logs == []
    assert missing_keys(settings) == {}
    named = read_settings({"COUNTERSIGN_SIGNING_KEY": "a.pem", "COUNTERSIGN_CHECKPOINT_KEY": "b.pem"}, frozenset())
    assert missing_keys(named) == {}


def test_the_keys_that_are_back_are_believed(installation: Installation, new_home: Path) -> None:
    settings = elsewhere(new_home)
    make_missing_keys(settings)
    installation.s = replace(installation.s, signer=signer_of(settings))
    register_key(installation.s)

    with capture_logs() as logs:
        _compare_keys(settings, database_of(installation), missing_keys(settings), "")

    assert logs == []
