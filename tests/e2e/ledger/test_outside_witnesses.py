"""Witnesses outside: a C2SP witness and a timestamp authority sign every checkpoint, and the audit demands it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.__main__ import main
from bot.clients.keys import make_key
from bot.clients.timestamps import TimestampAuthority, read_certificates
from bot.clients.witnesses import CosigningWitness
from bot.engine.rows import JobStatus
from bot.metrics import Housekeeping
from bot.signatures import ED25519, ledger_key
from bot.witness.protocol import WitnessSigner
from bot.witness.server import WitnessServer
from bot.witness.state import Seen
from handlers.ledger.checkpoints import take_checkpoint
from handlers.ledger.outside import ask_new_witnesses
from tests.fixtures.installation import Installation
from tests.fixtures.timestamp_authority import Authority, timestamp_authority

COUNTERSIGN = Path(sys.executable).with_name("countersign")
SIGNER = WitnessSigner("witness.example.com", Ed25519PrivateKey.generate())


@contextmanager
def witness_of(installation: Installation, state: Path) -> Iterator[str]:
    """A witness that knows the installation's ledger; its address."""
    logs = [ledger_key(installation.s.checkpoint_signer.key.pem)]
    with WitnessServer(("127.0.0.1", 0), logs, Seen(state), SIGNER) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with timestamp_authority(tmp_path_factory.mktemp("tsa")) as found:
        yield found


def verify(installation: Installation, *words: str, configured: str = "") -> Result:
    environ = {
        "DATABASE_URL": installation.settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(installation.settings.home),
        "COUNTERSIGN_WITNESSES": configured,
    }
    return CliRunner().invoke(main, ["audit", "verify", *words], env=environ)


def as_owner(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter table ledger disable trigger user")
        assert connection.execute(statement.encode()).rowcount > 0
        connection.execute("alter table ledger enable trigger user")


def backdate(installation: Installation, column: str) -> None:
    """By two days."""
    table, _, name = column.partition(".")
    statement = f"update {table} set {name} = {name} - interval '2 days'"
    with psycopg.connect(installation.settings.database_url.get_secret_value()) as connection:
        assert connection.execute(statement.encode()).rowcount > 0


def waiting(installation: Installation, status: JobStatus) -> list[str]:
    return [job.name for job in installation.s.store.jobs.listing(status) if job.name == "send_to_witness"]


def promoted(installation: Installation) -> None:
    installation.approve(installation.asked(installation.register()))


def test_both_sign_each_checkpoint_and_the_audit_says_when(
    installation: Installation, authority: Authority, tmp_path: Path
) -> None:
    with witness_of(installation, tmp_path / "witness.notes") as url:
        outside = (
            CosigningWitness(SIGNER.key, url),
            TimestampAuthority(read_certificates(authority.roots), authority.url),
        )
        installation.s = replace(installation.s, outside=outside)
        promoted(installation)
        promoted(installation)

    demanded = ("--witness", str(SIGNER.key), "--tsa", str(authority.roots))
    told = verify(installation, *demanded, "--checkpoint", str(tmp_path / "witness.notes"))
    for_programs = json.loads(verify(installation, *demanded, "--json").stdout)

    assert told.exit_code == 0, told.output
    assert f"Witness {SIGNER.key.id} has signed 2 checkpoints" in told.output
    assert "Witness tsa has signed 2 checkpoints" in told.output
    assert [one["checkpoints"] for one in for_programs["outside"]] == [2, 2]
    gauges = {one.name: one for one in Housekeeping(installation.s.store, lambda tx: []).collect()}
    entries = {one.labels["witness"]: int(one.value) for one in gauges["countersign_witnessed_entries"].samples}
    assert entries == {one["name"]: one["size"] for one in for_programs["outside"]}
    assert waiting(installation, JobStatus.WAITING) + waiting(installation, JobStatus.PARKED) == []


@pytest.mark.proof
def test_what_they_signed_is_checked_and_missing_when_it_is_gone(
    installation: Installation, authority: Authority, tmp_path: Path
) -> None:
    url = installation.settings.database_url.get_secret_value()
    demanded = ("--witness", str(SIGNER.key), "--tsa", str(authority.roots))
    with witness_of(installation, tmp_path / "witness.notes") as address:
        outside = (
            CosigningWitness(SIGNER.key, address),
            TimestampAuthority(read_certificates(authority.roots), authority.url),
        )
        installation.s = replace(installation.s, outside=outside)
        promoted(installation)
        promoted(installation)

    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select * from witnessed")
        for name in (SIGNER.key.id, "tsa"):
            first = "(select evidence from kept where witness = %s order by size limit 1)"
            swapped = f"update witnessed set evidence = {first} where witness = %s"
            connection.execute(swapped.encode(), (name, name))
            connection.commit()
            changed = verify(installation, *demanded)
            connection.execute("delete from witnessed where witness = %s", (name,))
            connection.commit()
            gone = verify(installation, *demanded)
            connection.execute("insert into witnessed select * from kept where witness = %s", (name,))
            connection.commit()

            assert (changed.exit_code, f"what witness {name} signed over" in changed.output) == (1, True), (
                changed.output
            )
            assert (gone.exit_code, f"witness {name} has signed no checkpoint" in gone.output) == (1, True)
    assert verify(installation, *demanded).exit_code == 0


def test_one_that_is_down_holds_up_nothing_and_gets_everything_later(
    installation: Installation, authority: Authority, tmp_path: Path
) -> None:
    authority.is_down = True
    stamps = TimestampAuthority(read_certificates(authority.roots), authority.url)
    nowhere = CosigningWitness(SIGNER.key, "http://127.0.0.1:9")
    installation.s = replace(installation.s, outside=(nowhere, stamps))
    promoted(installation)
    moved, tried = installation.champion(), waiting(installation, JobStatus.WAITING)

    authority.is_down = False
    with witness_of(installation, tmp_path / "witness.notes") as url:
        installation.s = replace(installation.s, outside=(CosigningWitness(SIGNER.key, url), stamps))
        installation.make_jobs_due()
        installation.settle()

    assert (moved, tried) == (1, ["send_to_witness"] * 2)
    assert verify(installation, "--witness", str(SIGNER.key), "--tsa", str(authority.roots)).exit_code == 0


@pytest.mark.proof
def test_one_that_has_signed_nothing_new_for_a_day_fails_the_audit(installation: Installation, tmp_path: Path) -> None:
    with witness_of(installation, tmp_path / "witness.notes") as url:
        installation.s = replace(installation.s, outside=(CosigningWitness(SIGNER.key, url),))
        promoted(installation)
    installation.s = replace(installation.s, outside=())
    promoted(installation)
    fresh = verify(installation, "--witness", str(SIGNER.key))

    backdate(installation, "checkpoints.made_at")
    late = verify(installation, "--witness", str(SIGNER.key))

    assert fresh.exit_code == 0
    assert (late.exit_code, "has signed nothing newer than the checkpoint of" in late.output) == (1, True)


@pytest.mark.proof
def test_a_witness_in_the_settings_has_a_day_to_sign_from_the_first_time_it_is_asked(
    installation: Installation,
) -> None:
    nowhere = "http://127.0.0.1:9"
    configured = f"{SIGNER.key}@{nowhere}"
    no_checkpoint_yet = verify(installation, configured=configured)
    promoted(installation)
    backdate(installation, "checkpoints.made_at")
    never_asked = verify(installation, configured=configured)

    ask_new_witnesses(replace(installation.s, outside=(CosigningWitness(SIGNER.key, nowhere),)))
    new = verify(installation, configured=configured)
    demanded = verify(installation, "--witness", str(SIGNER.key))
    backdate(installation, "witnessed.got_at")
    late = verify(installation, configured=configured)

    assert [one.exit_code for one in (no_checkpoint_yet, new)] == [0, 0], new.output
    assert f"Witness {SIGNER.key.id} is new and has signed nothing yet." in new.output
    assert "No checkpoint from outside was compared." in new.output
    for one in (never_asked, demanded, late):
        assert (one.exit_code, "has signed no checkpoint of this ledger" in one.output) == (1, True), one.output


@pytest.mark.proof
def test_a_new_witness_gets_the_newest_checkpoint_when_a_worker_starts(
    installation: Installation, tmp_path: Path
) -> None:
    promoted(installation)

    with witness_of(installation, tmp_path / "witness.notes") as url:
        installation.s = replace(installation.s, outside=(CosigningWitness(SIGNER.key, url),))
        ask_new_witnesses(installation.s)
        installation.settle()

    assert verify(installation, "--witness", str(SIGNER.key)).exit_code == 0


def test_a_ledger_that_was_cut_and_signed_again_is_refused_by_the_witness_and_found_with_its_file(
    open_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    """Whoever has the database and the ledger's key can sign what they like, but cannot make the witness forget."""
    installation = open_installation()
    installation.sweep()
    notes = tmp_path / "witness.notes"
    with witness_of(installation, notes) as url:
        installation.s = replace(installation.s, outside=(CosigningWitness(SIGNER.key, url),))
        promoted(installation)
        owner = installation.settings.database_url.get_secret_value()
        with psycopg.connect(owner) as connection:
            connection.execute("delete from checkpoints")
            connection.execute("delete from witnessed")
        as_owner(owner, "delete from ledger where seq > (select max(seq) - 2 from ledger)")
        take_checkpoint(installation.s)
        installation.settle()

    (job,) = [job for job in installation.s.store.jobs.listing(JobStatus.PARKED) if job.name == "send_to_witness"]
    told = verify(installation, "--checkpoint", str(notes))
    gauges = {one.name: one for one in Housekeeping(installation.s.store, lambda tx: []).collect()}
    (refused,) = gauges["countersign_witness_refusals"].samples

    assert (refused.labels, refused.value) == ({"witness": SIGNER.key.id}, 1)
    assert "entries were cut off, or another copy of the database runs" in job.errors[-1].error
    assert (told.exit_code, "were cut off" in told.output) == (1, True)


def test_the_command_is_a_witness_of_its_own(installation: Installation, tmp_path: Path) -> None:
    make_key(tmp_path / "witness.pem", ED25519)
    (tmp_path / "ledger.pem").write_text(installation.s.checkpoint_signer.key.pem)
    files = [
        "--key",
        str(tmp_path / "witness.pem"),
        "--state",
        str(tmp_path / "notes"),
        "--log",
        str(tmp_path / "ledger.pem"),
    ]
    command = [str(COUNTERSIGN), "witness", "--name", "w.example.com", "--listen", "127.0.0.1:0", *files]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        key, said = process.stdout.readline().strip(), process.stderr.readline()
        process.terminate()

    assert key.startswith("w.example.com+")
    assert "has nothing yet" in said
    assert verify(installation, "--witness", key).exit_code == 1
