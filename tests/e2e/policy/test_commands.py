"""`countersign policy check`, `explain`, `replay` and `activate` on the real registry, groups and past."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from bot.__main__ import main
from bot.domain.events import PolicyActivated, PolicyRefused
from bot.domain.model import Ask, AskKind
from bot.store.absences import Switch
from handlers.request.asking import request_transition
from tests.builders import CHAMPION
from tests.fixtures.installation import Installation, policy_text

FAST_TRACK = "fast_track: {{mode: {mode}, metrics: {{{metric}: {{threshold: {limit}, greater_is_better: false}}}}}}"
NOWHERE = "http://127.0.0.1:9"
BY_PASSKEY = "[{group: ml-leads, quorum: 1, passkey: required}, {group: risk, quorum: 1}]"


def fast_track(mode: str = "shadow", limit: float = 40, metric: str = "mae") -> str:
    return FAST_TRACK.format(mode=mode, limit=limit, metric=metric)


def policy(installation: Installation, *words: str, **environ: str) -> Result:
    """The command as it runs beside the bot; an empty variable counts as not set."""
    settings = installation.settings
    usual = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "SLACK_BOT_TOKEN": settings.slack_bot_token.get_secret_value(),
        "SLACK_API_URL": settings.slack_api_url,
    }
    return alone(*words, **{**usual, **environ})


def alone(*words: str, **environ: str) -> Result:
    """The command with nothing around it but this environment."""
    return CliRunner().invoke(main, ["policy", *words], env=environ)


@pytest.fixture
def file(model_name: str, tmp_path: Path) -> Path:
    """A policy file with a fast track in shadow, which is not in force."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy_text(f"{model_name}*", extra=fast_track()))
    return path


def rewrite(file: Path, installation: Installation, **choices: str) -> str:
    file.write_text(policy_text(f"{installation.model}*", **choices))  # type: ignore[arg-type]
    return str(file)


def line_with(words: str, file: Path) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), start=1) if words in line)


# check


def test_a_metric_that_no_version_ever_logged_is_noticed_with_its_line_and_a_guess(
    installation: Installation, file: Path
) -> None:
    installation.register(metrics={"mae": 31.5})
    installation.register(metrics={"mae": 30.5, "r2": 0.8})

    told = policy(installation, "check", rewrite(file, installation, extra=fast_track(metric="maee")))

    assert told.exit_code == 0
    assert (
        f"{file} line {line_with('maee', file)}: the fast track of rule {installation.model}* → alias:champion"
        in told.output
    )
    assert 'metric "maee", which was never logged by 2 versions of 1 model' in told.output
    assert 'Did you mean "mae"?' in told.output


def test_with_strict_what_is_noticed_fails(installation: Installation, file: Path) -> None:
    installation.register()

    told = policy(installation, "check", rewrite(file, installation, extra=fast_track(metric="maee")), "--strict")

    assert told.exit_code == 1


def test_a_metric_that_some_version_logged_is_not_noticed(installation: Installation, file: Path) -> None:
    installation.register(metrics={"mae": 31.5})
    installation.register(metrics={"r2": 0.8})

    told = policy(installation, "check", str(file))

    assert told.exit_code == 0
    assert "never logged" not in told.output
    assert "Compared with MLflow" in told.output


def test_models_that_no_rule_speaks_of_are_listed_and_counted(mlflow_server: str, model_name: str, file: Path) -> None:
    client = MlflowClient(mlflow_server)
    for number in range(21):
        client.create_registered_model(f"a-stray-{number:02}-{model_name}")

    told = alone("check", str(file), MLFLOW_TRACKING_URI=mlflow_server)

    said = re.search(r"No rule speaks of (\d+) registered models: (.+) and (\d+) more\.", told.output)
    assert said is not None, told.output
    assert len(said[2].split(", ")) == 20
    assert int(said[1]) == 20 + int(said[3])


def test_an_alias_that_only_looks_like_the_one_asked_for_is_said(
    mlflow_server: str, model_name: str, file: Path
) -> None:
    client = MlflowClient(mlflow_server)
    client.create_registered_model(model_name)
    client.create_model_version(model_name, "s3://bucket/model", await_creation_for=0)
    client.set_registered_model_alias(model_name, "Candidate", "1")

    told = alone("check", str(file), MLFLOW_TRACKING_URI=mlflow_server)

    assert f"{model_name} v1 has the alias 'Candidate', and the rule waits for 'candidate'" in told.output


def test_a_rule_without_any_version_is_said_to_be_unchecked(mlflow_server: str, model_name: str, file: Path) -> None:
    told = alone("check", str(file), MLFLOW_TRACKING_URI=mlflow_server)

    assert f"MLflow has no version of a model that the rule {model_name}* → alias:champion matches" in told.output


@pytest.mark.parametrize(
    ("words", "address", "reason"),
    [
        (["--offline"], NOWHERE, "you said --offline"),
        ([], "", "MLFLOW_TRACKING_URI is not set"),
        ([], NOWHERE, "MLflow"),
    ],
    ids=["offline", "no address", "unreachable"],
)
def test_what_was_not_compared_with_mlflow_is_said(file: Path, words: list[str], address: str, reason: str) -> None:
    told = alone("check", str(file), *words, MLFLOW_TRACKING_URI=address)

    assert told.exit_code == 0
    assert "Not compared with MLflow: " in told.output
    assert reason in told.output


def test_with_strict_a_silent_mlflow_fails(file: Path) -> None:
    told = alone("check", str(file), "--strict", MLFLOW_TRACKING_URI=NOWHERE)

    assert told.exit_code == 1


def test_a_group_that_no_rule_names_is_noticed(file: Path) -> None:
    file.write_text(file.read_text().replace("groups:", "groups:\n  spare: {people: [cy@example.com]}"))

    told = alone("check", str(file), "--offline")

    assert f"{file} line {line_with('spare', file)}: " in told.output
    assert "spare" in told.output


def test_a_rule_whose_passkeys_no_one_could_use_is_noticed(file: Path, tmp_path: Path) -> None:
    file.write_text(policy_text("bike-*", all_of=BY_PASSKEY, groups="risk: {people: [cy@example.com]}"))
    alone_here = {"COUNTERSIGN_HOME": str(tmp_path), "COUNTERSIGN_URL": "", "COUNTERSIGN_LINK_KEY": ""}
    https, key = {"COUNTERSIGN_URL": "https://countersign.example.com"}, {"COUNTERSIGN_LINK_KEY": "k" * 40}

    def told(**environ: str) -> str:
        return alone("check", str(file), "--offline", **{**alone_here, **environ}).output

    line = f'{file} line {line_with("all_of", file) - 1}: the approvals of rule "bike-*" take a passkey, and here no one could use one'
    assert f"{line}: passkeys need the bot's public address. Set COUNTERSIGN_URL" in told()
    assert "only over https" in told(COUNTERSIGN_URL="http://countersign.example.com", **key)
    assert "no key for its links. Set COUNTERSIGN_LINK_KEY" in told(**https)
    assert "take a passkey" not in told(**https, **key)


def test_mistakes_come_first_and_all_at_once(file: Path) -> None:
    file.write_text(file.read_text().replace("quorum: 1", "quorum: none").replace("on_reject", "perhaps"))

    told = alone("check", str(file))

    assert told.exit_code == 2
    assert f"line {line_with('quorum', file)}" in told.output
    assert f"line {line_with('perhaps', file)}" in told.output


# explain


def test_explain_says_which_rule_who_and_what_the_fast_track_finds(installation: Installation, file: Path) -> None:
    installation.move(installation.register(metrics={"mae": 35.0}))
    installation.register(user="bea", metrics={"mae": 31.5})

    told = policy(installation, "explain", f"models:/{installation.model}/2", "--file", str(file))

    assert told.exit_code == 0, told.output
    assert f"alias:champion, held now by {installation.model} v1" in told.output
    assert f"{installation.model}* → alias:champion, number 1 of 1, sha256:" in told.output
    assert "1 of ml-leads (@ml-leads in Slack): Ana Ruiz, Bea Baker (not: trained it), Ben Okafor" in told.output
    assert "shadow: people decide; beside them it records that it would let this through" in told.output
    assert "✓ mae 31.5 is at most 40" in told.output


def test_explain_names_no_voter_who_asked_for_the_version_or_its_content_before(installation: Installation) -> None:
    version = installation.register(user="bea")
    asked = request_transition(
        installation.model, version, CHAMPION, "ben@example.com", "", Ask(AskKind.COMMAND), installation.s
    )
    installation.settle()
    installation.reject(asked, "worse on rainy days")
    first = installation.mlflow.get_model_version(installation.model, str(version))
    same = installation.mlflow.create_model_version(installation.model, first.source, first.run_id).version

    for number in (version, same):
        told = policy(installation, "explain", f"models:/{installation.model}/{number}")

        assert "Ana Ruiz, Bea Baker (not: " in told.output
        assert "Ben Okafor (not: asked for it or trained it before)" in told.output


def test_explain_shows_what_fails_and_writes_nothing(installation: Installation, file: Path) -> None:
    installation.register(metrics={"mae": 41.0})
    with installation.s.store.transaction() as tx:
        before = tx.ledger.count()

    told = policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file))

    assert "✗ mae 41" in told.output
    with installation.s.store.transaction() as tx:
        assert tx.ledger.count() == before
        assert tx.requests.find() == []


def test_explain_resolves_an_alias_and_takes_the_policy_in_force(installation: Installation) -> None:
    installation.ask(installation.register(), "candidate")

    told = policy(installation, "explain", f"models:/{installation.model}@candidate")

    assert f"{installation.model} v1 under the policy in force" in told.output
    assert "the rule has no fast track, so people decide" in told.output


def test_explain_says_why_earlier_rules_do_not_hold(installation: Installation, file: Path) -> None:
    installation.register()
    own, other = (policy_text(models, extra="") for models in (f"{installation.model}*", "rain-*"))
    rule = own[own.index("  - models:") : own.index("default:")]
    file.write_text(other.replace("default:", rule + "default:"))

    told = policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file))

    assert "number 2 of 2" in told.output
    assert f'not number 1, rain-* → alias:champion: "rain-*" does not match {installation.model}' in told.output


def test_explain_says_one_more_when_nobody_knows_who_asked(installation: Installation, file: Path) -> None:
    installation.register()

    told = policy(
        installation,
        "explain",
        f"models:/{installation.model}/1",
        "--file",
        rewrite(file, installation, unknown_requester="one_more"),
    )

    assert "approvals   1: 1 of ml-leads" in told.output
    assert "2: 1 of ml-leads and 1 of any of the groups, when nobody knows who asked" in told.output


def test_explain_says_what_waits_and_until_when(installation: Installation, file: Path) -> None:
    installation.register()
    waiting = "remind_after: 4h\nescalate: {after: 1d, group: heads}\nfreezes: [all-year]"
    text = policy_text(f"{installation.model}*", extra=f"{waiting}\n{fast_track()}")
    freeze = 'freezes:\n  all-year: {deny: [{from: "2001-01-01 00:00", until: "2099-01-01 00:00"}]}\n'
    file.write_text(text.replace("groups:", f"{freeze}groups:\n  heads: {{people: [cy@example.com]}}"))

    told = policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file))

    assert "freeze      all-year is on: an approval is applied after " in told.output
    assert "reminders   after each 4h of working time" in told.output
    assert "escalation  after 1d of working time, to heads" in told.output
    assert "heads, once it was escalated (people of the policy): Cy Lindqvist" in told.output
    assert "expiry      after 3d" in told.output


def test_explain_says_for_whom_a_passkey_is_needed(installation: Installation, file: Path) -> None:
    installation.register()
    groups = "risk: {people: [cy@example.com]}\nheads: {people: [bea@example.com]}"
    rewrite(file, installation, all_of=BY_PASSKEY, groups=groups, extra="escalate: {after: 8h, group: heads}")

    told = policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file))
    said = policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file), "--json")

    assert "  passkey     needed to approve for ml-leads, heads; to reject never takes one\n" in told.output
    assert json.loads(said.output)["targets"][0]["rule"]["passkey_needed_for"] == ["ml-leads", "heads"]


def test_explain_says_that_the_fast_track_is_switched_off(installation: Installation, file: Path) -> None:
    installation.register(metrics={"mae": 31.5})
    now = installation.s.clock.now()
    with installation.s.store.transaction() as tx:
        tx.switches.switch_fast_track(Switch(is_on=False, at=now, person=None, reason="figures drifted"))

    told = policy(
        installation,
        "explain",
        f"models:/{installation.model}/1",
        "--file",
        rewrite(file, installation, extra=fast_track("on")),
    )

    assert "on: people decide: the fast track is switched off" in told.output


def test_explain_says_which_author_the_policy_does_not_know(installation: Installation) -> None:
    installation.register(user="zoe")

    told = policy(installation, "explain", f"models:/{installation.model}/1")

    assert 'The policy names nobody called "zoe"' in told.output


def test_explain_names_the_group_alone_when_slack_is_not_asked_or_does_not_answer(installation: Installation) -> None:
    installation.register()
    uri = f"models:/{installation.model}/1"

    unset = policy(installation, "explain", uri, SLACK_BOT_TOKEN="")
    silent = policy(installation, "explain", uri, SLACK_API_URL=f"{NOWHERE}/api/")

    for told in (unset, silent):
        assert told.exit_code == 0
        assert "1 of ml-leads (@ml-leads in Slack): not known who that is." in told.output
    assert "SLACK_BOT_TOKEN is not set" in unset.output
    assert "Ana Ruiz" not in silent.output


def test_explain_of_a_target_that_no_rule_speaks_of_says_so(installation: Installation) -> None:
    installation.register()

    told = policy(installation, "explain", f"models:/{installation.model}/1", "--to", "alias:challenger")

    assert told.exit_code == 0
    assert "none, so nobody is asked; moves: report" in told.output
    assert "it speaks of alias:champion" in told.output


def test_explain_as_json_holds_the_same(installation: Installation, file: Path) -> None:
    installation.register(metrics={"mae": 41.0})

    told = json.loads(
        policy(installation, "explain", f"models:/{installation.model}/1", "--file", str(file), "--json").output
    )

    (target,) = told["targets"]
    assert (target["target"], target["champion"], target["rule"]["place"]) == ("alias:champion", None, 1)
    assert target["rule"]["fast_track"]["passes"] is False
    assert {"name": "Bea Baker", "shut_out": "trained it"} in target["rule"]["groups"][0]["members"]


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("bike/7", 2, "models:/bike-demand/7"),
        ("models:/{model}/9", 4, "MLflow has no version 9"),
        ("models:/{model}@nobody", 4, 'has no alias "nobody"'),
        ("models:/none-such/1", 4, 'MLflow has no registered model "none-such"'),
    ],
    ids=["no uri", "no version", "no alias", "no model"],
)
def test_explain_refuses_what_is_not_there(installation: Installation, uri: str, code: int, said: str) -> None:
    installation.register()

    told = policy(installation, "explain", uri.format(model=installation.model))

    assert told.exit_code == code
    assert said in told.output


# replay


def test_replay_says_what_would_have_passed_been_held_or_needed_more(installation: Installation, file: Path) -> None:
    installation.approve(installation.asked(installation.register(metrics={"mae": 31.5})))
    installation.approve(installation.asked(installation.register(metrics={"mae": 41.0})))
    last = installation.asked(installation.register(metrics={"mae": 20.0}))
    installation.reject(last, "worse on rainy days")

    told = policy(installation, "replay", "--file", rewrite(file, installation, quorum="2", extra=fast_track("on")))

    assert told.exit_code == 0, told.output
    assert f"3 requests of the last 90d under {file}:" in told.output
    assert "1  needs more votes" in told.output
    assert "2  would have passed by itself" in told.output
    assert "approvals would have waited" in told.output
    assert "1 of them people had rejected: look at these first" in told.output


def test_replay_under_the_policy_in_force_finds_the_same_outcome(installation: Installation) -> None:
    installation.approve(installation.asked())

    told = json.loads(policy(installation, "replay", "--json").output)

    assert told["summary"]["counts"]["same outcome"] == 1
    (row,) = told["requests"]
    assert (row["what_happened"], row["under_this_policy"]) == ("approved by people", "same outcome")


@pytest.mark.proof
def test_replay_looks_no_further_back_than_it_is_told(installation: Installation) -> None:
    installation.clock.ahead = timedelta(days=-2)
    installation.approve(installation.asked())

    told = policy(installation, "replay", "--since", "1d")

    assert told.output == "No request was opened in the last 1d.\n"


@pytest.mark.parametrize("since", ["soon", "999999d", "-3d"])
def test_replay_takes_durations_only(since: str) -> None:
    told = alone("replay", "--since", since)

    assert told.exit_code == 2
    assert since in told.output


# activate


def test_activate_puts_a_file_in_force_once(installation: Installation, file: Path) -> None:
    first, second = (policy(installation, "activate", str(file)) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"{file} is now in force" in first.output
    assert f"{file} is already in force" in second.output
    assert len(installation.entries(PolicyActivated)) == 2


def test_a_broken_file_leaves_the_policy_before_in_force_and_that_is_recorded(
    installation: Installation, file: Path
) -> None:
    before = installation.s.store.policy()
    file.write_text(file.read_text().replace("on_reject", "perhaps"))

    told = policy(installation, "activate", str(file))

    assert told.exit_code == 2
    assert f"{file} line {line_with('perhaps', file)}" in told.output
    assert installation.s.store.policy() == before
    assert len(installation.entries(PolicyRefused)) == 1
