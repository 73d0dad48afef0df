"""A rule that seals, with the whole product: a real MLflow, a bucket for models and another one that only the bot writes to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.events import SealHindered, TargetMoved, VersionSealed
from bot.domain.model import State
from bot.engine.rows import JobStatus
from bot.gate.serving import checked_folder
from tests.e2e.sealing.vault import FILES, Vault


def test_approved_files_are_sealed_before_the_target_moves_and_everyone_is_told_where(vault: Vault) -> None:
    vault.make_bucket()
    request = vault.promoted()

    seal = request.sealing.seal
    assert seal is not None
    assert vault.installation.champion() == request.version.version
    assert vault.installation.happened(VersionSealed, TargetMoved) == ["VersionSealed", "TargetMoved"]
    assert {name: vault.read(seal.at.uri, name) for name in FILES} == FILES
    assert seal.lock is not None
    assert seal.at.uri in vault.installation.details(request) + vault.installation.card(request).all_text
    assert f"The files are sealed in {seal.at.uri}, locked until" in vault.installation.comments(request)
    described = vault.run("describe", f"models:/{request.version.model}/{request.version.version}").stdout
    assert seal.at.uri in described
    assert "sealed" in vault.run("history", request.version.model).stdout

    listed = json.loads(vault.run("seal", "list", "--json").stdout)
    assert [(one["place"], one["files"]) for one in listed] == [(seal.at.uri, len(FILES))]
    verified = vault.run("seal", "verify")
    assert (verified.returncode, verified.stdout) == (0, "OK: 3 objects, each as it was sealed.\n"), verified.stderr

    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
    vault.buckets.s3.put_object_retention(
        Bucket=vault.sealed, Key=seal.at.key_of("MLmodel"), Retention=shorter, BypassGovernanceRetention=True
    )
    lifted = vault.run("seal", "verify")
    assert (lifted.returncode, lifted.stdout) == (1, "")
    assert "its lock ends at" in lifted.stderr
    assert "1 of 3 objects differ from what was sealed" in lifted.stderr
    away = vault.run("seal", "verify", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (away.returncode, "3 objects cannot be read now" in away.stderr) == (3, True), away.stderr


def test_the_gate_reads_the_sealed_object_versions_whatever_mlflow_has_by_then(vault: Vault, tmp_path: Path) -> None:
    vault.make_bucket()
    vault.use_policy("seal: s3://{0}/")
    request = vault.promoted()
    seal = request.sealing.seal
    assert seal is not None
    vault.overwrite(request.version.version, "weights.bin", b"evil")

    allowed = vault.gate()
    folder = checked_folder(vault.judged(), tmp_path / "served")

    assert (allowed.code, allowed.out) == (0, f"{seal.at.uri}\n"), allowed.err
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES

    key = seal.at.key_of("weights.bin")
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=key, Body=b"evil")
    over = vault.run("seal", "verify", "--json")
    assert over.returncode == 1
    assert [one["why"] for one in json.loads(over.stdout)["faults"]] == [
        "something newer lies over it, which readers get that name no object version"
    ]
    assert vault.gate().code == 0, "the gate names the object version"
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=seal.at.key_of("other.bin"), Body=b"evil")
    vault.buckets.s3.put_object(Bucket=vault.sealed, Key=f"{seal.at.beginning}-2/MLmodel", Body=b"evil")
    beside = json.loads(vault.run("seal", "verify", "--json").stdout)["faults"]
    assert [one["object"] for one in beside if one["why"].startswith("it was not sealed")] == [
        f"s3://{vault.sealed}/{seal.at.beginning}-2/MLmodel",
        f"s3://{vault.sealed}/{seal.at.key_of('other.bin')}",
    ]

    index = {"Bucket": vault.sealed, "Key": seal.at.index, "VersionId": seal.at.index_version}
    vault.buckets.s3.delete_object(**index)
    denied = vault.gate()
    assert denied.code == 1
    assert "does not count" in denied.err
    assert "is gone from the bucket" in denied.err


def test_a_version_whose_bytes_are_not_those_that_were_approved_is_not_moved_and_says_which_file(vault: Vault) -> None:
    vault.make_bucket()
    request = vault.asked()
    vault.overwrite(request.version.version, "weights.bin", b"\0\2")

    ended = vault.approved(request)

    assert ended.state is State.STALE
    asked_again = vault.installation.request(request.version.version)
    assert (asked_again.state, asked_again.id != request.id) == (State.PENDING, True)
    assert "weights.bin has other bytes" in vault.installation.card(request).all_text
    assert vault.installation.champion() is None
    assert not [one for one in vault.objects() if one["Key"].endswith("weights.bin")]
    assert vault.installation.happened(VersionSealed, TargetMoved) == []


def test_a_bucket_that_is_missing_keeps_the_target_where_it_is_until_it_is_made(vault: Vault) -> None:
    request = vault.asked()

    waiting = vault.approved(request)

    assert (waiting.state, vault.installation.champion()) == (State.APPROVED, None)
    assert "there is no such bucket" in vault.installation.card(request).all_text
    assert vault.installation.happened(SealHindered) == ["SealHindered"]
    vault.make_bucket()
    (parked,) = vault.installation.s.store.jobs.listing(JobStatus.PARKED)
    assert parked.name == "seal"
    vault.installation.s.store.jobs.replay(parked.id)
    vault.installation.settle_until(lambda: vault.installation.reread(request).state is State.APPLIED)
    assert vault.installation.champion() == request.version.version


def test_what_holds_a_target_already_is_sealed_when_its_rule_begins_to_seal(vault: Vault) -> None:
    vault.use_policy("remind_after: 4h")
    request = vault.promoted()
    vault.make_bucket()
    assert vault.gate().code == 0

    vault.use_policy()
    vault.installation.sweep("seal_holders")

    seal = vault.installation.reread(request).sealing.seal
    assert seal is not None
    allowed = vault.gate()
    assert (allowed.code, allowed.out) == (0, f"{seal.at.uri}\n"), allowed.err
