"""Votes and decisions are signed by the worker after they have committed, and the target moves only once the decision is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.assembly import build_services
from bot.clients.keys import make_key, make_key_unless_there
from bot.clients.signers import read_signer
from bot.domain.attestation.decision import evidence_digest, tag_prefix
from bot.domain.events import DecisionSigned, KeyAdded, KeyRetired, VoteSigned
from bot.domain.model import DECISION, VOTE, State, Target, TransitionRequest
from bot.engine.rows import JobStatus
from bot.errors import Permanent, Refused
from bot.signatures import digest_of, verify
from bot.store.attestations import Attestation
from handlers.attestation.signing import check_counts, register_key, retire_key, sign
from handlers.effects import effects_of
from tests.builders import CHAMPION
from tests.fixtures.command_line import Finished
from tests.fixtures.command_line import countersign as run_countersign
from tests.fixtures.installation import Installation

FAST_TRACK = "fast_track: {mode: on, metrics: {mae: {threshold: 50, greater_is_better: false}}}"


def signed(installation: Installation, request: TransitionRequest) -> list[Attestation]:
    with installation.s.store.transaction() as tx:
        return tx.attestations.of(request.id)


def statements(installation: Installation, request: TransitionRequest) -> list[dict[str, Any]]:
    """What was signed about it, each verified with the keys that are registered."""
    with installation.s.store.transaction() as tx:
        ring = tx.keys.ring()
    verified = [verify(one.envelope, ring) for one in signed(installation, request)]
    return [json.loads(one.payload)["predicate"] for one in verified]


def tags(installation: Installation, version: int, model: str | None = None) -> dict[str, str]:
    found = installation.mlflow.get_model_version(model or installation.model, str(version)).tags
    return {name: text for name, text in found.items() if name.startswith("countersign.attestation.")}


def parked(installation: Installation) -> list[str]:
    return [job.errors[-1].error for job in installation.s.store.jobs.listing(JobStatus.PARKED)]


def countersign(installation: Installation, *words: str) -> Finished:
    return run(list(words), database_of(installation), COUNTERSIGN_HOME=str(installation.settings.home))


def run(words: list[str], database: str, **environ: str) -> Finished:
    return run_countersign(*words, DATABASE_URL=database, **environ)


def database_of(installation: Installation) -> str:
    return str(installation.settings.database_url.get_secret_value())


def test_each_vote_and_then_the_decision_are_signed_and_only_then_the_target_moves(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(quorum=2)
    installation.sweep()
    request = installation.asked()

    installation.approve(request, "ana")
    (first,) = statements(installation, request)
    installation.approve(request, "ben")

    assert (first["about"], first["person"]["name"]) == (VOTE, "Ana Ruiz")
    said = statements(installation, request)
    assert [one["about"] for one in said] == [VOTE, VOTE, DECISION]
    assert sorted(one["name"] for one in said[-1]["approvers"]) == ["Ana Ruiz", "Ben Okafor"]
    assert installation.happened()[-6:].index("TargetMoved") > installation.happened()[-6:].index("DecisionSigned")
    assert installation.champion() == request.version.version


def test_the_ledger_vouches_for_each_envelope_and_for_the_key(installation: Installation) -> None:
    request = installation.asked()

    installation.approve(request)

    rows, entries = (
        signed(installation, request),
        [*installation.entries(VoteSigned), *installation.entries(DecisionSigned)],
    )
    assert [(row.seq, row.digest) for row in rows] == [(entry["seq"], entry["digest"]) for entry in entries]
    assert [digest_of(row.envelope) for row in rows] == [row.digest for row in rows]
    (added,) = [entry for entry in installation.entries(KeyAdded) if entry["purpose"] == "approvals"]
    assert {row.key_id for row in rows} == {added["key"]}
    assert all(added["seq"] < row.seq for row in rows)
    assert installation.ledger_fault() is None


def test_the_statement_speaks_of_the_evidence_that_was_frozen(installation: Installation) -> None:
    request = installation.asked()

    installation.approve(request)

    evidence = installation.reread(request).evidence
    assert evidence is not None
    (vote, decision) = statements(installation, request)
    assert vote["evidence"]["digest"] == decision["evidence"]["digest"] == evidence_digest(evidence)
    assert decision["version"]["created"] == request.version.created.isoformat()


def test_the_envelopes_travel_with_the_version_as_its_tags(installation: Installation) -> None:
    request = installation.asked()

    installation.approve(request)

    found = tags(installation, request.version.version)
    assert set(found.values()) == {one.envelope for one in signed(installation, request)}
    assert all(name.startswith(tag_prefix(CHAMPION)) for name in found)
    assert max(map(len, found.values())) < 20_000


def test_a_copy_carries_the_envelopes_as_well(open_installation: Callable[..., Installation]) -> None:
    installation = open_installation(target="{model: 'prod.{name}'}", ask_on="[{alias: candidate}]")
    installation.sweep()
    version = installation.register()
    installation.ask(version)
    installation.sweep()
    target = Target.parse(f"model:prod.{installation.model}")
    request = installation.request(version, str(target))

    installation.approve(request)

    original, copy = tags(installation, version), tags(installation, 1, f"prod.{installation.model}")
    assert len(original) == 2
    assert copy == original


def test_a_rejection_is_signed_with_its_reason(installation: Installation) -> None:
    request = installation.asked()

    installation.reject(request, "Worse on rainy days.")

    vote, decision = statements(installation, request)
    assert (vote["verdict"], vote["reason"]) == ("reject", "Worse on rainy days.")
    assert (decision["verdict"], decision["approvers"][0]["name"]) == ("reject", "Ana Ruiz")


def test_what_the_fast_track_decides_is_signed_without_an_approver(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(extra=FAST_TRACK)
    installation.sweep()

    request = installation.asked(installation.register(metrics={"mae": 30.0}))

    (decision,) = statements(installation, request)
    assert (decision["decidedBy"], decision["approvers"]) == ("fast_track", [])
    assert any("mae" in sentence for sentence in decision["checks"])
    assert installation.champion() == request.version.version


def test_a_put_back_waits_for_the_signature_as_well(installation: Installation) -> None:
    installation.approve(installation.asked())
    moved = installation.register()
    installation.move(moved)
    request = installation.request(moved)
    with installation.s.store.transaction() as tx:
        (key, *_) = [key for key in tx.keys.all() if key.purpose == "approvals"]
    retire_key(key.id, "lost", installation.s)

    installation.reject(request, "Not asked for.")

    assert installation.champion() == moved
    assert any("was retired: lost" in error for error in parked(installation))


def test_a_vote_under_a_rule_that_has_changed_since_is_signed_under_its_own_rule(
    open_installation: Callable[..., Installation],
) -> None:
    installation = open_installation(quorum=2)
    installation.sweep()
    request = installation.asked()
    installation.click("ana", request, "approve")  # and no worker runs yet

    installation.use_policy(quorum=1)
    installation.approve(request, "ana")

    before, now, decision = statements(installation, request)
    assert before["person"] == now["person"]
    assert before["rule"]["hash"] != now["rule"]["hash"] == decision["rule"]["hash"]
    assert [one["at"] for one in decision["approvers"]] == [now["at"]]


def test_signing_again_changes_nothing(installation: Installation) -> None:
    request = installation.asked()
    installation.approve(request)
    before = signed(installation, request)

    sign(request.id, installation.s)
    register_key(installation.s)

    assert signed(installation, request) == before
    assert len(installation.entries(VoteSigned) + installation.entries(DecisionSigned)) == len(before)


def test_whoever_is_no_worker_signs_nothing_and_nothing_moves(installation: Installation) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    web = build_services(installation.settings, database_of(installation))

    with pytest.raises(Permanent, match="only the worker"):
        effects_of(web)["sign"](request.id)
    effects_of(web)["sync_target"](request.id)
    web.store.engine.dispose()

    assert installation.reread(request).state is State.APPROVED
    assert installation.champion() is None


@pytest.mark.proof
def test_a_retired_key_signs_nothing_until_the_worker_has_another(installation: Installation, tmp_path: Path) -> None:
    first = installation.asked()
    installation.approve(first)
    (key,) = {one.key_id for one in signed(installation, first)}
    retired = retire_key(key[:8], "the disk was lost", installation.s)
    with installation.s.store.transaction() as tx, pytest.raises(Permanent, match="was retired: the disk was lost"):
        check_counts(installation.s.signer.key, tx)
    second = installation.asked(installation.register())

    installation.approve(second)
    assert (installation.champion(), installation.entries(KeyRetired)[0]["reason"]) == (1, "the disk was lost")
    assert any("Make another with `countersign keys new" in error for error in parked(installation))
    make_key(tmp_path / "another.pem")
    installation.s = replace(installation.s, signer=read_signer(str(tmp_path / "another.pem")))
    installation.s.store.jobs.replay_all()
    installation.settle()

    assert installation.champion() == 2
    assert all(retired.covers(one.seq) for one in signed(installation, first))
    assert not any(retired.covers(one.seq) for one in signed(installation, second))
    with pytest.raises(Refused, match="was retired before: the disk was lost"):
        retire_key(key, "again", installation.s)


def test_an_approval_from_before_there_were_signatures_is_signed_when_the_target_is_looked_at(
    installation: Installation,
) -> None:
    request = installation.asked()
    installation.click("ana", request, "approve")
    with installation.s.store.transaction() as tx:
        for job in installation.s.store.jobs.listing(JobStatus.WAITING):
            if job.name == "sign":
                installation.s.store.jobs.drop(job.id, "as if it had been decided by an older release")
        tx.defer("sync_target", request.id, f"registry:default/{installation.model}")

    installation.settle()

    assert installation.champion() == request.version.version


def test_the_commands_list_hand_out_and_retire(installation: Installation, tmp_path: Path) -> None:
    request = installation.asked()
    installation.approve(request)
    vote, decision = signed(installation, request)

    listed = json.loads(countersign(installation, "keys", "list", "--json").stdout)
    printed = countersign(installation, "attestation", request.short_id, "--about", "decision").stdout
    by_ana = countersign(installation, "attestation", request.id, "--person", "ana@example.com").stdout
    by_ben = countersign(installation, "attestation", request.id, "--person", "ben@example.com")
    files = countersign(installation, "attestation", request.id, "--format", "sigstore", "--out", str(tmp_path / "out"))
    (key,) = [key for key in listed if key["purpose"] == "approvals"]
    retired = countersign(installation, "keys", "retire", key["id"][:12], "--reason", "rotated", "--yes")

    assert (key["id"], key["signatures"], key["retired_entry"]) == (decision.key_id, 2, None)
    assert key["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert (printed.strip(), by_ana.strip()) == (decision.envelope, vote.envelope)
    assert (by_ben.returncode, "by ben@example.com is signed" in by_ben.stderr) == (1, True)
    bundles = [json.loads(Path(line).read_text()) for line in files.stdout.split()]
    assert [bundle["dsseEnvelope"] for bundle in bundles] == [json.loads(vote.envelope), json.loads(decision.envelope)]
    assert "is retired from ledger entry" in retired.stdout


def test_a_new_key_is_printed_and_never_written_over_another(installation: Installation, tmp_path: Path) -> None:
    path = tmp_path / "new.pem"

    made = countersign(installation, "keys", "new", "--out", str(path), "--algorithm", "ed25519")
    again = countersign(installation, "keys", "new", "--out", str(path))
    at_home = countersign(installation, "keys", "new")

    assert made.stdout == read_signer(str(path)).key.pem
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert (at_home.returncode, "is there already" in at_home.stderr) == (1, True)


def test_a_worker_without_its_key_says_so_and_does_not_start(installation: Installation, tmp_path: Path) -> None:
    outside = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "SLACK_BOT_TOKEN": "xoxb-of-the-tests"}
    outside["SLACK_SIGNING_SECRET"] = "of-the-tests"
    tickets = {"JIRA_URL": "http://127.0.0.1:9", "JIRA_TOKEN": "of-the-tests"}

    told = run(
        ["worker"], database_of(installation), COUNTERSIGN_HOME=str(tmp_path / "elsewhere"), **outside, **tickets
    )

    assert told.returncode == 2
    assert "COUNTERSIGN_SIGNING_KEY" in told.stderr
    assert "countersign keys new --out" in told.stderr

    make_key_unless_there(tmp_path / "elsewhere" / "keys" / "approvals.pem")
    told = run(
        ["worker"], database_of(installation), COUNTERSIGN_HOME=str(tmp_path / "elsewhere"), **outside, **tickets
    )

    assert told.returncode == 2
    assert "COUNTERSIGN_CHECKPOINT_KEY" in told.stderr
    made = tmp_path / "elsewhere" / "keys" / "checkpoints.pem"
    assert f"countersign keys new --algorithm ed25519 --out {made}" in " ".join(told.stderr.split())
