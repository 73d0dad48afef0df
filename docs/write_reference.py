"""Writes docs/reference.md from the code: `make reference`. A test fails when the page and the code differ.

Commands, settings, events and effects come from the code's own tables and docstrings; only what no table says is written here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import click

from bot.__main__ import main as countersign
from bot.app import flask_app, status_app
from bot.assembly import build_services
from bot.domain.events import Event
from bot.store.ledger import EVENTS
from config.settings import NEEDS, SETTINGS, VARIABLES_OF, Setting, Settings
from handlers import ON
from handlers.doors.slack_commands import HELP
from handlers.effects import EFFECTS

PAGE = Path(__file__).with_name("reference.md")
NOWHERE = "postgresql://none@127.0.0.1:9/none"  # the routes are listed without a database

CALLERS = {
    "POST /webhooks/mlflow": "MLflow; signed",
    "POST /webhooks/mlflow/<registry>": "the MLflow server of a registry that the policy names; signed",
    "POST /slack/events": "Slack: buttons, forms, menus, `/countersign`, the Home tab and links; signed",
    "POST /webhooks/jira": "Jira; signed",
    "POST /api/requests": "pipelines that ask for a transition; bearer token ([body](connect.md#check-and-ask))",
    "POST /api/rollbacks": "programs that roll a target back; bearer token ([body](policy.md#going-back))",
    "GET /gate/<model>/<version>": "CI and serving, with `?target=alias:champion`; bearer token ([answer](gate.md#examples))",
    "GET /guard/governed": "the guard of an MLflow server, with `?registry=`; bearer token ([guard](guard.md#where-the-list-comes-from))",
    "POST /guard/writes": "the guard of an MLflow server reports who wrote what; bearer token, and signed ([guard](guard.md#who-wrote-it))",
    "GET /models/<name>/<int:version>": "readers of a signed link on a card or ticket: the provenance page of a version",
    "GET /workspaces/<registry>/<workspace>/models/<name>/<int:version>": "the same for a version of another workspace or registry",
    "GET /pages/version.css": "the style of that page and of those below",
    "GET /": "people with a browser: what waits and who holds what, once they have signed in ([pages](pages.md))",
    "GET /search": "readers: requests by model, version, person, ticket, outcome and day",
    "GET /models": "readers: all models",
    "GET /models/<name>": "readers: a model's versions compared, and what held its targets on a day",
    "GET /workspaces/<registry>/<workspace>/models/<name>": "the same for a model of another workspace or registry",
    "GET /requests/<beginning>": "readers: one request, by its id or the first characters of it",
    "GET /ledger": "readers: the ledger, page by page, with its hashes checked",
    "GET /digests": "readers: the closed weeks",
    "GET /digests/<week>": "readers: the digest of a week",
    "GET /digests/<week>/<file>": "readers: its report and files",
    "GET /sign-in": "readers: leads to Slack",
    "GET /sign-in/slack": "Slack leads a reader back here; a Redirect URL of the Slack app",
    "POST /sign-out": "readers",
    "POST /digests/<week>/sign-off": "readers in the group of `digest.sign_off`: the form on that page",
    "GET /confirm/<pending_id>": "a person with a signed link from the button Approve: the page that their passkey signs",
    "POST /confirm/<pending_id>": "that page, with the passkey's signature",
    "GET /passkeys/<pending_id>": "a person with a signed link from `/countersign passkey`: the page on which they make a passkey",
    "POST /passkeys/<pending_id>": "that page, with the passkey that was made",
    "GET /pages/passkeys.js": "the script of the pages that use passkeys",
    "GET /healthz": "liveness probes: is this process up. Also on `METRICS_PORT`",
    "GET /readyz": "readiness probes and load balancers: ready or not; on `METRICS_PORT` also why, and what is degraded",
    "GET /metrics": "Prometheus, on `METRICS_PORT` only; 404 on the public port",
}
"""Who calls each route."""

PAGE_TEXT = """\
# Reference

Commands, routes, settings, events and effects. This page is generated from the code by `make reference`; do not edit it.

## Commands

Every command has `--help`, and every command that prints a list or a record has `--json`: keys in snake_case, times in ISO 8601 with their
zone. On a terminal, tables fit its width and have colours; `NO_COLOR=1` or `TERM=dumb` switches them off. A file or a pipe gets plain text,
one line a row. Text from outside, such as a model's name, loses its control characters first.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused or failed, or you said no to a question; the message says why |
| 2 | wrong usage or settings, or a system that is not ready; also: it would have asked, and no one could answer |
| 3 | `countersign gate` and `countersign seal verify`: cannot tell; [the gate](gate.md) then refuses |
| 4 | nothing found: what you looked up is not there, or a list that you narrowed has no rows, as with grep |

A worker ends with 0 when it was stopped, 1 when it had to cut jobs short, 2 without a schema, and 3 when the database stays away.

`adopt`, `fast-track on`, `jobs drop`, `keys retire`, `registry accept`, `requests call-off` and `restore` say what will happen and ask
first. In a script, add `--yes`; without it and without a terminal they refuse with exit code 2 and change nothing. `rollback` asks on a
terminal only, so that a script that calls it goes on as before, and `fast-track off` never asks.

Completion of commands, options and their choices, for the shell that you use:

```sh
eval "$(_COUNTERSIGN_COMPLETE=bash_source countersign)"          # in ~/.bashrc
eval "$(_COUNTERSIGN_COMPLETE=zsh_source countersign)"           # in ~/.zshrc, after compinit
_COUNTERSIGN_COMPLETE=fish_source countersign | source           # in ~/.config/fish/config.fish
```

{commands}

### In Slack

{slack}

## Routes

{routes}

## Settings

Settings are environment variables. An empty variable counts as not set. A process that lacks a setting, or finds an invalid one, lists all
problems at once, says how to fix each, and exits with 2. `countersign doctor` tries the settings against the real systems. "Needed by"
lists the processes that do not start without the variable. Examples only show the form: none of their secrets and tokens works anywhere.

{settings}

- `JIRA_URL` needs `JIRA_EMAIL` with `JIRA_API_TOKEN` (Cloud), or `JIRA_TOKEN` alone (Data Center). The worker needs them as soon as a rule
  of the policy, or its digest, has a `ticket`.
- With `SLACK_APP_TOKEN` set, Countersign uses Socket Mode and does not need `SLACK_SIGNING_SECRET`.
- `COUNTERSIGN_PROXIES` has the addresses of reverse proxies that connect to the web process, for example `127.0.0.1` for one on the same
  machine. An address outside the list may hold 64 connections, and its `X-Forwarded-For` is ignored. Behind a listed proxy the clients
  named there take turns ([why](decisions/0009-the-web-server.md)).
- MLflow's client reads its own credentials: `MLFLOW_TRACKING_USERNAME` with `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`.
- To rotate a webhook secret without losing a delivery: set both, the new one first, separated by a comma; restart the web process; give the
  sender the new one; remove the old one.

## Events

Each event becomes one entry of the [ledger](ledger.md). `handlers/__init__.py` has the same table. Events without an effect are recorded
only.

{events}

## Effects

Each effect is a job. It reads the current state and brings the outside world to it, so it is safe to run again.

{effects}
"""


def the_page() -> str:
    return PAGE_TEXT.format(
        commands="\n\n".join(as_section(names, command) for names, command in every_command()),
        slack=as_table(("command", "what it does"), ((code(command), does) for command, does in HELP)),
        routes=as_table(("route", "who calls it"), ((code(route), CALLERS[route]) for route in every_route())),
        settings=as_table(("variable", "purpose", "default", "example", "needed by"), map(as_row, SETTINGS)),
        events=as_table(("event", "fields", "effects"), map(event_row, every_event())),
        effects=as_table(("effect", "what it does"), ((code(name), summary(run)) for name, run in EFFECTS.items())),
    )


def as_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def summary(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# Commands


def every_command() -> Iterator[tuple[str, click.Command]]:
    yield from _commands_below("countersign", countersign)


def _commands_below(names: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield names, command
        return
    context = click.Context(command, info_name=names)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from _commands_below(f"{names} {name}", child)


def as_section(names: str, command: click.Command) -> str:
    context = click.Context(command, info_name=names)
    arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option)]
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return "\n\n".join(
        [
            f"### `{' '.join([names, *arguments])}`",
            text,
            *(["\n".join(as_item(option, context) for option in options)] if options else []),
        ]
    )


def as_item(option: click.Option, context: click.Context) -> str:
    name = option.opts[0] if option.is_flag else f"{option.opts[0]} {option.make_metavar(context)}"
    details = [option.help or "", "Required." if option.required else "", default_of(option)]
    return f"- `{name}`: {' '.join(filter(None, details))}".removesuffix(": ")


def default_of(option: click.Option) -> str:
    """Unless there is none, or the help says it in words."""
    said = "Default:" in (option.help or "")
    plain = isinstance(option.default, str | int) and not isinstance(option.default, bool) and option.default != ""
    return f"Default: `{option.default}`." if plain and not said else ""


# Routes


def every_route() -> list[str]:
    settings = Settings.model_validate(
        {"DATABASE_URL": NOWHERE, "SLACK_BOT_TOKEN": "xoxb-none", "SLACK_SIGNING_SECRET": "none"}
    )
    services = build_services(settings, NOWHERE)
    apps = (flask_app(services, settings, NOWHERE), status_app(services, NOWHERE))
    there = {
        f"{method} {rule.rule}"
        for app in apps
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method in ("GET", "POST")
    }
    return [*(route for route in CALLERS if route in there), *sorted(there - CALLERS.keys())]


# Settings


def as_row(setting: Setting) -> tuple[str, ...]:
    return (code(setting.name), setting.purpose, setting.default, code(setting.example), needed_by(setting))


def needed_by(setting: Setting) -> str:
    """The processes that do not start without it."""
    needs = {need for need, variables in VARIABLES_OF.items() if setting.name in variables}
    return ", ".join(process for process, needed in NEEDS.items() if needed & needs)


# Events and effects


def every_event() -> list[type[Event]]:
    """Those that are recorded: a class that others extend is none of them."""
    declared = list(EVENTS.values())
    return [one for one in declared if not any(other.__base__ is one for other in declared)]


def event_row(event: type[Event]) -> tuple[str, ...]:
    names = [field.name for field in fields(event) if field.name != "at"]
    effects = [follow_up.effect for follow_up in ON.get(event, [])]
    return (code(event.__name__), ", ".join(names), ", ".join(map(code, effects)))


if __name__ == "__main__":
    PAGE.write_text(the_page())
