"""`countersign init`: reads options, asks on a terminal, writes at the end, and hands over to `countersign doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from bot.commands.context import Mistake, telling_mistakes
from bot.commands.output import terminal
from bot.errors import InvalidInput, OutsideError

if TYPE_CHECKING:
    from bot.init.given import PolicyAnswers
    from bot.init.questions import Questions

SECRET_FILES: Mapping[str, str] = {
    "mlflow_password_file": "MLFLOW_TRACKING_PASSWORD",
    "mlflow_token_file": "MLFLOW_TRACKING_TOKEN",
    "slack_bot_token_file": "SLACK_BOT_TOKEN",
    "slack_signing_secret_file": "SLACK_SIGNING_SECRET",
    "slack_app_token_file": "SLACK_APP_TOKEN",
    "jira_api_token_file": "JIRA_API_TOKEN",
    "jira_token_file": "JIRA_TOKEN",
}
ADDRESSES: Mapping[str, str] = {
    "mlflow_username": "MLFLOW_TRACKING_USERNAME",
    "url": "COUNTERSIGN_URL",
    "jira_url": "JIRA_URL",
    "jira_email": "JIRA_EMAIL",
}
ONE_REGISTRY = (
    "--mlflow-uri was given {count} times, and init sets up one registry. Give the one where most models are; afterwards name the others "
    "under `registries` in policy.yaml, with their accounts in countersign.env."
)


def _secret_files(command: Callable[..., None]) -> Callable[..., None]:
    for name, setting in reversed(list(SECRET_FILES.items())):
        option = f"--{name.replace('_', '-')}"
        help_ = f"File with {setting}, or - for standard input. Default: the environment."
        command = click.option(option, name, type=click.File("r"), help=help_)(command)
    return command


@click.command()
@click.option("--mlflow-uri", multiple=True, help="Address of the MLflow server.")
@click.option("--mlflow-username", help="The bot's account there, if the server has accounts.")
@click.option("--url", help="Public https address of the bot. Without it, Slack's Socket Mode is used.")
@click.option("--jira-url", help="Address of Jira.")
@click.option("--jira-email", help="Jira Cloud: e-mail address of the bot's account.")
@_secret_files
@click.option("--models", multiple=True, help="Model, or pattern such as bike-*. Repeatable.")
@click.option("--target", default="", help="Alias that serving loads. Default: proposed, such as champion.")
@click.option("--ask", default="", help="Alias that asks for it. Default: proposed, such as candidate.")
@click.option("--channel", default="", help="Slack channel for approvals.")
@click.option("--approvers", multiple=True, help="[NAME=]@GROUP or [NAME=]EMAIL,EMAIL. Each one repeated must approve.")
@click.option("--person", multiple=True, metavar="RUN_USER=EMAIL", help="Who a user of MLflow's runs is. Repeatable.")
@click.option(
    "--metric", multiple=True, metavar="NAME=higher|lower", help="Metric with a threshold, and which way it is better."
)
@click.option("--jira-project", default="", help="Key of the project for tickets.")
@click.option("--jira-type", default="", help="Issue type. Default: Task, if there is one.")
@click.option("--jira-approved", default="", help="Status, or transition, of an approved ticket.")
@click.option("--jira-rejected", default="", help="Status, or transition, of a rejected ticket.")
@click.option("--no-jira", is_flag=True, help="Open no tickets.")
@click.option("--force", is_flag=True, help="Replace a policy that is there. Keys are never replaced.")
@click.option("--no-input", is_flag=True, help="Ask nothing, as without a terminal: what is missing ends it.")
@telling_mistakes
def init(**said: object) -> None:
    """Set up a bot in this directory: settings, a starter policy and keys, from what MLflow, Slack and Jira know.

    On a terminal it asks; in a script the options say everything. Secrets come from files, the environment or a prompt, never from the
    command line. It writes countersign.env (mode 600), policy.yaml with its schema, the keys and countersign.pub, all at the end, and
    then runs doctor, whose exit code it returns. Run it again to change what you name: the rest stays as it is.
    """
    from bot.assembly import quieten_vendors
    from bot.commands.init.asking import InScript, OnTerminal, in_one_line, plain
    from bot.init.connecting import for_a_person
    from bot.init.program import Wanted, plan

    quieten_vendors()
    is_terminal = terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stdout) and not said["no_input"]
    ask: Questions = OnTerminal() if is_terminal else InScript()
    try:
        wanted = Wanted(
            _values(said), os.environ, _answers(said), False if said["no_jira"] else None, bool(said["force"])
        )
        planned = plan(wanted, ask)
    except (InvalidInput, OutsideError) as trouble:
        raise Mistake(plain(f"{for_a_person(str(trouble))}\nNothing was written.")) from None
    for line in (*planned.said, *planned.write()):
        click.echo(in_one_line(line))
    click.echo(f"\nWho does what:\n{plain(planned.who_does_what())}\n")
    sys.exit(_examined(planned.values, is_terminal=is_terminal))


def _values(said: Mapping[str, object]) -> dict[str, str]:
    """Settings that options name. Raises Mistake."""
    uris = said["mlflow_uri"]
    assert isinstance(uris, tuple)
    if len(uris) > 1:
        raise Mistake(f"{ONE_REGISTRY.format(count=len(uris))}\nNothing was written.")
    found = {"MLFLOW_TRACKING_URI": uris[0]} if uris else {}
    found |= {setting: str(said[name]).strip() for name, setting in ADDRESSES.items() if said[name]}
    for name, setting in SECRET_FILES.items():
        if (file := said[name]) is not None:
            found[setting] = _secret_in(file, f"--{name.replace('_', '-')}")
    return found


def _secret_in(file: object, option: str) -> str:
    text = file.read().strip() if hasattr(file, "read") else ""
    if not text or "\n" in text:
        raise Mistake(f"{option}: the file must hold the secret on one line, and nothing else.\nNothing was written.")
    return str(text)


def _answers(said: Mapping[str, object]) -> PolicyAnswers:
    from bot.init.connecting import settings_from
    from bot.init.given import PolicyAnswers

    def several(name: str) -> tuple[str, ...]:
        found = said[name]
        return tuple(map(str, found)) if isinstance(found, tuple) else ()

    directions = _pairs(several("metric"), "--metric", "NAME=higher or NAME=lower")
    if wrong := sorted(name for name, way in directions.items() if way not in ("higher", "lower")):
        raise Mistake(f"--metric {wrong[0]}: say higher or lower.\nNothing was written.")
    people = _pairs(several("person"), "--person", "RUN_USER=EMAIL")
    for email in people.values():
        settings_from({"JIRA_EMAIL": email})
    return PolicyAnswers(
        models=several("models"),
        target=str(said["target"]),
        ask=str(said["ask"]),
        channel=str(said["channel"]),
        approvers=several("approvers"),
        people=people,
        directions={name: way == "higher" for name, way in directions.items()},
        project=str(said["jira_project"]),
        type=str(said["jira_type"]),
        approved=str(said["jira_approved"]),
        rejected=str(said["jira_rejected"]),
    )


def _pairs(texts: tuple[str, ...], option: str, form: str) -> dict[str, str]:
    split = [text.rpartition("=") for text in texts]
    if wrong := next(
        (text for text, (name, _, value) in zip(texts, split, strict=True) if not name or not value), None
    ):
        raise Mistake(f"{option} {wrong}: write {form}.\nNothing was written.")
    return {name: value for name, _, value in split}


def _examined(values: Mapping[str, str], *, is_terminal: bool) -> int:
    """Runs doctor, on a terminal until nothing fails or the person stops. Returns its exit code."""
    from bot.init.connecting import environment

    with environment(values):
        while (code := _doctor()) and is_terminal:
            click.echo("Fix what failed, then press Enter to check again; q and Enter stops.")
            if click.prompt("", default="", show_default=False, prompt_suffix="> ").strip().casefold() == "q":
                break
    if not code:
        click.echo("\nNext: set -a && . ./countersign.env && set +a && countersign serve")
    return code


def _doctor() -> int:
    context = click.get_current_context()
    root = context.find_root().command
    command = root.get_command(context, "doctor") if isinstance(root, click.Group) else None
    assert command is not None
    try:
        command.main([], prog_name="countersign doctor", standalone_mode=False)
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    except SystemExit as end:
        return int(end.code or 0)
    return 0
