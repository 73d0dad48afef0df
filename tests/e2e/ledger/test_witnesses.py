"""The ledger and its witnesses: a checkpoint in every ticket, an audit that believes nobody, and a role that cannot change a thing.

The whole house runs here as a role that only appends to the ledger.
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
from bot.checkpoints import ledger_key, signer_of
from bot.clients.notes_key import NoteKeyFile
from bot.commands.audit_export import safe_cell
from bot.database.connect import migrate
from bot.domain.events import CardPosted, DecisionSigned, TargetMoved
from bot.domain.ledger.chain import leaf_of
from bot.domain.ledger.checkpoint import Note, read_note
from bot.domain.model import State, TransitionRequest
from bot.engine.rows import JobStatus
from bot.signatures import TrustedKey
from bot.store.roles import RolesNotApart, keep_apart, powers_of
from handlers.policy.activation import activate_policy
from tests.fixtures.installation import API_TOKEN, CHANNEL, House, policy_text
from tests.fixtures.postgres import limited_role, named_role


@pytest.fixture
def owner_url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
def database_url(owner_url: str) -> Iterator[str]:
    """What the house connects with: not the owner."""
    with limited_role(owner_url) as url:
        yield url


def audit(house: House, *words: str) -> Result:
    environ = {
        "DATABASE_URL": house.settings.database_url.get_secret_value(),
        "COUNTERSIGN_HOME": str(house.settings.home),
    }
    return CliRunner().invoke(main, ["audit", *words], env=environ)


def as_owner(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter table ledger disable trigger user")
        assert connection.execute(statement.encode()).rowcount > 0
        connection.execute("alter table ledger enable trigger user")


def witnessed(house: House, request: TransitionRequest) -> list[str]:
    """The comments on its ticket that hold a checkpoint."""
    ticket = house.reread(request).ticket
    assert ticket is not None
    return [comment.text for comment in house.jira.comments(ticket.key) if "Checkpoint of the ledger" in comment.text]


def public_key(house: House) -> TrustedKey:
    return ledger_key(house.s.notary.key.pem)


def seq_of(house: House, kind: type) -> int:
    return int(house.entries(kind)[-1]["seq"])


def approved(house: House) -> TransitionRequest:
    request = house.asked()
    house.approve(request)
    return house.reread(request)


# In the ticket


def test_an_approved_request_leaves_a_signed_checkpoint_in_its_ticket_that_covers_the_decision(house: House) -> None:
    request = approved(house)

    (comment,) = witnessed(house, request)

    note = read_note(comment)
    assert signer_of(note, [public_key(house)]) is not None
    assert note.checkpoint.size >= seq_of(house, DecisionSigned)
    assert house.ticket_status(request) == "Done"


def test_a_rejected_request_leaves_one_as_well(house: House) -> None:
    request = house.asked()

    house.reject(request, "The error on Sundays is twice as high.")

    (comment,) = witnessed(house, request)
    assert read_note(comment).checkpoint.size >= seq_of(house, DecisionSigned)


def test_nothing_is_said_before_the_decision_and_nothing_twice_after_it(house: House) -> None:
    request = house.asked()
    before = witnessed(house, request)

    house.approve(request)
    for _ in range(2):
        with house.s.store.transaction() as tx:
            tx.defer("sync_ticket", request.id, f"jira:{request.id}")
            tx.defer("witness", request.id, f"jira:{request.id}")
        house.settle()

    assert before == []
    assert len(witnessed(house, request)) == 1


def test_without_a_key_for_checkpoints_the_ticket_is_finished_and_the_checkpoint_alone_waits(
    house: House, tmp_path: Path
) -> None:
    whole = house.s
    house.s = replace(house.s, notary=NoteKeyFile(tmp_path / "nothing.pem"))
    request = approved(house)
    (parked,) = whole.store.jobs.listing(JobStatus.PARKED)
    before = (request.state, house.ticket_status(request), witnessed(house, request))

    house.s = whole
    whole.store.jobs.replay_all()
    house.settle()

    assert before == (State.APPLIED, "Done", [])
    assert (parked.name, "COUNTERSIGN_CHECKPOINT_KEY" in parked.errors[-1].error) == ("witness", True)
    assert len(witnessed(house, request)) == 1


def test_where_the_rule_has_no_ticket_the_thread_under_the_card_holds_the_checkpoint(house: House) -> None:
    lines = policy_text(f"{house.model}*").splitlines()
    activate_policy("\n".join(line for line in lines if "ticket:" not in line), "test", house.s)

    request = approved(house)

    (reply,) = [message for message in house.slack.messages(CHANNEL) if message.is_reply]
    note = read_note(reply.all_text)
    assert (request.state, request.ticket) == (State.APPLIED, None)
    assert signer_of(note, [public_key(house)]) is not None
    assert note.checkpoint.size >= seq_of(house, DecisionSigned)
    assert house.unfinished() == []


def test_decisions_at_the_same_time_are_all_covered(house: House) -> None:
    wishes = [house.register(model=f"{house.model}-{number}") for number in range(3)]
    for number, version in enumerate(wishes):
        house.mlflow.set_registered_model_alias(f"{house.model}-{number}", "candidate", str(version))
    house.sweep()
    asked = house.requests(State.PENDING)
    for request in asked:
        house.click("ana", request, "approve")

    with ThreadPoolExecutor(3) as workers:
        for done in [workers.submit(house.settle) for _ in range(3)]:
            done.result()
    house.settle_all()

    assert len(asked) == 3
    for request in asked:
        (comment,) = witnessed(house, request)
        with house.s.store.transaction() as tx:
            seq = max(signed.seq for signed in tx.attestations.of(request.id))
        assert read_note(comment).checkpoint.size >= seq
    assert audit(house, "verify").exit_code == 0


# The audit


def test_the_audit_agrees_with_the_comment_in_the_ticket(house: House, tmp_path: Path) -> None:
    (comment,) = witnessed(house, approved(house))
    (tmp_path / "comment.txt").write_text(comment)

    result = audit(house, "verify", "--checkpoint", str(tmp_path / "comment.txt"))

    assert result.exit_code == 0, result.output
    assert "none changed, none missing, each in its place" in result.stdout
    assert "1 on record, 1 brought along" in result.stdout
    assert result.stderr == ""


def test_without_a_checkpoint_from_outside_the_audit_says_what_it_cannot_know(house: House) -> None:
    approved(house)

    result = audit(house, "verify")

    assert result.exit_code == 0
    assert "No checkpoint from outside was brought along." in result.stderr


def test_a_cut_tail_is_found_with_the_comment_in_the_ticket(house: House, owner_url: str) -> None:
    (comment,) = witnessed(house, approved(house))
    note = str(read_note(comment))

    as_owner(owner_url, f"delete from ledger where seq >= {read_note(comment).checkpoint.size}")
    as_owner(owner_url, "delete from checkpoints")
    result = audit(house, "verify", "--checkpoint", note)
    as_json = audit(house, "verify", "--checkpoint", note, "--json")

    assert result.exit_code == 1
    assert "given on the command line covers" in result.stderr
    assert "were cut off. Leave the database as it is" in result.stderr
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["holds"] is False


def test_what_was_looked_at_is_told_to_programs(house: House) -> None:
    approved(house)

    told = json.loads(audit(house, "verify", "--json").stdout)

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
def test_what_cannot_be_understood_is_wrong_usage(house: House, tmp_path: Path, words: list[str], said: str) -> None:
    note, pdf = tmp_path / "note.txt", tmp_path / "report.pdf"
    note.write_text("nothing to see here")
    pdf.write_bytes(b"%PDF-1.7\n" + b"\xff" * 2_000_000)

    result = audit(house, *(word.format(file=note, pdf=pdf) for word in words))

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_checkpoint_is_made_by_hand_and_verified_by_openssl(house: House, tmp_path: Path) -> None:
    """Somebody else's program reads the note as C2SP describes it."""
    approved(house)

    result = audit(house, "checkpoint")

    note = read_note(result.stdout)
    assert result.stdout == str(note)
    (tmp_path / "text").write_text(note.checkpoint.text)
    (tmp_path / "signature").write_bytes(note.signature)
    (tmp_path / "key.pem").write_text(public_key(house).pem)
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


def proved(house: House, tmp_path: Path, *words: str) -> tuple[dict[str, Any], list[str]]:
    """What `prove` printed, and the words that verify it with no database in reach."""
    made = audit(house, "prove", *words)
    assert made.exit_code == 0, made.output
    (tmp_path / "proof.json").write_text(made.stdout)
    (tmp_path / "key.pem").write_text(public_key(house).pem)
    return json.loads(made.stdout), ["--proof", str(tmp_path / "proof.json"), "--key", str(tmp_path / "key.pem")]


def offline(words: list[str]) -> Result:
    return CliRunner().invoke(
        main, ["audit", "verify", *words], env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    )


def test_one_decision_is_proved_to_somebody_who_has_only_the_public_key(house: House, tmp_path: Path) -> None:
    request = approved(house)

    proof, words = proved(house, tmp_path, request.id)
    result = offline(words)

    assert result.exit_code == 0, result.output
    body = json.loads(proof["entry"]["body"])
    assert (body["event"], body["about"], body["request_id"]) == ("DecisionSigned", "decision", request.id)
    assert read_note(proof["checkpoint"]) == read_note(witnessed(house, request)[0])


@pytest.mark.parametrize("part", ["entry", "path", "checkpoint", "seq"])
def test_a_proof_that_was_altered_does_not_hold(house: House, tmp_path: Path, part: str) -> None:
    proof, words = proved(house, tmp_path, approved(house).id)
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


def test_a_later_checkpoint_is_proved_to_continue_an_earlier_one(house: House, tmp_path: Path) -> None:
    (comment,) = witnessed(house, approved(house))
    early = read_note(comment).checkpoint.size
    audit(house, "checkpoint")

    proof, words = proved(house, tmp_path, "--from", str(early))
    result = offline(words)

    assert result.exit_code == 0, result.output
    assert read_note(proof["before"]).checkpoint.size == early
    assert read_note(proof["checkpoint"]).checkpoint.size > early


def test_what_no_checkpoint_covers_is_not_proved(house: House) -> None:
    request = house.asked()

    assert "was signed. Name an entry by its number" in audit(house, "prove", request.id).stderr
    assert "no checkpoint covers entry 2 yet" in audit(house, "prove", "2").stderr
    assert "there is no entry 99999" in audit(house, "prove", "99999").stderr
    house.approve(request)
    assert "no checkpoint of 3 entries was signed" in audit(house, "prove", "2", "--size", "3").stderr


# The export


def test_the_export_has_every_entry_and_each_leaf_can_be_computed_anew(house: House, tmp_path: Path) -> None:
    approved(house)

    result = audit(house, "export", "--out", str(tmp_path / "ledger.jsonl"))

    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    with house.s.store.transaction() as tx:
        assert [line["seq"] for line in lines] == list(range(1, tx.ledger.count() + 1))
    assert all(leaf_of(line["body"]).hex() == line["leaf"] for line in lines)


def test_the_export_as_csv_holds_nothing_that_a_spreadsheet_would_run(house: House) -> None:
    house.reject(house.asked(), '=HYPERLINK("http://evil.example")')

    printed = audit(house, "export", "--format", "csv").stdout

    rows = list(csv.DictReader(io.StringIO(printed)))
    assert list(rows[0]) == ["seq", "at", "kind", "body", "leaf", "head"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [safe_cell(text) for text in ("=1", "+1", "-1", "@x", "\tx", "\rx", "x=1")] == [
        "'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x=1",
    ]  # fmt: skip


def test_the_export_says_names_for_ids_when_it_is_asked_to(house: House) -> None:
    approved(house)

    plain, named = audit(house, "export").stdout, audit(house, "export", "--names").stdout

    assert "Ana Ruiz" not in plain
    assert '\\"person\\":\\"Ana Ruiz\\"' in named


def test_the_export_can_be_narrowed_to_days(house: House) -> None:
    approved(house)
    with house.s.store.transaction() as tx:
        count, today = tx.ledger.count(), house.clock.now().date().isoformat()

    assert len(audit(house, "export", "--since", today, "--until", today).stdout.splitlines()) == count
    assert audit(house, "export", "--until", "2001-01-01").stdout == ""
    assert audit(house, "export", "--since", "2999-01-01T12:00").stdout == ""


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


def test_a_whole_promotion_runs_as_the_role_that_cannot_change_the_ledger(house: House) -> None:
    wish = {"name": house.model, "version": house.register(), "to": "alias:champion", "requester": "ben@example.com"}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    asked = requests.post(f"{house.url}/api/requests", json=wish, headers=headers, timeout=10)
    house.settle()
    (request,) = house.requests()
    house.approve(request)

    assert asked.status_code == 201
    assert house.champion() == request.version.version
    assert house.happened(CardPosted, TargetMoved) == ["CardPosted", "TargetMoved"]
    assert house.unfinished() == []
    assert requests.get(f"{house.url}/readyz", timeout=10).json()["ready"] is True
    with house.s.store.transaction() as tx:
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
