"""With `--passkeys`, the bot's own key approves nothing: the people in the list must have signed, with these passkeys, for these files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.attestation import decision as attestation
from bot.domain.attestation.gate import GateQuery, GateResult, ReasonCode
from bot.domain.attestation.in_toto import identity_digest
from bot.domain.attestation.vsa import Vsa, as_statement
from bot.domain.model import Artifacts, State
from bot.errors import Refused
from bot.gate.offline import approvals_in, judge_tags, judge_verdicts
from bot.gate.online import bot_at, judge_online
from bot.gate.passkeys import Pinned, demand_pinned, read_passkeys
from bot.sandbox.serving import serving
from tests.builders import CHAMPION, a_rule, an_evidence
from tests.fixtures.passkeys import SoftPasskey
from tests.gate.approvals import NAMES, Shelf, answering, gate, signed, tag_of
from tests.gate.test_passkeys import NOW, PASSKEY, RING, VOTES_TAG, Approved

CYS: Pinned = frozenset({("cy", PASSKEY.credential, PASSKEY.public_key)})
OTHER = SoftPasskey()
OTHER_FILES = "sha256:" + "e" * 64


def asked(approved: Approved, tags: dict[str, str], pinned: Pinned | None, *, is_down: bool = False) -> GateResult:
    question = GateQuery(approved.request.version, CHAMPION)
    judged = (judge_verdicts if is_down else judge_tags)(question, tags, RING, NOW, None)
    return demand_pinned(pinned, question, judged, approvals_in(tags), RING)


def whole(approved: Approved) -> dict[str, str]:
    return {tag_of(): approved.decision(), VOTES_TAG: approved.signed_vote()}


def for_other_files(approved: Approved) -> str:
    """A decision that only the bot's key has signed, over what the person signed for the files that were approved."""
    evidence = an_evidence(artifacts=Artifacts(OTHER_FILES, 1, 10))
    request = replace(approved.request, state=State.APPROVED, decided_at=NOW, votes=(approved.vote,), evidence=evidence)
    return signed(attestation.of_decision(request, a_rule(), NAMES))


def a_verdict(approved: Approved, files: str) -> str:
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    said = Vsa(approved.request.version, CHAMPION, True, files, "bike-*", "sha256:1", ("ab",), NOW, ends)
    return signed(as_statement(said))


def test_a_vote_by_a_passkey_of_the_list_approves() -> None:
    approved = Approved()

    result = asked(approved, whole(approved), CYS)

    assert result.allowed, result.reasons


@pytest.mark.parametrize(
    "pinned",
    [
        {("cy", OTHER.credential, OTHER.public_key)},
        {("cy", PASSKEY.credential, OTHER.public_key)},
        {("cy", OTHER.credential, PASSKEY.public_key)},
        {("ana", PASSKEY.credential, PASSKEY.public_key)},
        set(),
    ],
    ids=["another passkey", "another key", "another credential", "another person's", "none"],
)
def test_a_vote_by_a_passkey_that_the_list_does_not_have_as_this_persons_denies(
    pinned: set[tuple[str, str, str]],
) -> None:
    """Although the bot's key has signed it, and its own signature is good."""
    approved = Approved()

    without, result = (asked(approved, whole(approved), one) for one in (None, frozenset(pinned)))

    assert without.allowed
    assert [one.why for one in result.reasons] == [ReasonCode.NO_PASSKEY, ReasonCode.NOT_VERIFIED]
    assert "the list given with --passkeys" in result.reasons[1].sentence


def test_a_decision_that_rests_on_no_passkey_denies() -> None:
    approved = Approved()
    tags = {tag_of(): approved.decision(approved.pressed)}

    without, result = (asked(approved, tags, one) for one in (None, CYS))

    assert without.allowed
    assert [one.why for one in result.reasons] == [ReasonCode.NO_PASSKEY]


def test_a_decision_for_other_files_than_the_person_signed_for_denies() -> None:
    approved = Approved()
    tags = whole(approved) | {tag_of(): for_other_files(approved)}

    without, result = (asked(approved, tags, one) for one in (None, CYS))

    assert (without.allowed, without.artifacts) == (True, OTHER_FILES)
    assert [one.why for one in result.reasons] == [ReasonCode.NO_PASSKEY]
    assert "for other files" in result.reasons[0].sentence


@pytest.mark.parametrize("has_decision", [True, False])
@pytest.mark.parametrize("are_other_files", [True, False])
def test_while_the_bot_is_down_its_verdict_needs_the_decision_and_the_same_files(
    has_decision: bool, are_other_files: bool
) -> None:
    approved = Approved()
    assert approved.request.evidence is not None
    assert approved.request.evidence.artifacts is not None
    files = OTHER_FILES if are_other_files else approved.request.evidence.artifacts.digest
    tags = (whole(approved) if has_decision else {}) | {"countersign.verdict.x": a_verdict(approved, files)}

    without, result = (asked(approved, tags, one, is_down=True) for one in (None, CYS))

    assert without.allowed
    assert result.allowed is (has_decision and not are_other_files)


@pytest.mark.parametrize(("pinned", "allowed"), [(CYS, True), (frozenset({("ana", "x", "y")}), False), (None, True)])
def test_the_answer_of_the_bot_is_held_to_the_list_as_well(pinned: Pinned | None, allowed: bool) -> None:
    approved = Approved()
    identity = identity_digest(approved.request.version)
    body = {
        "allowed": True,
        "reasons": ["yes"],
        "identity": identity,
        "envelope": approved.decision(),
        "votes": [approved.signed_vote()],
    }

    with serving(answering(body)) as url:
        question = GateQuery(approved.request.version, CHAMPION)
        result = judge_online(question, bot_at(url, "token"), RING, NOW, pinned=pinned)

    assert result.allowed is allowed


def test_the_list_is_what_passkeys_list_prints_without_those_that_no_one_has_confirmed(tmp_path: Path) -> None:
    row = {"id": "ab", "person": "cy", "credential": PASSKEY.credential, "public_key": PASSKEY.public_key}
    file = tmp_path / "passkeys.json"
    file.write_text(json.dumps([row | {"state": "confirmed"}, row | {"credential": "x", "state": "waits for 1 more"}]))

    assert read_passkeys(file) == CYS


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        ("no JSON", "cannot be read: it is no JSON"),
        ("[]", "has no confirmed passkey"),
        ("{}", "has no confirmed passkey"),
        ('[{"person": "cy", "credential": "c", "public_key": "k", "state": "waits for 2 more"}]', "has no confirmed"),
        ('[{"person": "cy", "credential": "c"}]', "an entry without person, credential and public_key"),
        ('[["cy"]]', "an entry without person, credential and public_key"),
    ],
)
def test_a_list_of_no_use_is_refused_with_what_to_give(tmp_path: Path, text: str | None, sentence: str) -> None:
    file = tmp_path / "passkeys.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(Refused, match=sentence) as refused:
        read_passkeys(file)

    assert "countersign passkeys list --json" in str(refused.value)


def test_the_command_takes_the_list_with_a_key_only(shelf: Shelf, key: str, tmp_path: Path) -> None:
    version = shelf.version()
    approved = Approved(model=version.model, version=version.version, created=version.created)
    shelf.put(version, approved.decision())
    shelf.put(version, approved.signed_vote(), VOTES_TAG)
    rows = [
        {"person": person, "credential": PASSKEY.credential, "public_key": PASSKEY.public_key}
        for person in ("cy", "ana")
    ]
    lists = [tmp_path / "cys.json", tmp_path / "anas.json"]
    for file, row in zip(lists, rows, strict=True):
        file.write_text(json.dumps([row]))
    arguments = ("check", f"models:/{shelf.model}/1", "--target", "alias:champion")

    found = [gate(shelf.url, *arguments, "--key", key, "--passkeys", str(file)) for file in lists]
    keyless = gate(
        shelf.url,
        *arguments,
        "--passkeys",
        str(lists[0]),
        "--bot",
        "http://127.0.0.1:9",
        environ={"COUNTERSIGN_API_TOKEN": "t"},
    )

    assert [one.code for one in found] == [0, 1], found[0].err + found[1].err
    assert (keyless.code, "--passkeys needs --key" in keyless.err) == (2, True)
