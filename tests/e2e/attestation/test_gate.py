"""The gate with the whole product: what the bot has signed is believed, and what tags cannot show the bot's own route knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from bot.domain.attestation.decision import of_decision
from bot.domain.attestation.decision import payload_of as payload_of_statement
from bot.domain.events import DecisionSigned
from bot.domain.model import DECISION, Ask, AskKind, DecidedBy, State, Target, TransitionRequest
from bot.errors import Permanent
from bot.ports import PublicKey, Signer
from bot.signatures import PAYLOAD_TYPE, digest_of, payload_of, trusted_key, verify
from bot.store.attestations import Attestation
from handlers.attestation.signing import retire_key
from handlers.attestation.vsa import RENEWED_BEFORE, VALID_FOR, renew_verdict
from handlers.policy.activation import activate_policy
from handlers.queries.describe import describe
from handlers.registry.tags import sync_tags
from handlers.request.asking import request_transition
from tests.builders import a_rule
from tests.fixtures.installation import API_TOKEN, Installation, policy_text
from tests.gate.approvals import Outcome, gate

VERDICT = "countersign.verdict.alias.champion"
FROZEN = """
freezes:
  always: {timezone: UTC, deny: [{from: "2020-01-01 00:00", until: "2099-01-01 00:00"}]}
"""


@pytest.fixture
def key(installation: Installation, tmp_path: Path) -> str:
    return key_of(installation, tmp_path)


def key_of(installation: Installation, directory: Path) -> str:
    """The file with the public key of the installation's worker."""
    file = directory / "public.pem"
    file.write_text(installation.s.signer.key.pem)
    return str(file)


def promoted(installation: Installation, version: int | None = None) -> TransitionRequest:
    request = installation.asked(version)
    installation.approve(request)
    return installation.reread(request)


def rolled_back(installation: Installation, request: TransitionRequest) -> None:
    installation.click("ana", request, "roll_back")
    installation.slack.submit_view("ana", {"reason": "predictions drifted"})
    installation.settle()


def ask_bot(
    installation: Installation, version: int, target: str = "alias:champion", token: str = API_TOKEN
) -> requests.Response:
    address = f"{installation.url}/gate/{quote(installation.model)}/{version}"
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(address, params={"target": target}, headers=headers, timeout=30)


def offline(installation: Installation, asked: str, *arguments: str) -> Outcome:
    return gate(installation.settings.mlflow_tracking_uri, "check", f"models:/{installation.model}{asked}", *arguments)


def online(installation: Installation, asked: str, *arguments: str, bot: str | None = None) -> Outcome:
    setting = {"COUNTERSIGN_URL": bot or installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN}
    uri = f"models:/{installation.model}{asked}"
    return gate(installation.settings.mlflow_tracking_uri, "check", uri, *arguments, environ=setting)


def tags(installation: Installation, version: int, model: str | None = None) -> dict[str, str]:
    return dict(installation.mlflow.get_model_version(model or installation.model, str(version)).tags)


def verdict_of(installation: Installation, version: int) -> dict[str, object]:
    """What the verdict among the version's tags says, verified with the bot's key."""
    key = trusted_key(installation.s.signer.key.pem)
    statement = verify(tags(installation, version)[VERDICT], {key.id: key}).statement
    predicate = statement["predicate"]
    assert isinstance(predicate, dict)
    return predicate


def test_what_was_approved_ships_offline_and_online(installation: Installation, key: str) -> None:
    promoted(installation)

    without_bot = offline(installation, "@champion", "--key", key)
    with_bot = online(installation, "@champion")
    with_both = online(installation, "@champion", "--key", key)

    for told in (without_bot, with_bot, with_both):
        assert (told.code, told.out) == (0, f"models:/{installation.model}/1\n"), told.err
        assert "Approved for alias:champion by Ana Ruiz" in told.err


def test_a_model_that_runs_files_of_another_place_is_approved_by_people_alone_and_denied(
    installation: Installation, key: str
) -> None:
    version = installation.register()
    code = "flavors: {python_function: {code: ../elsewhere}}"
    installation.mlflow.log_text(installation.run_of(version), code, "model/MLmodel")
    request = installation.asked(version)
    card = installation.card(request).all_text

    installation.approve(request)
    without_bot = offline(installation, "@champion", "--key", key)
    with_bot = ask_bot(installation, version).json()

    assert "Careful, the gate denies this version: it runs files that are not its own" in card
    assert (without_bot.code, with_bot["allowed"]) == (1, False)
    assert "flavors.python_function.code" in without_bot.err
    assert "flavors.python_function.code" in with_bot["reasons"][0]


def test_nothing_ships_before_the_vote(installation: Installation, key: str) -> None:
    installation.asked()

    without_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    with_bot = online(installation, "/1", "--target", "alias:champion")

    assert (without_bot.code, with_bot.code) == (1, 1)
    assert "has no approval for alias:champion" in with_bot.err


def test_what_was_rejected_does_not_ship(installation: Installation, key: str) -> None:
    installation.reject(installation.asked(), "worse on rainy days")

    without_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    with_bot = online(installation, "/1", "--target", "alias:champion")

    assert (without_bot.code, with_bot.code) == (1, 1)
    assert 'was rejected for alias:champion by Ana Ruiz ("worse on rainy days")' in with_bot.err


def test_an_alias_that_was_moved_by_hand_does_not_ship(installation: Installation, key: str) -> None:
    promoted(installation)
    installation.ask(installation.register(), "champion")

    assert offline(installation, "@champion", "--key", key).code == 1
    assert online(installation, "@champion").code == 1


@pytest.mark.proof
def test_a_version_that_was_replaced_and_is_moved_back_by_hand_is_denied_by_the_bot(
    installation: Installation,
) -> None:
    promoted(installation)
    promoted(installation)
    replaced = ask_bot(installation, 1).json()

    installation.move(1)
    by_hand = ask_bot(installation, 1).json()
    (asked,) = installation.requests(State.PENDING)
    installation.approve(asked)
    ratified = ask_bot(installation, 1).json()

    assert [answer["allowed"] for answer in (replaced, by_hand, ratified)] == [True, False, True]
    assert "is back there by hand since" in by_hand["reasons"][0]


@pytest.mark.proof
def test_a_version_that_was_rolled_back_is_denied_by_the_bot(installation: Installation, key: str) -> None:
    promoted(installation)
    second = promoted(installation)

    rolled_back(installation, second)
    failed = online(installation, "/2", "--target", "alias:champion", "--key", key)
    back = online(installation, "@champion", "--key", key)

    assert failed.code == 1
    assert f"{installation.model} v2 was rolled back from champion" in failed.err
    assert (back.code, back.out) == (0, f"models:/{installation.model}/1\n")


def test_a_rollback_turns_the_verdict_of_the_version_that_failed(installation: Installation) -> None:
    promoted(installation)
    second = promoted(installation)
    before = verdict_of(installation, 2)

    rolled_back(installation, second)

    assert (before["verificationResult"], verdict_of(installation, 2)["verificationResult"]) == ("PASSED", "FAILED")
    assert verdict_of(installation, 1)["verificationResult"] == "PASSED"


def test_the_bots_route_answers_with_all_that_a_deployer_needs(installation: Installation) -> None:
    request = promoted(installation)

    answer = ask_bot(installation, 1)

    said = answer.json()
    assert answer.status_code == 200
    assert (said["allowed"], said["version"], said["target"]) == (
        True,
        f"models:/{installation.model}/1",
        "alias:champion",
    )
    assert json.loads(payload_of(said["envelope"]))["predicate"]["request"] == request.id
    assert said["verdict"] == tags(installation, 1)[VERDICT]


def test_the_bots_route_says_no_in_the_same_words(installation: Installation) -> None:
    promoted(installation)

    other_target, unknown = ask_bot(installation, 1, "stage:Production"), ask_bot(installation, 9)

    assert (other_target.status_code, other_target.json()["allowed"]) == (200, False)
    assert "is approved for alias:champion, not for stage:Production." in " ".join(other_target.json()["reasons"])
    assert (unknown.status_code, unknown.json()["allowed"]) == (404, False)
    assert unknown.json()["reasons"] == [
        f"MLflow has no models:/{installation.model}/9. Check the name and the number."
    ]


def test_the_route_opens_with_the_token_alone_and_to_sensible_questions(installation: Installation) -> None:
    promoted(installation)

    assert ask_bot(installation, 1, token="another").status_code == 401
    assert ask_bot(installation, 1, target="champion").status_code == 400
    assert ask_bot(installation, 2**40).status_code == 400
    assert online(installation, "@champion").code == 0


def test_a_wrong_token_leaves_the_question_open(installation: Installation) -> None:
    promoted(installation)
    setting = {"COUNTERSIGN_API_TOKEN": "another-token-0123456789"}

    told = gate(
        installation.settings.mlflow_tracking_uri,
        "check",
        f"models:/{installation.model}@champion",
        "--bot",
        installation.url,
        environ=setting,
    )

    assert told.code == 3
    assert "does not know this COUNTERSIGN_API_TOKEN" in told.err


def test_a_bot_whose_registry_is_down_cannot_tell(installation: Installation, open_installation) -> None:  # type: ignore[no-untyped-def]
    promoted(installation)
    lost = open_installation(registry_url="http://127.0.0.1:9")

    told = online(installation, "@champion", bot=lost.url)

    assert ask_bot(lost, 1).status_code == 503
    assert (told.code, told.out) == (3, "")


def test_while_the_bot_is_down_its_verdict_suffices_and_the_answer_says_so(
    installation: Installation, key: str
) -> None:
    promoted(installation)

    with_key = online(installation, "@champion", "--key", key, bot="http://127.0.0.1:9")
    without = online(installation, "@champion", bot="http://127.0.0.1:9")

    assert (with_key.code, with_key.out) == (0, f"models:/{installation.model}/1\n")
    assert "vouches for the approval for alias:champion" in with_key.err
    assert "Countersign at http://127.0.0.1:9 does not answer" in with_key.err
    assert (without.code, without.out) == (3, "")


def test_without_a_verdict_nothing_stands_in_for_the_bot(installation: Installation, key: str) -> None:
    promoted(installation)
    installation.mlflow.delete_model_version_tag(installation.model, "1", VERDICT)

    missing = online(installation, "@champion", "--key", key, bot="http://127.0.0.1:9")

    assert missing.code == 3
    assert "carries no verdict for alias:champion" in missing.err


def test_verdicts_are_renewed_while_the_approval_stands(installation: Installation) -> None:
    promoted(installation)
    first = tags(installation, 1)[VERDICT]

    installation.sweep("renew_verdicts")
    still = tags(installation, 1)[VERDICT]
    installation.clock.ahead = VALID_FOR - RENEWED_BEFORE + timedelta(minutes=1)
    installation.sweep("renew_verdicts")

    assert still == first
    assert tags(installation, 1)[VERDICT] != first
    assert verdict_of(installation, 1)["verificationResult"] == "PASSED"


def test_a_retired_key_renews_no_verdict(installation: Installation) -> None:
    promoted(installation)
    first = tags(installation, 1)[VERDICT]
    retire_key(installation.s.signer.key.id[:12], "the laptop was stolen", installation.s)

    installation.clock.ahead = VALID_FOR - RENEWED_BEFORE + timedelta(minutes=1)
    installation.sweep("renew_verdicts")

    assert tags(installation, 1)[VERDICT] == first
    assert installation.unfinished() == []


def test_the_verdict_of_a_version_that_gave_way_runs_out(installation: Installation) -> None:
    promoted(installation)
    promoted(installation)
    first = tags(installation, 1)[VERDICT]

    installation.clock.ahead = VALID_FOR + timedelta(minutes=1)
    installation.sweep("renew_verdicts")

    assert tags(installation, 1)[VERDICT] == first
    assert ask_bot(installation, 1).json()["verdict"] is None


def test_a_signature_of_a_retired_key_counts_if_it_was_made_before(installation: Installation, key: str) -> None:
    promoted(installation)

    retire_key(installation.s.signer.key.id[:12], "the laptop was stolen", installation.s)

    assert online(installation, "@champion", "--key", key).code == 0


def slipped_in(installation: Installation, request: TransitionRequest, at_entry: int | None = None) -> None:
    """An approval of the pending request, as an attacker with the worker's key and the bot's database role would add one."""
    stolen = replace(request, state=State.APPROVED, decided_by=DecidedBy.RULE, decided_at=installation.clock.now())
    envelope = installation.s.signer.sign(payload_of_statement(of_decision(stolen, a_rule(), {})), PAYLOAD_TYPE)
    now, key, digest = installation.clock.now(), installation.s.signer.key.id, digest_of(envelope)
    with installation.s.store.transaction() as tx:
        entry = at_entry or tx.record_now(DecisionSigned(now, request.id, DECISION, "", key, digest))
        tx.attestations.add(Attestation(request.id, DECISION, "", key, envelope, digest, entry, now))


@pytest.mark.proof
def test_a_signature_made_after_the_key_was_retired_does_not_count(installation: Installation) -> None:
    promoted(installation)
    pending = installation.asked(installation.register())
    retire_key(installation.s.signer.key.id[:12], "the laptop was stolen", installation.s)

    slipped_in(installation, pending)

    said = ask_bot(installation, 2).json()
    assert said["allowed"] is False
    assert "had been retired before it signed: the laptop was stolen" in " ".join(said["reasons"])


@pytest.mark.proof
def test_a_signature_counts_at_its_own_entry_of_the_ledger_whatever_the_row_says(installation: Installation) -> None:
    promoted(installation)
    pending = installation.asked(installation.register())
    retired = retire_key(installation.s.signer.key.id[:12], "the laptop was stolen", installation.s)
    assert retired.retired_seq is not None

    slipped_in(installation, pending, at_entry=retired.retired_seq - 1)

    said = ask_bot(installation, 2).json()
    assert said["allowed"] is False
    assert f"ledger entry {retired.retired_seq - 1} vouches for no such envelope" in " ".join(said["reasons"])
    described = describe(f"models:/{installation.model}/2", installation.s)
    assert not any(one.is_verified for told in described.requests for one in told.signed)


@pytest.mark.proof
def test_a_key_is_retired_by_its_entry_in_the_ledger_whatever_the_row_says(installation: Installation) -> None:
    promoted(installation)
    pending = installation.asked(installation.register())
    retire_key(installation.s.signer.key.id[:12], "the laptop was stolen", installation.s)
    slipped_in(installation, pending)

    with installation.s.store.transaction() as tx:
        tx.connection.exec_driver_sql("update keys set retired_seq = null, retired_because = ''")

    assert ask_bot(installation, 2).json()["allowed"] is False
    described = describe(f"models:/{installation.model}/2", installation.s)
    assert [one.fault for told in described.requests for one in told.signed if "was retired at" in one.fault]


@pytest.mark.proof
def test_an_approval_that_went_stale_stays_refused_after_its_new_request_has_ended(
    installation: Installation, key: str
) -> None:
    number = installation.register()
    request = installation.asked(number)
    installation.click("ana", request, "approve")
    installation.mlflow.log_metric(installation.run_of(number), "mae", 99.0)
    installation.settle()

    installation.clock.ahead = timedelta(days=4)
    installation.sweep("expire_requests")

    assert [one.state for one in installation.requests()] == [State.STALE, State.EXPIRED]
    assert "did not hold" in " ".join(ask_bot(installation, number).json()["reasons"])
    without_bot = offline(installation, f"/{number}", "--target", "alias:champion", "--key", key)
    assert without_bot.code == 1
    assert "says that the approval no longer stands" in without_bot.err


@pytest.mark.proof
def test_a_wish_that_was_withdrawn_takes_no_earlier_approval_away(installation: Installation, key: str) -> None:
    promoted(installation)
    promoted(installation)
    again = installation.asked(1)
    installation.mlflow.delete_registered_model_alias(installation.model, "candidate")
    installation.sweep()

    with_both = online(installation, "/1", "--target", "alias:champion", "--key", key)

    assert installation.reread(again).state is State.WITHDRAWN
    assert with_both.code == 0, with_both.err


@pytest.mark.proof
def test_a_rejection_turns_the_verdict_at_once_and_an_older_request_puts_nothing_back(
    installation: Installation, key: str
) -> None:
    first = promoted(installation)
    promoted(installation)
    installation.reject(installation.asked(1), "worse on rainy days")
    before = tags(installation, 1)

    sync_tags(first.id, installation.s)

    assert verdict_of(installation, 1)["verificationResult"] == "FAILED"
    assert tags(installation, 1) == before
    assert before["countersign.decision"] == "rejected"
    without_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    assert "was rejected for alias:champion" in without_bot.err


@pytest.mark.proof
def test_an_old_approval_that_is_put_back_is_denied_by_the_verdict(installation: Installation, key: str) -> None:
    promoted(installation)
    approved = tags(installation, 1)
    promoted(installation)
    installation.reject(installation.asked(1), "worse on rainy days")

    decision = "countersign.attestation.alias.champion.decision"
    installation.mlflow.set_model_version_tag(installation.model, "1", decision, approved[decision])

    without_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    assert without_bot.code == 1
    assert "says that the approval no longer stands" in without_bot.err


@dataclass(frozen=True)
class Retiring:
    """The worker's signer, whose key somebody retires while it signs."""

    installation: Installation
    signer: Signer

    @property
    def key(self) -> PublicKey:
        return self.signer.key

    def sign(self, payload: bytes, payload_type: str) -> str:
        retire_key(self.key.id, "the laptop was stolen", self.installation.s)
        return self.signer.sign(payload, payload_type)


def test_no_verdict_is_given_by_a_key_that_is_retired_while_it_signs(installation: Installation) -> None:
    request = promoted(installation)
    first = tags(installation, 1)[VERDICT]
    installation.clock.ahead = VALID_FOR - RENEWED_BEFORE + timedelta(minutes=1)

    with pytest.raises(Permanent, match="was retired: the laptop was stolen"):
        renew_verdict(request.id, replace(installation.s, signer=Retiring(installation, installation.s.signer)))

    assert tags(installation, 1)[VERDICT] == first
    assert ask_bot(installation, 1).json()["verdict"] == first


@pytest.mark.parametrize("is_next", [False, True], ids=["a move has met it", "it began after the one that a move met"])
def test_an_approval_that_a_freeze_holds_back_does_not_ship_yet(installation: Installation, is_next: bool) -> None:
    tomorrow = f"{installation.clock.now() + timedelta(days=1):%Y-%m-%d %H:%M}"
    first = f"  first: {{timezone: UTC, deny: [{{from: '2020-01-01 00:00', until: '{tomorrow}'}}]}}\n"
    always = FROZEN.replace("2020-01-01 00:00", tomorrow) + first if is_next else FROZEN
    freezes = f"freezes: [{'always, first' if is_next else 'always'}]"
    activate_policy(policy_text(f"{installation.model}*", extra=freezes) + always, "test", installation.s)
    request = installation.asked()
    installation.approve(request)
    installation.clock.ahead = timedelta(days=2 if is_next else 0)

    told = online(installation, "/1", "--target", "alias:champion")

    assert installation.reread(request).state is State.APPROVED
    assert told.code == 1
    assert "Approved, but the freeze always holds it back until" in told.err


def test_a_copy_in_a_target_model_ships_on_its_originals_approval(open_installation, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    installation = open_installation(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.sweep()
    number, target = installation.register(), f"model:prod.{installation.model}"
    installation.ask(number)
    installation.sweep()
    installation.approve(installation.request(number, target))
    uri = installation.settings.mlflow_tracking_uri
    setting = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN}
    arguments = (
        "check",
        f"models:/prod.{installation.model}/1",
        "--target",
        target,
        "--key",
        key_of(installation, tmp_path),
    )

    without_bot = gate(uri, *arguments)
    with_bot = gate(uri, *arguments, environ=setting)
    down = gate(uri, *arguments, environ={**setting, "COUNTERSIGN_URL": "http://127.0.0.1:9"})

    assert (without_bot.code, with_bot.code, down.code) == (0, 0, 0), (without_bot.err, with_bot.err, down.err)


@pytest.mark.proof
def test_a_copy_is_told_of_a_later_rejection_of_its_original(open_installation, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    installation = open_installation(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.sweep()
    number, target = installation.register(), f"model:prod.{installation.model}"
    installation.ask(number)
    installation.sweep()
    installation.approve(installation.request(number, target))
    newer = installation.register()
    installation.ask(newer)
    installation.sweep()
    installation.approve(installation.request(newer, target))

    installation.ask(number)
    installation.sweep()
    installation.reject(installation.request(number, target), "worse on rainy days")

    assert tags(installation, 1, f"prod.{installation.model}")["countersign.decision"] == "rejected"
    arguments = (
        "check",
        f"models:/prod.{installation.model}/1",
        "--target",
        target,
        "--key",
        key_of(installation, tmp_path),
    )
    told = gate(installation.settings.mlflow_tracking_uri, *arguments)
    assert "was rejected for" in told.err


def test_another_version_of_the_same_number_is_not_what_the_bot_approved(installation: Installation, key: str) -> None:
    promoted(installation)
    envelopes = {tag: text for tag, text in tags(installation, 1).items() if tag.startswith("countersign.")}
    installation.mlflow.delete_registered_model_alias(installation.model, "champion")
    installation.mlflow.delete_model_version(installation.model, "1")
    installation.mlflow.delete_registered_model(installation.model)
    again = installation.register()
    for tag, text in envelopes.items():
        installation.mlflow.set_model_version_tag(installation.model, str(again), tag, text)

    without_bot = offline(installation, "/1", "--target", "alias:champion", "--key", key)
    with_bot = online(installation, "/1", "--target", "alias:champion", "--key", key)
    down = online(installation, "/1", "--target", "alias:champion", "--key", key, bot="http://127.0.0.1:9")

    assert (again, without_bot.code, with_bot.code, down.code) == (1, 1, 1, 3)
    assert "is about an earlier" in without_bot.err


@pytest.mark.proof
@pytest.mark.parametrize("are_other_files", [False, True])
def test_a_later_approval_that_went_stale_denies_the_holder_only_when_the_files_are_others(
    open_installation: Callable[..., Installation], are_other_files: bool
) -> None:
    """It asked for a place that it got back by hand, and the approval from before is in force again."""
    installation = open_installation(observed="report")
    installation.sweep()
    number = promoted(installation).version.version
    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(installation.register()))
    installation.sweep()
    target, ask = Target.parse("alias:champion"), Ask(AskKind.API)
    request_transition(installation.model, number, target, "cy@example.com", "", ask, installation.s)
    installation.settle()
    request = installation.request(number)

    installation.click("ana", request, "approve")
    if are_other_files:
        installation.mlflow.log_text(installation.run_of(number), "other weights", "model/weights")
    installation.mlflow.log_metric(installation.run_of(number), "mae", 29.0)
    installation.mlflow.set_registered_model_alias(installation.model, "champion", str(number))
    installation.settle()
    installation.sweep()

    assert installation.reread(request).state is State.STALE
    assert ask_bot(installation, number).json()["allowed"] is not are_other_files


@pytest.mark.proof
def test_an_approval_of_the_original_that_went_stale_because_the_files_are_others_denies_its_copy_in_use(
    open_installation: Callable[..., Installation], tmp_path: Path
) -> None:
    installation = open_installation(target='{model: "prod.{name}"}', ask_on="[{alias: candidate}]")
    installation.sweep()
    target = f"model:prod.{installation.model}"
    number, newer = installation.register(), 0
    for version in (number, newer := installation.register()):
        installation.ask(version)
        installation.sweep()
        installation.approve(installation.request(version, target))
    arguments = ("check", f"models:/prod.{installation.model}/1", "--target", target)
    setting = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_API_TOKEN": API_TOKEN}
    key, uri = key_of(installation, tmp_path), installation.settings.mlflow_tracking_uri
    before = gate(uri, *arguments, "--key", key, environ=setting)

    installation.ask(number)
    installation.sweep()
    again = installation.request(number, target)
    installation.click("ana", again, "approve")
    installation.mlflow.log_text(installation.run_of(number), "other weights", "model/weights")
    installation.settle()
    after = gate(uri, *arguments, "--key", key, environ=setting)

    assert installation.reread(again).state is State.STALE
    assert (before.code, after.code, newer) == (0, 1, 2), (before.err, after.err)
    assert "did not hold" in after.err
