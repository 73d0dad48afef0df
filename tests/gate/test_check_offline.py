"""`countersign gate check` with nothing but the registry and a public key: what may ship, and each way in which it may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.sandbox.serving import serving
from tests.gate.approvals import STRANGER, Shelf, answering, approval, gate, key_file, signed, tag_of, verdict, vote

YESTERDAY = timedelta(days=1)


def uri(shelf: Shelf, alias: str = "champion") -> str:
    return f"models:/{shelf.model}@{alias}"


def test_an_approved_version_may_ship_and_its_number_alone_is_printed(shelf: Shelf, key: str) -> None:
    version = shelf.approved()
    shelf.client.set_registered_model_alias(shelf.model, "champion", str(version.version))

    told = gate(shelf.url, "check", uri(shelf), "--key", key)

    assert (told.code, told.out) == (0, f"models:/{shelf.model}/1\n")
    assert 'Approved for alias:champion by Cy Lindqvist ("better on rainy days")' in told.err


def test_a_bare_number_needs_a_target(shelf: Shelf, key: str) -> None:
    shelf.approved()

    without = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--key", key)
    with_it = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert (without.code, with_it.code) == (2, 0)
    assert "does not say where it is to ship. Add --target" in without.err


@pytest.mark.filterwarnings("ignore:.*stages.*:FutureWarning")
def test_a_stage_means_the_newest_there(shelf: Shelf, key: str) -> None:
    old, new = shelf.approved("stage:Production"), shelf.version()
    for version in (old, new):
        shelf.client.transition_model_version_stage(shelf.model, str(version.version), "Production")

    unapproved = gate(shelf.url, "check", f"models:/{shelf.model}/Production", "--key", key)
    shelf.put(new, approval(new, "stage:Production"), tag_of("stage:Production"))
    approved = gate(shelf.url, "check", f"models:/{shelf.model}/production", "--key", key)

    assert unapproved.code == 1
    assert f"{shelf.model} v2 has no approval for stage:Production" in unapproved.err
    assert (approved.code, approved.out) == (0, f"models:/{shelf.model}/2\n")


def test_without_an_approval_nothing_ships(shelf: Shelf, key: str) -> None:
    shelf.version()

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert (told.code, told.out) == (1, "")
    assert "has no approval for alias:champion. Ask for one: countersign request-transition" in told.err


def test_an_alias_that_was_moved_by_hand_leads_to_a_version_that_may_not_ship(shelf: Shelf, key: str) -> None:
    shelf.approved()
    shelf.version()
    shelf.client.set_registered_model_alias(shelf.model, "champion", "2")

    told = gate(shelf.url, "check", uri(shelf), "--key", key)

    assert told.code == 1
    assert f"denied: models:/{shelf.model}/2 for alias:champion" in told.err


def test_an_approval_for_staging_does_not_pass_for_champion(shelf: Shelf, key: str) -> None:
    shelf.approved("alias:staging")

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert "is for alias:staging, not for alias:champion" in told.err


def test_a_tag_that_was_copied_from_another_version_counts_only_there(shelf: Shelf, key: str) -> None:
    first, second = shelf.approved(), shelf.version()
    shelf.put(second, approval(first))

    told = gate(shelf.url, "check", f"models:/{shelf.model}/2", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert f"is about {shelf.model} v1, not about {shelf.model} v2: it was copied from there" in told.err


def test_a_tag_that_was_copied_from_another_model_counts_only_there(shelf: Shelf, key: str) -> None:
    ours, other = shelf.version(), shelf.version(f"{shelf.model}-other")
    shelf.put(ours, approval(other))

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert f"is about {shelf.model}-other v1, not about {shelf.model} v1" in told.err


def test_a_version_that_was_created_again_under_the_same_number_needs_its_own_approval(shelf: Shelf, key: str) -> None:
    earlier = shelf.version()
    envelope = approval(earlier)
    shelf.client.delete_model_version(shelf.model, "1")
    shelf.client.delete_registered_model(shelf.model)
    again = shelf.version()
    shelf.put(again, envelope)

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert again.version == earlier.version
    assert told.code == 1
    assert f"is about an earlier {shelf.model} v1, created" in told.err


def test_what_was_rejected_does_not_ship(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    shelf.put(version, approval(version, rejected=True))

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert 'was rejected for alias:champion by Cy Lindqvist ("worse on rainy days")' in told.err


def test_the_newest_decision_counts_whatever_its_tag_is_called(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    shelf.put(version, approval(version, at=datetime.now(UTC) - YESTERDAY))
    shelf.put(version, approval(version, rejected=True), "countersign.attestation.alias.champion.another")

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert "was rejected for alias:champion" in told.err


def test_a_vote_alone_is_no_decision(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    shelf.put(version, vote(version), "countersign.attestation.alias.champion.cy")

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert "has no signed decision for alias:champion yet, only the vote of Cy Lindqvist" in told.err


def test_what_an_unknown_key_has_signed_does_not_count(shelf: Shelf, key: str, tmp_path: Path) -> None:
    version = shelf.version()
    shelf.put(version, approval(version, signer=STRANGER))
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key")

    told = gate(shelf.url, *arguments, key)
    known = gate(shelf.url, *arguments, key, "--key", key_file(tmp_path, STRANGER))

    assert (told.code, known.code) == (1, 0)
    assert "does not count: the envelope is signed by an unknown key" in told.err


def test_a_statement_of_another_kind_is_no_approval(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    shelf.put(version, verdict(version))
    foreign = signed({"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"})
    shelf.put(version, foreign, "countersign.attestation.alias.champion.other")

    told = gate(shelf.url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert "it is of the type https://slsa.dev/verification_summary/v1, not urn:countersign:approval:v1" in told.err
    assert "it is neither an approval nor a verdict of the gate" in told.err


def test_an_envelope_of_a_megabyte_is_not_even_read(shelf: Shelf, key: str) -> None:
    """MLflow's own server takes no tag of that size, so another one answers in its place."""
    huge = {"key": tag_of(), "value": "x" * 2**20}
    version = {"name": shelf.model, "version": "1", "creation_timestamp": 1_700_000_000_000, "tags": [huge]}

    with serving(answering({"model_version": version})) as url:
        told = gate(url, "check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert told.code == 1
    assert "the envelope is too large: 1048576 bytes, and at most 100000 are read" in told.err


def test_a_version_that_is_not_there_is_denied(shelf: Shelf, key: str) -> None:
    shelf.version()

    for asked in (
        f"models:/{shelf.model}@champion",
        f"models:/{shelf.model}/Staging",
        "models:/no-such-model@champion",
    ):
        told = gate(shelf.url, "check", asked, "--key", key)

        assert (told.code, told.out) == (1, "")
        assert f"{asked} leads to no version in the registry" in told.err


def test_a_copy_in_a_target_model_lives_on_its_originals_approval(shelf: Shelf, key: str) -> None:
    original = shelf.approved()
    target = f"model:prod.{shelf.model}"
    copy = shelf.version(f"prod.{shelf.model}", source=f"models:/{shelf.model}/1")
    shelf.put(copy, approval(original, target), "countersign.attestation.model.prod.decision")

    told = gate(shelf.url, "check", f"models:/prod.{shelf.model}/1", "--target", target, "--key", key)
    elsewhere = gate(shelf.url, "check", f"models:/prod.{shelf.model}/1", "--target", "alias:champion", "--key", key)

    assert (told.code, told.out) == (0, f"models:/prod.{shelf.model}/1\n")
    assert elsewhere.code == 1


def test_a_copy_of_something_else_does_not_ship_on_that_approval(shelf: Shelf, key: str) -> None:
    original, other = shelf.approved(), shelf.version()
    target = f"model:prod.{shelf.model}"
    copy = shelf.version(f"prod.{shelf.model}", source=f"models:/{shelf.model}/{other.version}")
    shelf.put(copy, approval(original, target), "countersign.attestation.model.prod.decision")

    told = gate(shelf.url, "check", f"models:/prod.{shelf.model}/1", "--target", target, "--key", key)

    assert told.code == 1
    assert f"is about {shelf.model} v1, not about prod.{shelf.model} v1" in told.err


def test_a_copy_whose_original_is_gone_proves_nothing(shelf: Shelf, key: str) -> None:
    original = shelf.approved()
    target = f"model:prod.{shelf.model}"
    copy = shelf.version(f"prod.{shelf.model}", source=f"models:/{shelf.model}/1")
    shelf.put(copy, approval(original, target), "countersign.attestation.model.prod.decision")
    shelf.client.delete_model_version(shelf.model, "1")

    told = gate(shelf.url, "check", f"models:/prod.{shelf.model}/1", "--target", target, "--key", key)

    assert told.code == 1


def test_an_approval_that_is_too_old_counts_only_with_a_verdict_that_renews_it(shelf: Shelf, key: str) -> None:
    version = shelf.version()
    shelf.put(version, approval(version, at=datetime.now(UTC) - 40 * YESTERDAY))
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key, "--max-age")

    too_old = gate(shelf.url, *arguments, "30d")
    young_enough = gate(shelf.url, *arguments, "50d")
    shelf.put(version, verdict(version), "countersign.verdict.alias.champion")
    renewed = gate(shelf.url, *arguments, "30d")

    assert (too_old.code, young_enough.code, renewed.code) == (1, 0, 0)
    assert "which is longer ago than the 30d that --max-age allows" in too_old.err
    assert "vouches for the approval for alias:champion" in renewed.err


def test_a_verdict_that_says_no_denies_every_decision_before_it_even_when_it_has_expired(
    shelf: Shelf, key: str
) -> None:
    version = shelf.version()
    shelf.put(version, approval(version, at=datetime.now(UTC) - 3 * YESTERDAY))
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    shelf.put(version, verdict(version, passed=False, age=2 * YESTERDAY), "countersign.verdict.alias.champion")
    failed, young = gate(shelf.url, *arguments), gate(shelf.url, *arguments, "--max-age", "30d")
    shelf.put(version, approval(version))
    again = gate(shelf.url, *arguments)

    assert (failed.code, young.code, again.code) == (1, 1, 0)
    assert "says that the approval no longer stands: made" in failed.err


APPROVES = {"allowed": True, "reasons": ["Approved."]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "who are you?"}, "401 Unauthorized"),
        ({"error": "not here"}, "403 Forbidden"),
        ("<html>Log in</html>", "200 OK"),
        ({"hello": "world"}, "200 OK"),
        (APPROVES, "200 OK"),
    ],
)
def test_a_bot_that_answers_something_else_is_not_down_so_no_verdict_stands_in(
    shelf: Shelf, key: str, body: object, status: str
) -> None:
    version = shelf.approved()
    shelf.put(version, verdict(version), "countersign.verdict.alias.champion")
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    with serving(answering(body, status)) as bot:
        told = gate(shelf.url, *arguments, "--bot", bot, environ={"COUNTERSIGN_API_TOKEN": "a-token"})
        alone = gate(shelf.url, *arguments[:-2], "--bot", bot, environ={"COUNTERSIGN_API_TOKEN": "a-token"})

    assert (told.code, told.out, alone.code) == (3, "", 3)
    assert "vouches for" not in told.err


@pytest.mark.parametrize("body", [{"error": "no database"}, "<html>Bad gateway</html>"])
def test_a_verdict_stands_in_for_a_bot_that_is_broken(shelf: Shelf, key: str, body: object) -> None:
    version = shelf.approved()
    shelf.put(version, verdict(version), "countersign.verdict.alias.champion")
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion", "--key", key)

    with serving(answering(body, "502 Bad Gateway")) as bot:
        told = gate(shelf.url, *arguments, "--bot", bot, environ={"COUNTERSIGN_API_TOKEN": "a-token"})

    assert told.code == 0
    assert "vouches for the approval" in told.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("models:/bike@champion",), "There is nothing to check the approval with. Give --key countersign.pub"),
        (("bike-demand",), "names no model version"),
        (("models:/bike/latest", "--target", "alias:champion"), "names no model version"),
        (("models:/bike@champion", "--target", "champion"), '"champion" is not a target'),
        (("models:/bike@champion", "--bot", "https://countersign.example.com"), "Set COUNTERSIGN_API_TOKEN"),
        (("models:/bike@champion", "--max-age", "soon"), '"soon" is no duration'),
        (("models:/bike@champion", "--key", "no-such-file.pem"), "The key file no-such-file.pem cannot be read"),
        (
            ("models:/bike@champion", "--key", "no-such-file.pem"),
            "Give countersign.pub, the public key that `countersign init` writes",
        ),
    ],
)
def test_a_wrong_question_ends_with_2_and_says_how_to_ask(
    shelf: Shelf, key: str, arguments: tuple[str, ...], sentence: str
) -> None:
    given = (
        arguments
        if "nothing to check" in sentence or "--key" in arguments or "--bot" in arguments
        else (*arguments, "--key", key)
    )

    told = gate(shelf.url, "check", *given)

    assert (told.code, told.out) == (2, "")
    assert sentence in told.err


def test_a_private_key_is_refused_as_a_key_to_trust(shelf: Shelf, tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    private.write_text("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n")

    told = gate(shelf.url, "check", "models:/bike@champion", "--key", str(private))

    assert told.code == 2
    assert "holds a private key, which belongs on the worker alone" in told.err
