"""`countersign init` against a real MLflow and the sandbox's Slack and Jira: what it proposes, writes, keeps and refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from bot.commands.init.asking import InScript
from bot.errors import InvalidSettings
from bot.init.connecting import for_a_person, settings_from
from bot.init.env_file import values_in
from bot.init.given import PolicyAnswers
from bot.init.program import Wanted, plan
from bot.init.questions import Check
from bot.init.slack_app import manifest, new_app_link
from bot.sandbox.jira import Project
from config.policy import policy_text_of, read_policy
from tests.fixtures.command_line import countersign
from tests.init.conftest import ENOUGH, Team, a_model

FILES = [".gitignore", "countersign.env", "countersign.pub", "policy.schema.json", "policy.yaml"]
NEARLY_ALL = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
}
KEYS = ["var/keys/approvals.pem", "var/keys/checkpoints.pem", "var/keys/link.key"]


def test_it_proposes_what_the_team_has(team: Team) -> None:
    planned = team.plan()

    planned.write(team.folder)

    policy = read_policy((team.folder / "policy.yaml").read_text())
    (rule,) = policy.rules
    assert (rule.models, rule.target.name, rule.channel) == (team.model, "champion", "#model-approvals")
    assert rule.fast_track is not None
    assert {one.metric: (one.threshold, one.greater_is_better) for one in rule.fast_track.metrics} == {
        "mae": (31.4, False)
    }
    assert rule.ticket is not None
    assert (rule.ticket.project, rule.ticket.type, rule.ticket.approved, rule.ticket.rejected) == (
        "GOV",
        "Task",
        "Done",
        "Won't Do",
    )
    assert {person.mlflow_user for person in policy.people if person.email == "ana@example.com"} == {"ana"}
    assert planned.draft is not None
    assert "train-robot" in planned.draft.unknown_users
    assert "train-robot" in planned.who_does_what()
    assert planned.draft.undirected == ("oddity",)
    assert team.written == sorted([*FILES, *KEYS])


def test_secrets_are_closed_to_others_and_ignored_by_git(team: Team) -> None:
    subprocess.run(["git", "init", "--quiet", str(team.folder)], check=True)
    (team.folder / ".gitignore").write_text("*.log")
    (team.folder / "countersign.env").write_text("# mine\n")
    (team.folder / "countersign.env").chmod(0o644)

    team.plan().write(team.folder)

    secret = ["countersign.env", *KEYS]
    assert {(team.folder / name).stat().st_mode & 0o777 for name in secret} == {0o600}
    shown = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=team.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[1] for line in shown.splitlines()} == {
        ".gitignore",
        "countersign.pub",
        "policy.schema.json",
        "policy.yaml",
    }
    assert (team.folder / ".gitignore").read_text().startswith("*.log\n")


def test_a_second_run_changes_only_what_is_asked(team: Team) -> None:
    team.plan().write(team.folder)
    before = {name: (team.folder / name).read_bytes() for name in team.written}
    env, policy = team.folder / "countersign.env", team.folder / "policy.yaml"
    env.write_text(env.read_text() + "# mine\nMETRICS_PORT=9464\n")
    policy.write_text(policy.read_text() + "# mine\n")
    team.values = {"JIRA_EMAIL": "countersign@example.com", "COUNTERSIGN_PROXIES": "127.0.0.1"}

    planned = team.plan(PolicyAnswers())
    planned.write(team.folder)

    assert (
        env.read_text()
        == before["countersign.env"].decode() + "# mine\nMETRICS_PORT=9464\nCOUNTERSIGN_PROXIES=127.0.0.1\n"
    )
    assert policy.read_bytes() == before["policy.yaml"] + b"# mine\n"
    kept = [name for name in team.written if name not in ("countersign.env", "policy.yaml")]
    assert {name: (team.folder / name).read_bytes() for name in kept} == {name: before[name] for name in kept}


def test_a_policy_that_is_there_is_replaced_with_force_alone_and_in_one_thing(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.plan().write(team.folder)
    policy = team.folder / "policy.yaml"
    mine = policy.read_text() + "# mine\n"
    policy.write_text(mine)
    asked = PolicyAnswers(channel="compliance")

    with pytest.raises(InvalidSettings, match=r"policy\.yaml is there and differs.*--force"):
        team.plan(asked)
    shown = capsys.readouterr().out
    assert '+    notify: {slack: "#compliance"}' in shown
    assert "-# mine" in shown
    assert policy.read_text() == mine

    team.plan(asked, force=True).write(team.folder)

    assert policy.read_text() == mine.replace('"#model-approvals"', '"#compliance"').removesuffix("# mine\n")


@pytest.mark.parametrize("folder", ["as it is", "as the current directory"])
def test_the_settings_lead_to_the_same_policy_database_and_keys_from_every_directory(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    made = team.folder
    if folder == "as the current directory":
        monkeypatch.chdir(team.folder)
        team.folder = Path()
    team.plan().write(team.folder)
    monkeypatch.chdir(tmp_path)

    settings = values_in((made / "countersign.env").read_text(), "countersign.env")

    assert settings["COUNTERSIGN_POLICY"] == str(made / "policy.yaml")
    assert read_policy(policy_text_of(Path(settings["COUNTERSIGN_POLICY"]))).rules
    assert settings["COUNTERSIGN_HOME"] == str(made / "var")
    assert settings_from(settings).checkpoint_key_path.is_file()


def test_a_home_that_a_shell_has_is_written_with_its_whole_path(team: Team) -> None:
    planned = team.plan(environ={"COUNTERSIGN_HOME": "var/state"})

    assert planned.values["COUNTERSIGN_HOME"] == str(team.folder / "var/state")


def test_paths_that_are_there_stay_as_they_were_written(team: Team) -> None:
    team.plan().write(team.folder)
    env = team.folder / "countersign.env"
    (team.folder / "policy.yaml").rename(team.folder / "ours.yaml")
    lines = [
        line for line in env.read_text().splitlines() if not line.startswith(("COUNTERSIGN_POLICY", "COUNTERSIGN_HOME"))
    ]
    mine = "\n".join([*lines, "COUNTERSIGN_POLICY=ours.yaml", "COUNTERSIGN_HOME=var", ""])
    env.write_text(mine)

    team.plan(PolicyAnswers()).write(team.folder)

    assert env.read_text() == mine


def wrong_slack(team: Team) -> None:
    team.values["SLACK_BOT_TOKEN"] = "xoxb-wrong-secret"


def wrong_jira(team: Team) -> None:
    team.values["JIRA_API_TOKEN"] = "wrong-secret"


def no_mlflow(team: Team) -> None:
    team.values["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"


def no_server_of_mlflow(team: Team) -> None:
    team.values["MLFLOW_TRACKING_URI"] = team.values["JIRA_URL"]


def no_project(team: Team) -> None:
    team.jira.denied_permissions = frozenset({"BROWSE_PROJECTS"})


def cut_off_settings(team: Team) -> None:
    (team.folder / "countersign.env").write_text("SLACK_BOT_TOKEN='xoxb-wrong-secret\n")


def settings_in_git(team: Team) -> None:
    (team.folder / "countersign.env").write_text("PORT=8080\n")
    for words in (["init", "--quiet"], ["add", "countersign.env"]):
        subprocess.run(["git", *words], cwd=team.folder, check=True)


def token_in_the_wrong_place(team: Team) -> None:
    team.values["SLACK_BOT_TOKEN"] = "xapp-wrong-secret"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (wrong_slack, r"Slack refused auth\.test: invalid_auth"),
        (wrong_jira, r"Jira refused connecting \(HTTP 401\)"),
        (no_mlflow, r"MLflow cannot be reached at http://127\.0\.0\.1:9"),
        (no_server_of_mlflow, r"answers 404 to /version, but not as MLflow does"),
        (no_project, r"sees no project\. Give it Browse projects"),
        (cut_off_settings, r"countersign\.env line 1 is not NAME=VALUE"),
        (settings_in_git, r"countersign\.env is in git.*git rm --cached"),
        (token_in_the_wrong_place, r"SLACK_BOT_TOKEN holds an app-level token"),
    ],
)
def test_what_cannot_be_is_said_without_secrets_and_nothing_is_written(
    team: Team, spoil: Callable[[Team], None], said: str
) -> None:
    spoil(team)
    before = team.written

    with pytest.raises(InvalidSettings, match=said) as refused:
        team.plan()

    assert "wrong-secret" not in str(refused.value)
    assert [name for name in team.written if not name.startswith(".git/")] == [
        name for name in before if not name.startswith(".git/")
    ]


def test_everything_that_is_missing_or_refused_is_said_at_once(team: Team) -> None:
    wrong_jira(team)
    no_mlflow(team)

    with pytest.raises(InvalidSettings) as refused:
        team.plan()

    assert len(refused.value.mistakes) == 2


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            replace(ENOUGH, channel="#model-aprovals"),
            r"no channel #model-aprovals\. The nearest: #model-approvals\. Create it",
        ),
        (replace(ENOUGH, target="latest"), r'--target cannot be "latest"'),
        (replace(ENOUGH, ask="v2"), r'--ask cannot be "v2"'),
        (replace(ENOUGH, channel=""), r"--channel is needed: .*#model-approvals, #compliance, #general"),
        (replace(ENOUGH, approvers=()), r"--approvers is needed: @GROUP or e-mail addresses"),
        (replace(ENOUGH, approvers=("@leads",)), r"no such user group\. There are: @ml-leads, @risk"),
        (
            replace(ENOUGH, approvers=("gil@partner.example",)),
            r"no full member of Slack has the address gil@partner\.example",
        ),
        (
            replace(ENOUGH, approvers=("cy@example.com",)),
            r"it takes 2 approvals, and there is 1 person who can give them",
        ),
        (replace(ENOUGH, approvers=("a=@risk", "a=@ml-leads")), r"two groups are called a"),
        *(
            (replace(ENOUGH, approvers=(several,)), r"more than one group\..*semicolon, or repeat --approvers")
            for several in (
                "@ml-leads, risk=cy@example.com",
                "@ml-leads,cy@example.com",
                "cy@example.com,@ml-leads",
                "a=@ml-leads,cy@example.com",
            )
        ),
        (replace(ENOUGH, target="candidate", ask="candidate"), r"An alias cannot ask for itself"),
        (replace(ENOUGH, project="OPS"), r"--jira-project: Jira's account sees no OPS\. There are: GOV"),
        (replace(ENOUGH, type="Epic"), r"--jira-type: Jira's account sees no Epic"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_those_that_can(team: Team, answers: PolicyAnswers, said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        team.plan(answers)


class OnTerminal(InScript):
    """Accepts each proposal, and gives these answers first; an answer that is refused is asked for again."""

    is_terminal = True

    def __init__(self, **answers: list[str]) -> None:
        super().__init__()
        self.answers = answers
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def text(
        self, option: str, what: str, proposal: str = "", *, may_be_empty: bool = False, check: Check = str
    ) -> str:
        for answer in self.answers.get(option.strip("-"), []):
            try:
                check(answer)
            except InvalidSettings as mistake:
                self.say(str(mistake))
            else:
                return answer
        return proposal


def test_a_person_is_asked_again_and_loses_no_answer(team: Team) -> None:
    ask = OnTerminal(channel=["#nowhere", "compliance"], target=["latest", "champion"], metric=["up", "lower"])
    wanted = Wanted(team.values, {}, replace(ENOUGH, channel="", models=(team.model,)), None, False, team.folder)

    planned = plan(wanted, ask)

    assert planned.draft is not None
    assert (planned.draft.channel, planned.draft.target) == ("#compliance", "champion")
    assert [line for line in ask.said if "#nowhere" in line or '"latest"' in line or '"up"' in line] == ask.said
    assert len(ask.said) == 3


def test_a_channel_that_is_created_while_one_is_asked_is_found(team: Team) -> None:
    class Creating(OnTerminal):
        def text(self, option: str, *words: str, **more: Any) -> str:
            if option == "--channel":
                team.slack.workspace.add_channel("fresh")
            return super().text(option, *words, **more)

    wanted = Wanted(team.values, {}, replace(ENOUGH, channel="", models=(team.model,)), None, False, team.folder)

    planned = plan(wanted, Creating(channel=["#fresh"]))

    assert planned.draft is not None
    assert planned.draft.channel == "#fresh"


def test_what_can_be_set_right_later_is_a_notice(team: Team) -> None:
    team.jira.denied_permissions = frozenset({"TRANSITION_ISSUES"})
    answers = replace(ENOUGH, approvers=("@risk",), models=("to-come-*",), directions={"f1": True})

    planned = team.plan(answers)

    said = "\n".join(planned.said)
    assert "No registered model is called to-come-* yet." in said
    assert "it takes 2 approvals, and there is 1 person who can give them" in said
    assert "No threshold for f1" in said
    assert "TRANSITION_ISSUES (to close them)" in " ".join(planned.who_does_what().split())


def test_on_a_plan_without_user_groups_approvers_are_named_by_address(team: Team) -> None:
    team.slack.app.is_free_plan = True

    planned = team.plan(replace(ENOUGH, approvers=("ana@example.com,ben@example.com",)))

    assert planned.draft is not None
    assert [group.people for group in planned.draft.groups] == [("ana@example.com", "ben@example.com")]


def test_another_registry_than_before_is_a_notice(team: Team) -> None:
    team.plan().write(team.folder)
    env = team.folder / "countersign.env"
    env.write_text(env.read_text().replace(team.values["MLFLOW_TRACKING_URI"], "http://mlflow.before.example"))

    planned = team.plan(PolicyAnswers())

    assert any("was http://mlflow.before.example and is now" in line for line in planned.said)


def test_projects_of_a_large_site_are_read_to_the_last_page(team: Team) -> None:
    team.jira.site.projects = (
        *(Project(f"P{number}", f"Project {number}") for number in range(120)),
        *team.jira.site.projects,
    )

    planned = team.plan(replace(ENOUGH, project="GOV"))

    assert planned.draft is not None
    assert planned.draft.ticket is not None
    with pytest.raises(InvalidSettings, match=r"--jira-project is needed: .* and 109 others"):
        team.plan()


def test_a_setting_of_the_environment_is_written_and_one_of_the_file_stays(team: Team) -> None:
    (team.folder / "countersign.env").write_text("PORT=8081\n")

    team.plan(environ={"PORT": "9999", "METRICS_PORT": "9464", "UNRELATED": "1"}).write(team.folder)

    values = values_in((team.folder / "countersign.env").read_text(), "countersign.env")
    assert (values["PORT"], values["METRICS_PORT"], values.get("UNRELATED")) == ("8081", "9464", None)


def test_an_empty_setting_of_the_file_hides_none_of_the_environments(team: Team) -> None:
    (team.folder / "countersign.env").write_text("METRICS_PORT=\nSLACK_BOT_TOKEN=\n")

    team.plan(environ={"METRICS_PORT": "9464"}).write(team.folder)

    values = values_in((team.folder / "countersign.env").read_text(), "countersign.env")
    assert values["METRICS_PORT"] == "9464"
    assert values["SLACK_BOT_TOKEN"]


@pytest.mark.parametrize("address", ["", "https://bot.example.org"])
def test_the_link_carries_the_documented_manifest(address: str) -> None:
    (text,) = parse_qs(urlsplit(new_app_link(address)).query)["manifest_yaml"]

    found = yaml.safe_load(text)
    documented = yaml.safe_load((Path(__file__).parents[2] / "config" / "slack_manifest.yaml").read_text())
    assert found == manifest(address)
    assert found["oauth_config"]["scopes"] == documented["oauth_config"]["scopes"]
    assert found["oauth_config"].get("redirect_urls", []) == ([f"{address}/sign-in/slack"] if address else [])
    assert found["settings"]["socket_mode_enabled"] is not bool(address)
    assert found["settings"]["interactivity"].get("request_url", "") == (f"{address}/slack/events" if address else "")
    assert "countersign.example.com" not in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
            ("--slack-bot-token-file", "--slack-app-token-file", "--approvers"),
        ),
        (
            {**NEARLY_ALL, "JIRA_URL": "http://127.0.0.1:9"},
            ("--jira-email and --jira-api-token-file are needed, or --jira-token-file", "--approvers", "--channel"),
        ),
        (
            {**NEARLY_ALL, "JIRA_URL": "http://127.0.0.1:9", "JIRA_API_TOKEN": "t"},
            ("--jira-email is needed.", "--approvers"),
        ),
        (NEARLY_ALL, ("--approvers",)),
        ({"JIRA_URL": "http://127.0.0.1:9"}, ("--mlflow-uri", "--slack-bot-token-file", "--jira-api-token-file")),
        (
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "COUNTERSIGN_URL": "http://bot.example.com"},
            ("--url: http://bot.example.com is not https",),
        ),
    ],
)
def test_a_script_reads_all_that_is_missing_before_anything_is_asked_outside(
    tmp_path: Path, values: dict[str, str], said: tuple[str, ...]
) -> None:
    ask = InScript()

    with pytest.raises(InvalidSettings) as refused:
        plan(Wanted(values, {}, PolicyAnswers(), None, False, tmp_path), ask)

    assert all(option in str(refused.value) for option in said)
    assert "cannot be reached" not in str(refused.value)


def test_what_failed_is_not_said_to_be_tried_again() -> None:
    assert for_a_person("MLflow is down. It is tried again.") == "MLflow is down."
    assert for_a_person("MLflow is down. It will be tried again.") == "MLflow is down."


def test_the_command_writes_reports_and_ends_with_doctors_exit_code(team: Team) -> None:
    (team.folder.parent / "token").write_text(f"{team.values['SLACK_BOT_TOKEN']}\n")
    environ = {name: text for name, text in team.values.items() if name != "SLACK_BOT_TOKEN"}
    words = ["init", "--models", team.model, "--channel", "general", "--approvers", "@ml-leads", "--approvers", "@risk"]

    refused = countersign(*words[:3], SLACK_BOT_TOKEN="", **{**environ, "SLACK_APP_TOKEN": ""})
    done = countersign(*words, "--slack-bot-token-file", str(team.folder.parent / "token"), **environ)

    assert refused.returncode == 2
    assert "--slack-bot-token-file is needed" in refused.stderr
    assert "--slack-app-token-file is needed" in refused.stderr
    assert "--approvers is needed" in refused.stderr
    assert "--channel: needed too" in refused.stderr
    assert refused.stderr.index("is needed") < refused.stderr.index(
        "https://api.slack.com/apps?new_app=1&manifest_yaml="
    )
    assert refused.stdout == ""
    assert refused.stderr.endswith("Nothing was written.\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout
    assert "countersign.pub" in done.stdout
    for secret in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "JIRA_API_TOKEN"):
        assert team.values[secret] not in done.stdout + done.stderr


@pytest.fixture
def second_model(team: Team) -> Iterator[str]:
    with a_model(team.mlflow) as name:
        yield name


def test_a_script_says_itself_which_of_several_models_it_is_for(team: Team, second_model: str) -> None:
    wanted = Wanted(team.values, {}, ENOUGH, None, False, team.folder)

    with pytest.raises(
        InvalidSettings, match=r"--models is needed: which of [0-9]+ registered models\? There are "
    ) as told:
        plan(wanted, InScript())

    assert second_model in str(told.value)
    assert team.written == []


def test_a_typo_of_a_models_name_is_refused_in_a_script_and_asked_about_on_a_terminal(team: Team) -> None:
    typo = replace(ENOUGH, models=(team.model.replace("churn", "chrn"),))

    with pytest.raises(
        InvalidSettings, match=rf"Did you mean {team.model}\? Write its name, or .*\*. for a model that"
    ):
        team.plan(typo)
    planned = plan(Wanted(team.values, {}, typo, None, False, team.folder), OnTerminal())

    assert planned.draft is not None
    assert planned.draft.models == (team.model,)


def test_each_rule_is_measured_on_a_model_of_its_own(team: Team, second_model: str) -> None:
    planned = team.plan(replace(ENOUGH, models=(team.model, second_model, "to-come-*")))

    assert planned.draft is not None
    assert [planned.draft.measures_for(one).measured_on for one in planned.draft.models] == [
        f"{team.model} v1",
        f"{second_model} v1",
        "",
    ]
