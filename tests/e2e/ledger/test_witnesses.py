"""The ledger and its witnesses: a checkpoint in every ticket, an audit that trusts no one, and a role that cannot change anything.

The whole installation runs here as a role that only appends to the ledger.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from click.testing import CliRunner, Result

from bot.__main__ import main
from bot.clients.note_keys import NoteKeyFile
from bot.commands.proofs.audit_export import safe_cell
from bot.database.connect import migrate
from bot.domain.events import CardPosted, DecisionSigned, TargetMoved
from bot.domain.ledger.chain import leaf_of
from bot.domain.ledger.checkpoint import Note, read_note
from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.errors import RolesNotApart
from bot.signatures import TrustedKey, ledger_key, signer_of
from bot.store.roles import keep_apart, powers_of
from tests.fixtures.installation import API_TOKEN, CHANNEL, Installation, policy_text
from tests.fixtures.postgres import limited_role, named_role


@pytest.fixture
def owner_url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
def database_url(owner_url: str) -> Iterator[str]:
    """What the installation connects with: not the owner."""
    with limited_role(owner_url) as url:
        yield url


def audit(installation: Installation, *words: str) -> Result:
    environ = {
        "DATABASE_URL": installation.settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(installation.settings.home),
    }
    return CliRunner().invoke(main, ["audit", *words], env=environ)


def as_owner(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter table ledger disable trigger user")
        assert connection.execute(statement.encode()).rowcount > 0
        connection.execute("alter table ledger enable trigger user")


def witnessed(installation: Installation, request: TransitionRequest) -> list[str]:
    """The comments on its ticket that hold a checkpoint."""
    ticket = installation.reread(request).ticket
    assert ticket is not None
    return [
        comment.text for comment in installation.jira.comments(ticket.key) if "Checkpoint of the ledger" in comment.text
    ]


def public_key(installation: Installation) -> TrustedKey:
    return ledger_key(installation.s.checkpoint_signer.key.pem)


def seq_of(installation: Installation, kind: type) -> int:
    return int(installation.entries(kind)[-1]["seq"])


def approved(installation: Installation) -> TransitionRequest:
    request = installation.asked()
    installation.approve(request)
    return installation.reread(request)


# In the ticket


def test_an_approved_request_leaves_a_signed_checkpoint_in_its_ticket_that_covers_the_decision(
    installation: Installation,
) -> None:
    request = approved(installation)

    (comment,) = witnessed(installation, request)

    note = read_note(comment)
    assert signer_of(note, [public_key(installation)]) is not None
    assert note.checkpoint.size >= seq_of(installation, DecisionSigned)
    assert installation.ticket_status(request) == "Done"


@pytest.mark.proof
def test_a_rejected_request_leaves_one_as_well(installation: Installation) -> None:
    request = installation.asked()

    installation.reject(request, "The error on Sundays is twice as high.")

    (comment,) = witnessed(installation, request)
    assert read_note(comment).checkpoint.size >= seq_of(installation, DecisionSigned)


def test_nothing_is_said_before_the_decision_and_nothing_twice_after_it(installation: Installation) -> None:
    request = installation.asked()
    before = witnessed(installation, request)

    installation.approve(request)
    for _ in range(2):
        with installation.s.store.transaction() as tx:
            tx.defer("sync_ticket", request.id, f"jira:{request.id}")
            tx.defer("witness", request.id, f"jira:{request.id}")
        installation.settle()

    assert before == []
    assert len(witnessed(installation, request)) == 1


def test_without_a_key_for_checkpoints_the_ticket_is_finished_and_the_checkpoint_alone_waits(
    installation: Installation, tmp_path: Path
) -> None:
    whole = installation.s
    installation.s = replace(installation.s, checkpoint_signer=NoteKeyFile(tmp_path / "nothing.pem"))
    request = approved(installation)
    (parked,) = whole.store.jobs.listing(JobStatus.PARKED)
    before = (request.state, installation.ticket_status(request), witnessed(installation, request))

    installation.s = whole
    whole.store.jobs.replay_all()
    installation.settle()

    assert before == (State.APPLIED, "Done", [])
    assert (parked.name, "COUNTERSIGN_CHECKPOINT_KEY" in parked.errors[-1].error) == ("witness", True)
    assert len(witnessed(installation, request)) == 1


def test_where_the_rule_has_no_ticket_the_thread_under_the_card_holds_the_checkpoint(
    installation: Installation,
) -> None:
    lines = policy_text(f"{installation.model}*").splitlines()
    installation.activate("\n".join(line for line in lines if "ticket:" not in line))

    request = approved(installation)

    replies = [message.all_text for message in installation.slack.messages(CHANNEL) if message.is_reply]
    (text,) = [reply for reply in replies if "Checkpoint of the ledger" in reply]
    note = read_note(text)
    assert (request.state, request.ticket) == (State.APPLIED, None)
    assert signer_of(note, [public_key(installation)]) is not None
    assert note.checkpoint.size >= seq_of(installation, DecisionSigned)
    assert installation.unfinished() == []


def test_decisions_at_the_same_time_are_all_covered(installation: Installation) -> None:
    wishes = [installation.register(model=f"{installation.model}-{number}") for number in range(3)]
    for number, version in enumerate(wishes):
        installation.mlflow.set_registered_model_alias(f"{installation.model}-{number}", "candidate", str(version))
    installation.sweep()
    asked = installation.requests(State.PENDING)
    for request in asked:
        installation.click("ana", request, "approve")

    with ThreadPoolExecutor(3) as workers:
        for done in [workers.submit(installation.settle) for _ in range(3)]:
            done.result()
    installation.settle_all()

    assert len(asked) == 3
    for request in asked:
        (comment,) = witnessed(installation, request)
        with installation.s.store.transaction() as tx:
            seq = max(signed.seq for signed in tx.attestations.of(request.id))
        assert read_note(comment).checkpoint.size >= seq
    assert audit(installation, "verify").exit_code == 0


# The audit


def test_the_audit_agrees_with_the_comment_in_the_ticket(installation: Installation, tmp_path: Path) -> None:
    (comment,) = witnessed(installation, approved(installation))
    (tmp_path / "comment.txt").write_text(comment)

    result = audit(installation, "verify", "--checkpoint", str(tmp_path / "comment.txt"))

    assert result.exit_code == 0, result.output
    assert "none changed, none missing, each in its place" in result.stdout
    assert "1 on record, 1 from outside" in result.stdout
    assert result.stderr == ""


def test_without_a_checkpoint_from_outside_the_audit_says_what_it_cannot_know(installation: Installation) -> None:
    approved(installation)

    result = audit(installation, "verify")

    assert result.exit_code == 0
    assert "No checkpoint from outside was compared." in result.stderr


def test_a_cut_tail_is_found_with_the_comment_in_the_ticket(installation: Installation, owner_url: str) -> None:
    (comment,) = witnessed(installation, approved(installation))
    note = str(read_note(comment))

    as_owner(owner_url, f"delete from ledger where seq >= {read_note(comment).checkpoint.size}")
    as_owner(owner_url, "delete from checkpoints")
    result = audit(installation, "verify", "--checkpoint", note)
    as_json = audit(installation, "verify", "--checkpoint", note, "--json")

    assert result.exit_code == 1
    assert "given on the command line covers" in result.stderr
    assert "were cut off. Leave the database as it is" in result.stderr
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["holds"] is False


def test_what_was_looked_at_is_told_to_programs(installation: Installation) -> None:
    approved(installation)

    told = json.loads(audit(installation, "verify", "--json").stdout)

    counts = {
        name: told[name] for name in ("holds", "checkpoints", "witnesses", "keys", "attestations", "requests", "fault")
    }
    assert counts == {
        "holds": True,
        "checkpoints": 1,
        "witnesses": 0,
        "keys": told["keys"],
        "attestations": 2,
        "requests": 1,
        "fault": None,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--checkpoint", "nonsense"], "no such file, and as text"),
        (["verify", "--checkpoint", "{file}"], "note.txt (no checkpoint is in it"),
        (["verify", "--checkpoint", "nothing\nto see"], "this text (no such file, and as text no checkpoint is in it"),
        (
            ["verify", "--checkpoint", "{pdf}"],
            "report.pdf (it is a PDF. Bring the page (.html), or the text of the PDF in a file)",
        ),
        (["verify", "--key", "{file}"], "this is no public key"),
        (["verify", "--proof", "{file}"], "--proof wants --key FILE"),
        (["prove"], "name an entry by its number"),
        (["prove", "3", "--from", "2"], "name an entry by its number"),
        (["export", "--since", "yesterday"], '"yesterday" is no date'),
    ],
)
def test_what_cannot_be_understood_is_wrong_usage(
    installation: Installation, tmp_path: Path, words: list[str], said: str
) -> None:
    note, pdf = tmp_path / "note.txt", tmp_path / "report.pdf"
    note.write_text("nothing to see here")
    pdf.write_bytes(b"%PDF-1.7\n" + b"\xff" * 2_000_000)

    result = audit(installation, *(word.format(file=note, pdf=pdf) for word in words))

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_checkpoint_is_made_by_hand_and_verified_by_openssl(installation: Installation, tmp_path: Path) -> None:
    """Somebody else's program reads the note as C2SP describes it."""
    approved(installation)

    result = audit(installation, "checkpoint")

    note = read_note(result.stdout)
    assert result.stdout == str(note)
    (tmp_path / "text").write_text(note.checkpoint.text)
    (tmp_path / "signature").write_bytes(note.signature)
    (tmp_path / "key.pem").write_text(public_key(installation).pem)
    files = ["-inkey", "key.pem", "-in", "text", "-sigfile", "signature"]
    verified = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Signature Verified Successfully" in verified.stdout, verified.stderr


# Proofs


def proved(installation: Installation, tmp_path: Path, *words: str) -> tuple[dict[str, Any], list[str]]:
    """What `prove` printed, and the words that verify it with no database in reach."""
    made = audit(installation, "prove", *words)
    assert made.exit_code == 0, made.output
    (tmp_path / "proof.json").write_text(made.stdout)
    (tmp_path / "key.pem").write_text(public_key(installation).pem)
    return json.loads(made.stdout), ["--proof", str(tmp_path / "proof.json"), "--key", str(tmp_path / "key.pem")]


def offline(words: list[str]) -> Result:
    return CliRunner().invoke(
        main, ["audit", "verify", *words], env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    )


def test_one_decision_is_proved_to_somebody_who_has_only_the_public_key(
    installation: Installation, tmp_path: Path
) -> None:
    request = approved(installation)

    proof, words = proved(installation, tmp_path, request.id)
    result = offline(words)

    assert result.exit_code == 0, result.output
    body = json.loads(proof["entry"]["body"])
    assert (body["event"], body["about"], body["request_id"]) == ("DecisionSigned", "decision", request.id)
    assert read_note(proof["checkpoint"]) == read_note(witnessed(installation, request)[0])


@pytest.mark.proof
@pytest.mark.parametrize("part", ["entry", "path", "checkpoint", "seq"])
def test_a_proof_that_was_altered_does_not_hold(installation: Installation, tmp_path: Path, part: str) -> None:
    proof, words = proved(installation, tmp_path, approved(installation).id)
    if part == "entry":
        proof["entry"]["body"] = proof["entry"]["body"].replace("decision", "decisian")
        proof["entry"]["leaf"] = leaf_of(proof["entry"]["body"]).hex()
    elif part == "seq":
        proof["entry"]["seq"] -= 1
    elif part == "path":
        proof["path"][0] = base64.b64encode(bytes(32)).decode()
    else:
        signed = read_note(proof["checkpoint"])
        proof["checkpoint"] = str(Note(signed.checkpoint, signed.hint, bytes(64)))
    (tmp_path / "proof.json").write_text(json.dumps(proof))

    result = offline(words)

    assert result.exit_code == 1
    said = {
        "entry": "is not in the ledger of",
        "path": "is not in the ledger of",
        "seq": "its body does not say what stands beside it",
        "checkpoint": "is not signed by the key given",
    }
    assert said[part] in result.stderr


def test_a_later_checkpoint_is_proved_to_continue_an_earlier_one(installation: Installation, tmp_path: Path) -> None:
    (comment,) = witnessed(installation, approved(installation))
    early = read_note(comment).checkpoint.size
    installation.asked()  # the ledger grows
    audit(installation, "checkpoint")

    proof, words = proved(installation, tmp_path, "--from", str(early))
    result = offline(words)

    assert result.exit_code == 0, result.output
    assert read_note(proof["before"]).checkpoint.size == early
    assert read_note(proof["checkpoint"]).checkpoint.size > early


def test_what_no_checkpoint_covers_is_not_proved(installation: Installation) -> None:
    request = installation.asked()

    assert "was signed. Name an entry by its number" in audit(installation, "prove", request.id).stderr
    assert "no checkpoint covers entry 2 yet" in audit(installation, "prove", "2").stderr
    assert "there is no entry 99999" in audit(installation, "prove", "99999").stderr
    installation.approve(request)
    assert "no checkpoint of 3 entries was signed" in audit(installation, "prove", "2", "--size", "3").stderr


# The export


def test_the_export_has_every_entry_and_each_leaf_can_be_computed_anew(
    installation: Installation, tmp_path: Path
) -> None:
    approved(installation)

    result = audit(installation, "export", "--out", str(tmp_path / "ledger.jsonl"))

    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    with installation.s.store.transaction() as tx:
        assert [line["seq"] for line in lines] == list(range(1, tx.ledger.count() + 1))
    assert all(leaf_of(line["body"]).hex() == line["leaf"] for line in lines)


def test_the_export_as_csv_holds_nothing_that_a_spreadsheet_would_run(installation: Installation) -> None:
    installation.reject(installation.asked(), '=HYPERLINK("http://evil.example")')

    printed = audit(installation, "export", "--format", "csv").stdout

    rows = list(csv.DictReader(io.StringIO(printed)))
    assert list(rows[0]) == ["seq", "at", "kind", "body", "leaf", "head"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [safe_cell(text) for text in ("=1", "+1", "-1", "@x", "\tx", "\rx", "x=1")] == [
        "'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x=1",
    ]  # fmt: skip


def test_the_export_says_names_for_ids_when_it_is_asked_to(installation: Installation) -> None:
    approved(installation)

    plain, named = audit(installation, "export").stdout, audit(installation, "export", "--names").stdout

    assert "Ana Ruiz" not in plain
    assert '\\"person\\":\\"Ana Ruiz\\"' in named


@pytest.mark.proof
def test_the_export_can_be_narrowed_to_days(installation: Installation) -> None:
    approved(installation)
    with installation.s.store.transaction() as tx:
        count, today = tx.ledger.count(), installation.clock.now().date().isoformat()

    assert len(audit(installation, "export", "--since", today, "--until", today).stdout.splitlines()) == count
    assert audit(installation, "export", "--until", "2001-01-01").stdout == ""
    assert audit(installation, "export", "--since", "2999-01-01T12:00").stdout == ""


# Two roles


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger set kind = 'Nothing'",
        "delete from ledger",
        "truncate ledger",
        "alter table ledger disable trigger user",
        "drop trigger ledger_no_change on ledger",
        "drop table ledger",
        "create trigger mine before insert on ledger for each row execute function ledger_is_append_only()",
        "create or replace function ledger_is_append_only() returns trigger language sql as 'select 1'",
        "create table mine (id int)",
        "update attestations set person = ''",
        "delete from attestations",
        "delete from checkpoints",
        "update policies set text = ''",
        "update keys set pem = ''",
        "delete from keys",
        "truncate requests",
        "update alembic_version set version_num = ''",
    ],
)
def test_the_role_that_the_bot_runs_as_cannot_do_it(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_whole_promotion_runs_as_the_role_that_cannot_change_the_ledger(installation: Installation) -> None:
    wish = {
        "name": installation.model,
        "version": installation.register(),
        "to": "alias:champion",
        "requester": "ben@example.com",
    }
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    asked = requests.post(f"{installation.url}/api/requests", json=wish, headers=headers, timeout=10)
    installation.settle()
    (request,) = installation.requests()
    installation.approve(request)

    assert asked.status_code == 201
    assert installation.champion() == request.version.version
    assert installation.happened(CardPosted, TargetMoved) == ["CardPosted", "TargetMoved"]
    assert installation.unfinished() == []
    assert requests.get(f"{installation.status_url}/readyz", timeout=10).json()["ready"] is True
    with installation.s.store.transaction() as tx:
        assert not powers_of(tx.connection).changes


def test_a_role_that_owns_the_ledger_is_not_taken_for_one_that_cannot_change_it(owner_url: str) -> None:
    with pytest.raises(RolesNotApart, match="which owns the ledger or is a member of the role that does"):
        keep_apart(owner_url, f"{owner_url}&application_name=bot")


def test_what_everybody_was_granted_is_noticed(owner_url: str, database_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("grant update on ledger to public")

    with pytest.raises(RolesNotApart, match="may still change the ledger"):
        keep_apart(owner_url, database_url)


def test_migrating_again_takes_back_what_was_granted_by_hand(owner_url: str, database_url: str) -> None:
    role = database_url.partition("//")[2].partition("@")[0]
    with psycopg.connect(owner_url) as connection:
        connection.execute(f"grant all on ledger, keys to {role}".encode())

    migrate(owner_url)
    keep_apart(owner_url, database_url)

    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update keys set pem = ''")


def test_migrate_keeps_the_two_roles_apart_and_says_so(empty_database_url: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text("bike-*"))
    with named_role(empty_database_url) as (role, url):
        environ = {"DATABASE_OWNER_URL": empty_database_url, "DATABASE_URL": url, "COUNTERSIGN_POLICY": str(policy)}

        result = CliRunner().invoke(main, ["migrate"], env=environ)
        again = CliRunner().invoke(main, ["migrate"], env=environ)

        assert (result.exit_code, again.exit_code) == (0, 0), result.output
        assert f'database: "{role}" can append to the ledger, and not change it' in result.output
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from ledger")


def test_migrate_refuses_a_role_that_could_change_the_ledger_all_the_same(owner_url: str, tmp_path: Path) -> None:
    environ = {"DATABASE_OWNER_URL": owner_url, "DATABASE_URL": f"{owner_url}&application_name=bot"}

    result = CliRunner().invoke(main, ["migrate"], env=environ)

    assert result.exit_code == 2
    assert "which owns the ledger or is a member of the role that does" in result.output
