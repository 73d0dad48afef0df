"""`countersign doctor` on a complete install, and with one thing wrong at a time in the settings or in our own installation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.assembly import signer_of
from bot.clients.keys import make_key, make_key_unless_there
from bot.database.connect import connect
from bot.database.schema import check_schema
from bot.doctor.findings import Status
from bot.domain.ledger.cosignature import WitnessKey
from bot.errors import Permanent, WrongSchema
from bot.sandbox.jira import Deployment
from bot.signatures import ECDSA_P256, ED25519
from bot.store import tables
from config.settings import Settings
from handlers.attestation.signing import register_key
from handlers.ledger.checkpoints import take_checkpoint
from tests.fixtures.doctor_world import ELSEWHERE, Installation
from tests.fixtures.workers import Bench


def run(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=environ)


# All is well


def test_all_is_green_in_a_complete_installation(installed: Installation, bench: Bench) -> None:
    installed.run_processes(bench)

    result = run(installed.environ, "--register-webhook")

    assert result.exit_code == 0, result.output
    assert "warn" not in result.output.replace("with a warning", "")
    assert result.output.splitlines()[-1].endswith("0 failed, 0 with a warning.")


def test_all_is_green_with_socket_mode_and_jira_data_center(install: Callable[..., Installation]) -> None:
    installed = install(Deployment.SERVER)
    del installed.environ["SLACK_SIGNING_SECRET"]
    installed.environ["SLACK_APP_TOKEN"] = installed.slack.app.app_token

    found = {finding.what: finding for finding in installed.examine()}

    assert found["settings"].why == "complete for web, worker, clock, socket"
    assert found["slack socket"].status is Status.OK
    assert found["jira"].why.startswith("Data Center")
    assert not [one for one in found.values() if one.what.startswith(("slack", "jira")) and one.status is not Status.OK]


def test_json_says_the_same_for_programs(installed: Installation) -> None:
    result = run(installed.environ, "--json")

    rows = json.loads(result.stdout)
    assert {"status": "ok", "what": "schema", "why": "up to date", "fix": ""} in rows


@pytest.mark.parametrize(("off", "how"), [(600, "ahead of"), (-7200, "behind")])
def test_a_machine_whose_clock_differs_from_the_databases_is_a_warning(
    off: int, how: str, installed: Installation
) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=off)):
        (why,) = [one.why for one in installed.examine() if one.what == "time" and one.status is Status.WARN]

    assert f" s {how} the database's" in why
    assert abs(int(why.split()[4]) - abs(off)) < 20  # a busy machine


def test_a_witness_that_lacks_the_newest_checkpoint_is_named(installed: Installation) -> None:
    key = WitnessKey("witness.example.com", bytes(32))
    installed.environ["COUNTERSIGN_WITNESSES"] = f"{key}@{ELSEWHERE}"
    before = [one.why for one in installed.examine() if one.what == "witnesses"]

    take_checkpoint(installed.s)

    assert before == [f"{key.id} gets the first checkpoint, after the first decision"]
    assert installed.troubles()["witnesses"].why.startswith(f"{key.id} has not signed the newest checkpoint of ")


def test_a_name_that_looks_like_an_unset_setting_is_a_warning(installed: Installation) -> None:
    installed.environ["SMTP_URI"] = "smtp://mail.example.com"

    (found,) = (one for one in installed.examine() if one.what == "settings" and one.status is Status.WARN)

    assert found.why == "SMTP_URI is not a setting of this version of Countersign"
    assert found.fix == "rename it to SMTP_URL, unless another program reads it"


def test_one_wrong_setting_does_not_lead_doctor_to_another_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    told = run({"COUNTERSIGN_HOEM": "x", "MLFLOW_TRACKING_URI": "", "SLACK_BOT_TOKEN": ""}).output

    assert "Did you mean COUNTERSIGN_HOME?" in told
    assert "policy" not in told.replace("the policy's rules", "").replace("settings and a policy", "")
    assert told.splitlines()[-1].startswith("Nothing is set up here. `countersign init` asks for what is needed")


def test_processes_that_never_ran_are_no_failure(installed: Installation) -> None:
    result = run(installed.environ, "--register-webhook")

    assert result.exit_code == 0, result.output
    assert "warn  worker" in result.output


def test_nothing_is_changed_by_looking(installed: Installation) -> None:
    before = installed.mlflow.get_registered_model(installed.model)

    installed.examine()

    after = installed.mlflow.get_registered_model(installed.model)
    assert (after.aliases, after.tags, after.last_updated_timestamp) == ({}, {}, before.last_updated_timestamp)
    assert installed.jira.issues() == []
    assert installed.slack.messages("model-approvals") == []


# Settings


def test_settings_that_cannot_be_read_are_all_listed(installed: Installation) -> None:
    installed.policy_path.write_text(installed.policy_path.read_text() + "surprise: 1\n")
    for name in ("MLFLOW_TRACKING_URI", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"):
        installed.environ[name] = ""

    result = run(installed.environ)

    assert result.exit_code == 2
    assert [line.split()[0] for line in result.stderr.splitlines()][:3] == [
        "MLFLOW_TRACKING_URI",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
    ]
    assert "surprise" in result.stderr


def test_jira_is_demanded_by_a_policy_that_opens_tickets(installed: Installation) -> None:
    installed.environ["JIRA_URL"] = ""

    result = run(installed.environ)

    assert result.exit_code == 2
    assert result.stderr.startswith("JIRA_URL is not set.")


# The installation


def test_a_database_that_does_not_answer_hides_nobody_else(installed: Installation) -> None:
    installed.environ["DATABASE_URL"] = "postgresql://countersign:canary-password@127.0.0.1:9/countersign"

    result = run(installed.environ)

    assert result.exit_code == 1
    assert "FAIL  database" in result.output
    assert result.output.count("FAIL") == 1
    assert "it reads the database; see the line `database`" in result.output
    assert "ok    slack scopes" in result.output
    assert "canary-password" not in result.output


def test_an_embedded_database_that_has_ended_is_one_failure(
    installed: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    installed.environ |= {"DATABASE_URL": "", "COUNTERSIGN_HOME": str(home)}

    failed = [finding.what for finding in installed.examine() if "No database" in finding.why]

    assert failed == ["database"]


def test_socket_mode_needs_no_address(installed: Installation) -> None:
    installed.environ |= {"COUNTERSIGN_URL": "", "SLACK_APP_TOKEN": installed.slack.app.app_token}

    found = {finding.what: finding.status for finding in installed.examine()}

    assert found["address"] is Status.OK


def test_no_database_is_told_with_the_mend(installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    installed.environ |= {"DATABASE_URL": "", "COUNTERSIGN_HOME": str(tmp_path_factory.mktemp("home"))}

    trouble = installed.troubles()["database"]

    assert (trouble.status, trouble.fix) == (Status.WARN, "start `countersign serve`")


def test_a_database_without_tables_is_told(installed: Installation, empty_database_url: str) -> None:
    installed.environ["DATABASE_URL"] = empty_database_url

    trouble = installed.troubles()["schema"]

    assert (trouble.status, trouble.fix) == (Status.FAIL, "run `countersign migrate`, then try again")


@pytest.mark.parametrize("revision", ["0005", "9999"])
def test_a_schema_of_another_release_is_a_failure_that_says_what_every_command_says(
    revision: str, installed: Installation, database_url: str
) -> None:
    with connect(database_url) as owner:
        owner.execute("update alembic_version set version_num = %s", (revision,))
    with pytest.raises(WrongSchema) as refused:
        check_schema(database_url)

    trouble = installed.troubles()["schema"]

    assert trouble.status is Status.FAIL
    assert f"{trouble.why}. {trouble.fix}".lower() == str(refused.value).lower()


def test_no_policy_in_force_is_a_failure(installed: Installation, make_database: Callable[[], str]) -> None:
    installed.environ["DATABASE_URL"] = make_database()

    assert installed.troubles()["policy"].status is Status.FAIL


def test_a_policy_file_that_is_not_in_force_is_told(installed: Installation) -> None:
    installed.policy_path.write_text(installed.policy_path.read_text() + "# edited\n")

    assert "countersign policy activate" in installed.troubles()["policy"].fix


def test_a_worker_that_is_gone_is_a_failure(installed: Installation) -> None:
    installed.tick()

    assert installed.troubles()["worker"].status is Status.FAIL


def test_a_clock_that_stands_still_is_a_failure(installed: Installation) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with installed.s.store.engine.begin() as connection:
        connection.execute(sa.insert(tables.clock_ticks).values(kind="sweep_models", period="1", at=an_hour_ago))
        connection.execute(sa.insert(tables.sweeps).values(kind="models", workspace="default", done_at=an_hour_ago))

    troubles = installed.troubles()

    assert troubles["clock"].why.startswith("last ticked 60 min ago")
    assert troubles["sweep of models"].status is Status.FAIL


def test_parked_jobs_are_told(installed: Installation, bench: Bench) -> None:
    def refuse(_: str) -> None:
        raise Permanent("no such channel")

    bench.defer("sync_card")
    bench.jobs.drain({"sync_card": refuse, "announce": lambda _: None, "bind_accounts": lambda _: None})

    trouble = installed.troubles()["jobs"]
    assert (trouble.status, trouble.why) == (Status.WARN, "parked, waiting for a person: 1 sync_card")


def test_an_address_that_nobody_answers_is_a_failure(installed: Installation) -> None:
    installed.environ["COUNTERSIGN_URL"] = ELSEWHERE

    assert "cannot be reached" in installed.troubles()["address"].why


def test_an_address_of_somebody_else_is_a_failure(installed: Installation) -> None:
    installed.environ["COUNTERSIGN_URL"] = installed.environ["JIRA_URL"]

    assert "not as Countersign does" in installed.troubles()["address"].why


def test_a_proxy_that_is_not_named_is_a_warning(installed: Installation) -> None:
    installed.environ["COUNTERSIGN_URL"] = ELSEWHERE.replace("http:", "https:")
    without = installed.troubles()

    installed.environ["COUNTERSIGN_PROXIES"] = "127.0.0.1,10.0.0.0/8"
    named = [one.why for one in installed.examine() if one.what == "proxies"]

    assert (without["proxies"].status, "all its clients are one" in without["proxies"].why) == (Status.WARN, True)
    assert named == ["X-Forwarded-For is believed from 127.0.0.1/32, 10.0.0.0/8"]


def test_a_web_process_with_another_signing_secret_is_told(installed: Installation) -> None:
    installed.environ["SLACK_SIGNING_SECRET"] = "f" * 32

    assert "restart" in installed.troubles()["slack door"].fix


# Secrets


def test_no_secret_is_ever_printed(installed: Installation) -> None:
    canaries = {
        "DATABASE_URL": "postgresql://u:canary-database@127.0.0.1:9/x",
        "SLACK_BOT_TOKEN": "xoxb-canary-slack",
        "SLACK_SIGNING_SECRET": "canary-signing",
        "JIRA_API_TOKEN": "canary-jira",
        "MLFLOW_WEBHOOK_SECRET": "canary-webhook",
        "COUNTERSIGN_API_TOKEN": "canary-api-token-0123",
    }
    installed.environ |= canaries

    told = "\n".join(str(finding) for finding in installed.examine())

    assert "canary" not in told


def test_before_the_first_start_what_serve_will_make_is_a_warning_and_no_failure(
    installed: Installation, tmp_path: Path
) -> None:
    del installed.environ["DATABASE_URL"]
    installed.environ |= {"COUNTERSIGN_HOME": str(tmp_path / "new"), "COUNTERSIGN_URL": "http://127.0.0.1:9"}
    make_key_unless_there(tmp_path / "new" / "keys" / "approvals.pem")

    troubles = installed.troubles()

    assert {what: troubles[what].status for what in ("database", "address")} == {"database": "warn", "address": "warn"}
    assert [what for what, finding in troubles.items() if finding.status is Status.FAIL] == []


def test_keys_that_the_ledger_knows_and_that_are_not_here_are_told(installed: Installation, tmp_path: Path) -> None:
    register_key(replace(installed.s, signer=signer_of(Settings.model_validate(installed.environ))))
    take_checkpoint(installed.s)
    former = {what: finding.why for what, finding in installed.troubles().items()}
    for name, algorithm in (("COUNTERSIGN_SIGNING_KEY", ECDSA_P256), ("COUNTERSIGN_CHECKPOINT_KEY", ED25519)):
        installed.environ[name] = str(tmp_path / "gone" / f"{name}.pem")

        without = [finding for finding in installed.examine() if finding.what in ("signing key", "checkpoints")]
        make_key(Path(installed.environ[name]), algorithm)
        troubles = installed.troubles()

        what = "signing key" if name == "COUNTERSIGN_SIGNING_KEY" else "checkpoints"
        assert what not in former
        (lost,) = [finding for finding in without if finding.what == what]
        assert (lost.status, lost.fix.startswith("put the saved key back there. If it is lost: ")) == (
            Status.FAIL,
            True,
        )
        assert "which is not here" in troubles[what].why
        assert troubles[what].fix.startswith("put the saved file of that key back; if it was replaced on purpose")


@pytest.mark.parametrize("content", [None, "no key", ECDSA_P256], ids=["missing", "no key", "of another kind"])
def test_the_one_command_that_doctor_gives_for_a_checkpoint_key_makes_one_that_it_takes(
    content: str | None, installed: Installation, tmp_path: Path
) -> None:
    path, another = tmp_path / "new" / "checkpoints.pem", tmp_path / "new" / "another.pem"
    installed.environ["COUNTERSIGN_CHECKPOINT_KEY"] = str(path)
    if content == ECDSA_P256:
        make_key(path)
    elif content:
        path.parent.mkdir(mode=0o700)
        path.write_text(content)
        path.chmod(0o600)

    told = installed.troubles()["checkpoints"]

    (command,) = re.findall(r"countersign (keys new (?:--\S+ \S+ ?)+)", f"{told.fix}`".replace("`", " "))
    given = command.replace("FILE", str(another)).split()
    assert CliRunner().invoke(main, given).exit_code == 0
    installed.environ["COUNTERSIGN_CHECKPOINT_KEY"] = given[-1]
    assert "checkpoints" not in installed.troubles()


def test_before_another_key_is_made_the_one_that_the_ledger_knows_is_to_be_brought_back(
    installed: Installation, tmp_path: Path
) -> None:
    take_checkpoint(installed.s)
    path = tmp_path / "elliptic.pem"
    make_key(path)
    installed.environ["COUNTERSIGN_CHECKPOINT_KEY"] = str(path)

    (told,) = [one for one in installed.examine() if one.what == "checkpoints"]

    known = installed.s.checkpoint_signer.key.id[:12]
    assert told.why == f"{path} holds a key that is not Ed25519, so no worker starts"
    assert told.fix.startswith(f"the ledger knows {known}: put the saved file of that key back, or make another with")
