"""A version whose rule seals: the gate answers with the sealed address, and reads exactly the sealed object versions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.domain.attestation.answers import CannotTell, Denied
from bot.domain.attestation.in_toto import identity_digest
from bot.domain.attestation.sealed_places import index_key, index_of, place_as_plain
from bot.domain.model import VersionId
from bot.domain.seals.places import SealedAt, SealedObject
from bot.gate import load_model
from bot.gate.manifests import digest_of, manifest_of
from bot.gate.sealed import download_sealed
from bot.sandbox.serving import serving
from tests.fixtures.buckets import Buckets
from tests.gate.approvals import Shelf, answering, approval, gate, verdict

FILES = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"\0\1"}
DIGEST = digest_of(manifest_of({path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}))
VERDICT = "countersign.verdict.alias.champion"


@dataclass
class Vault:
    """FILES in a bucket with versions, where a rule seals to."""

    buckets: Buckets
    at: SealedAt
    objects: tuple[SealedObject, ...]

    @property
    def to(self) -> str:
        return f"s3://{self.buckets.bucket}/"

    def delete(self, key: str, version: str) -> None:
        self.buckets.s3.delete_object(Bucket=self.buckets.bucket, Key=key, VersionId=version)


@pytest.fixture
def vault(buckets: Buckets, aws: pytest.MonkeyPatch) -> Vault:
    aws.setenv("AWS_ACCESS_KEY_ID", "root")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "root")
    s3, bucket, folder = buckets.s3, buckets.bucket, "default/default/bike/v1-0123456789abcdef/" + "a" * 64 + "/"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    objects = tuple(
        SealedObject(
            path,
            hashlib.sha256(content).hexdigest(),
            len(content),
            s3.put_object(Bucket=bucket, Key=f"{folder}model/{path}", Body=content)["VersionId"],
        )
        for path, content in FILES.items()
    )
    index = index_of(DIGEST, objects)
    key = index_key(folder, index)
    written = s3.put_object(Bucket=bucket, Key=key, Body=index)["VersionId"]
    return Vault(buckets, SealedAt(bucket, folder, key, written, hashlib.sha256(index).hexdigest()), objects)


def approved(shelf: Shelf, vault: Vault, place: SealedAt | None = None) -> VersionId:
    version = shelf.version()
    shelf.put(version, approval(version, artifacts=DIGEST, seal=vault.to))
    if place is not None:
        shelf.put(version, verdict(version, artifacts=DIGEST, sealed=place), VERDICT)
    return version


def uri_of(version: VersionId) -> str:
    return f"models:/{version.model}/{version.version}"


def test_the_sealed_address_is_the_answer_in_every_form(shelf: Shelf, key: str, vault: Vault) -> None:
    uri = uri_of(approved(shelf, vault, vault.at))
    asked = ("check", uri, "--target", "alias:champion", "--key", key)

    plain, as_json = gate(shelf.url, *asked), gate(shelf.url, *asked, "--format", "json")

    assert (plain.code, plain.out) == (0, f"{vault.at.uri}\n")
    assert f"Sealed at {vault.at.uri}." in plain.err
    assert json.loads(as_json.out)["sealed"] == place_as_plain(vault.at)


def test_what_is_approved_and_not_sealed_yet_is_denied(shelf: Shelf, key: str, vault: Vault) -> None:
    uri = uri_of(approved(shelf, vault))

    denied = gate(shelf.url, "check", uri, "--target", "alias:champion", "--key", key)

    assert (denied.code, denied.out) == (1, "")
    assert f"nothing says that its files are sealed in {vault.to}. Wait until the bot has sealed them" in denied.err


def test_a_place_outside_of_the_one_that_the_signed_rule_names_does_not_count(
    shelf: Shelf, key: str, vault: Vault
) -> None:
    elsewhere = replace(vault.at, bucket="models-of-somebody")
    uri = uri_of(approved(shelf, vault, elsewhere))

    assert gate(shelf.url, "check", uri, "--target", "alias:champion", "--key", key).code == 1


@pytest.mark.parametrize("by", ["the bot", "the bot's verdict while it is down"])
def test_the_place_comes_from_the_bot_or_from_what_it_signed(shelf: Shelf, key: str, vault: Vault, by: str) -> None:
    version = approved(shelf, vault, vault.at if by != "the bot" else None)
    said = {
        "allowed": True,
        "identity": identity_digest(version),
        "artifacts": DIGEST,
        "envelope": approval(version, artifacts=DIGEST, seal=vault.to),
        "sealed": place_as_plain(vault.at),
    }
    asked = ("check", uri_of(version), "--target", "alias:champion", "--key", key, "--bot")
    environ = {"COUNTERSIGN_API_TOKEN": "token"}
    if by == "the bot":
        with serving(answering(said)) as url:
            found = gate(shelf.url, *asked, url, environ=environ)
            lies = {**said, "sealed": {**place_as_plain(vault.at), "uri": "s3://evil/model"}}
        with serving(answering(lies)) as url:
            assert gate(shelf.url, *asked, url, environ=environ).code == 3
    else:
        found = gate(shelf.url, *asked, "http://127.0.0.1:9", environ=environ)

    assert (found.code, found.out) == (0, f"{vault.at.uri}\n"), found.err


def test_exactly_the_object_versions_of_the_list_are_served(
    shelf: Shelf, key: str, vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vault.buckets.put(vault.at.key_of("data/weights.bin"), b"evil, and newer")

    download_sealed(vault.at, DIGEST, tmp_path / "served", 1_000)

    assert {path: (tmp_path / "served" / path).read_bytes() for path in FILES} == FILES


def test_a_list_that_is_gone_or_another_denies(shelf: Shelf, key: str, vault: Vault) -> None:
    asked = ("check", uri_of(approved(shelf, vault, vault.at)), "--target", "alias:champion", "--key", key)
    other = replace(vault.at, index_sha256="0" * 64)
    forged = ("check", uri_of(approved(shelf, vault, other)), "--target", "alias:champion", "--key", key)

    assert "has other bytes than the bot has recorded" in gate(shelf.url, *forged).err
    vault.delete(vault.at.index, vault.at.index_version)
    gone = gate(shelf.url, *asked)

    assert (gone.code, gone.out) == (1, "")
    assert "is gone from the bucket" in gone.err


def test_an_object_that_is_gone_is_not_served_from_anywhere_else(
    shelf: Shelf, key: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.url)
    uri = uri_of(approved(shelf, vault, vault.at))
    vault.delete(vault.at.key_of("MLmodel"), vault.objects[0].version)

    with pytest.raises(Denied, match=r"is not what was approved: .*MLmodel is gone from the bucket"):
        load_model(uri, target="alias:champion", keys=[key])


def test_a_store_that_does_not_answer_or_gives_no_permission_allows_nothing(
    shelf: Shelf, key: str, vault: Vault, aws: pytest.MonkeyPatch
) -> None:
    aws.setenv("MLFLOW_TRACKING_URI", shelf.url)
    uri = uri_of(approved(shelf, vault, vault.at))
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")

    unread = gate(shelf.url, "check", uri, "--target", "alias:champion", "--key", key)

    assert (unread.code, unread.out) == (3, "")
    assert "cannot be read: no credentials were found" in unread.err
    with pytest.raises(CannotTell, match="no credentials were found"):
        load_model(uri, target="alias:champion", keys=[key])
