"""Texts that others chose, such as names in MLflow, write no line into the policy, steer no terminal, and show no password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import click
import pytest

from bot.commands.init.asking import InScript, OnTerminal
from bot.domain.names import without_accounts
from bot.init.draft import GroupDraft, PersonDraft, PolicyDraft, ThresholdDraft, TicketDraft
from bot.init.next_steps import as_table, tasks
from bot.init.starter_policy import starter_policy
from config.policy import PolicyMistakes, read_policy
from tests.fixtures.mlflow_seed import new_run
from tests.init.conftest import ENOUGH, Team

RULE = """
  - models: "prod-*"
    target: {alias: champion}
    notify: {slack: "#c"}
    approve: {all_of: [{group: leads, quorum: 1}]}
    fast_track:
      mode: "on"
      #"""
ENDS_OF_LINES = ["\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\v", "\f"]
STEERING = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b2J", "\u202egnp", "\x7f", "\ud83d", "\u200bx"]
PLACES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "model": lambda text: {"models": (text,)},
    "target": lambda text: {"target": text},
    "ask": lambda text: {"ask": text},
    "channel": lambda text: {"channel": text},
    "group": lambda text: {"groups": (GroupDraft(text, slack_group=text, size=2),)},
    "approver": lambda text: {"groups": (GroupDraft("leads", people=(text,), size=2),)},
    "person": lambda text: {"people": (PersonDraft(text, "ana@example.com", text),)},
    "run user": lambda text: {"unknown_users": (text,)},
    "metric": lambda text: {"thresholds": (ThresholdDraft(text, 1.0, greater_is_better=True),)},
    "other metric": lambda text: {"undirected": (text,)},
    "measured on": lambda text: {"measured_on": f"{text} v1"},
    "store": lambda text: {"stores": (text,)},
    "project": lambda text: {"ticket": TicketDraft(text, text, text, text, (text, text))},
}
DRAFT = PolicyDraft(
    models=("bike-*",),
    target="champion",
    ask="candidate",
    channel="#c",
    groups=(GroupDraft("leads", slack_group="ml-leads", size=2),),
    people=(PersonDraft("Ana", "ana@example.com", "ana"),),
    unknown_users=(),
    thresholds=(ThresholdDraft("mae", 31.4, greater_is_better=False),),
    undirected=(),
    measured_on="bike v1",
    stores=("mlflow-artifacts:",),
    ticket=None,
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS_OF_LINES)
def test_a_text_from_outside_writes_no_line_of_the_policy(place: str, end: str) -> None:
    hostile = f"x{end}" + RULE.replace("\n", end)

    text = starter_policy(replace(DRAFT, **PLACES[place](hostile)))

    plain = starter_policy(replace(DRAFT, **PLACES[place]("x")))
    assert len(text.splitlines()) == len(plain.splitlines())
    with suppress(PolicyMistakes):  # a value on several lines is refused there
        assert len(read_policy(text).rules) == 1


@pytest.mark.parametrize("place", ["run user", "other metric", "measured on"])
@pytest.mark.parametrize("odd", [*ENDS_OF_LINES, *STEERING, "\U0001f600\x1b", '"', "\\", "#", "\0"])
def test_a_text_in_a_comment_blocks_no_policy(place: str, odd: str) -> None:
    text = starter_policy(replace(DRAFT, **PLACES[place](f"a{odd}b")))

    assert len(read_policy(text).rules) == 1
    assert is_plain(text)


@pytest.mark.parametrize("name", ["on", "no", "123", "null", "1e3", "ml-leads", "Leads_2"])
def test_the_name_of_a_group_stays_one_text(name: str) -> None:
    text = starter_policy(replace(DRAFT, groups=(GroupDraft(name, slack_group="leads", size=2),)))

    (needed,) = read_policy(text).rules[0].approve.all_of
    assert needed.group == name


@pytest.mark.parametrize("name", ["a: b", "a}", "#x", "a, quorum: 0"])
def test_a_name_that_is_no_groups_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(PolicyMistakes, match=f'"{name}" cannot be the name of a group'):
        read_policy(starter_policy(replace(DRAFT, groups=(GroupDraft(name, slack_group="leads", size=2),))))


@pytest.mark.parametrize("end", ["\n", "\u2028", "\x1b[2J"])
def test_a_model_with_such_a_name_blocks_no_set_up(team: Team, end: str) -> None:
    name = f"aa-{uuid4().hex[:6]}{end}x"
    team.mlflow.create_registered_model(name)
    run_id = new_run(team.mlflow, {"mae": 3.0}, f"{end}Who does what: nothing")
    source = f"mlflow-artifacts:/0/{run_id}/artifacts"
    team.mlflow.create_model_version(name, source=source, run_id=run_id, await_creation_for=0)

    try:
        planned = team.plan(replace(ENOUGH, models=(f"{name[:9]}*",)))
        with_one_more = team.plan(replace(ENOUGH, models=("to-come",)))
    finally:
        team.mlflow.delete_registered_model(name)

    policy = next(file.text for file in planned.files if file.path.name == "policy.yaml")
    assert f'# From "{name[:9]}\\' in policy
    printed = "\n".join([planned.who_does_what(), *planned.said, *with_one_more.said])
    assert is_plain(printed)
    assert not any(line.startswith("Who does what") for line in printed.split("\n"))


@pytest.mark.parametrize("odd", STEERING)
def test_what_is_printed_steers_no_terminal(
    odd: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(prompt: str) -> str:
        click.echo(prompt)
        return "yes"

    monkeypatch.setattr("click.termui.visible_prompt_func", answered)
    monkeypatch.setattr("click.termui.hidden_prompt_func", answered)
    on_terminal = OnTerminal()

    on_terminal.say(f"say{odd}b\nc")
    on_terminal.text("--x", f"text{odd}b", f"p{odd}")
    on_terminal.secret("--x", f"secret{odd}b", str)
    on_terminal.agreed(f"agreed{odd}b")
    InScript().say(f"script{odd}b\nc")
    click.echo(as_table(list(tasks(replace(DRAFT, unknown_users=(odd,), channel=odd), {}, "3.1", "", "x.pub"))))

    said = capsys.readouterr().out
    assert all(word in said for word in ("say", "text", "secret", "agreed", "script", "Each trainer"))
    assert is_plain(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://bot:hunter2@mlflow.example:5000/x", "http://mlflow.example:5000/x"),
        (
            "was https://bot:p@ss@one.example, is https://two.example.",
            "was https://one.example, is https://two.example.",
        ),
        ('uri: "http://bot:pa/ss@mlflow.example"', 'uri: "http://mlflow.example"'),
        ("postgresql://u:pw@db/x, smtps://u@mail.example", "postgresql://db/x, smtps://mail.example"),
        ("http://:token@mlflow.example", "http://mlflow.example"),
        ("http://mlflow.example:5000/models/a@champion", "http://mlflow.example:5000/models/a@champion"),
        ("http://mlflow.example and ana@example.com", "http://mlflow.example and ana@example.com"),
    ],
)
def test_an_address_is_shown_without_its_account(text: str, said: str) -> None:
    assert without_accounts(text) == said


def test_no_password_of_an_address_is_said_or_shown(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.plan().write(team.folder)
    env, policy = team.folder / "countersign.env", team.folder / "policy.yaml"
    env.write_text(
        env.read_text().replace("MLFLOW_TRACKING_URI=http://", "MLFLOW_TRACKING_URI=http://bot:hunter2@was.")
    )
    policy.write_text(policy.read_text() + "# http://bot:hunter2@mlflow.example\n")

    planned = team.plan(ENOUGH, force=True)

    said, diff = "\n".join(planned.said), capsys.readouterr().out
    assert "MLFLOW_TRACKING_URI was http://was." in said
    assert "-# http://mlflow.example" in diff
    assert "hunter2" not in said + diff


def is_plain(text: str) -> bool:
    return all(letter.isprintable() for line in text.split("\n") for letter in line)
