"""What every command needs: settings, services, and errors that become exit codes. Printing is in `bot.commands.output`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
import psycopg
from sqlalchemy.exc import OperationalError

from bot.commands.output import terminal
from bot.commands.output.text import readable
from bot.database.embedded import NoDatabase, makes_sockets_in, missing_sockets
from bot.domain.workspaces import DEFAULT, Workspace
from bot.errors import AlreadyRunning, InvalidSettings, NotFound, OutsideError, Refused, WrongSchema, without_retries
from bot.logs import quieten_vendors
from config.policy import PolicyMistakes
from config.settings import Need, Settings, read_settings

if TYPE_CHECKING:
    from bot.services import Services
    from bot.stores import StoreServices

P = ParamSpec("P")
R = TypeVar("R")
USAGE, NOTHING_FOUND = 2, 4  # exit codes, beside 0 done and 1 failed; 3 is the gate's

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")

ENV_FILE = Path("countersign.env")  # as `countersign init` writes it
ALWAYS_WRITTEN = ("MLFLOW_TRACKING_URI", "SLACK_BOT_TOKEN")  # there by `init`
INIT = "`countersign init` asks for what is needed, and writes the settings and a policy."
NOT_LOADED = f"{ENV_FILE} is here and not loaded. Load it with: set -a && . ./{ENV_FILE} && set +a"


class Failed(click.ClickException):
    """Refused, or it failed: exit code 1. The message may name things from outside, so its control characters are replaced."""

    prefix = "Error: "

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click hands it in
        click.echo(readable(f"{self.prefix}{self.message}", terminal.columns(err=True)), err=True)


class NothingFound(Failed):
    """What was named is not there, or nothing is as the options say: exit code 4, as a program asks with grep."""

    exit_code = NOTHING_FOUND


class Mistake(Failed):
    """Wrong settings or usage, or a system that is not ready: exit code 2, every sentence on its own line."""

    exit_code = USAGE
    prefix = ""


def in_place(command: Callable[P, R]) -> Callable[P, R]:
    """The option that names another workspace or registry than the default ones."""
    option = click.option(
        "--workspace",
        default="",
        metavar="REGISTRY/WORKSPACE",
        help="Where the model is, such as eu/team-a. Default: the default workspace of the default registry.",
    )
    return option(command)


def place_named(text: str) -> str:
    """A place as the bot writes it. Raises Refused."""
    return str(Workspace.parse(text)) if text.strip() else DEFAULT


def telling_mistakes(command: Callable[P, R]) -> Callable[P, R]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (InvalidSettings, NoDatabase) as mistake:
            raise Mistake("\n".join(filter(None, (str(mistake), _next_step(mistake))))) from None
        except (PolicyMistakes, AlreadyRunning, WrongSchema) as mistake:
            raise Mistake(str(mistake)) from None
        except (OperationalError, psycopg.OperationalError) as trouble:
            raise Mistake(_no_answer(str(getattr(trouble, "orig", trouble)).splitlines()[0])) from None
        except NotFound as missing:
            raise NothingFound(str(missing)) from None
        except Refused as refusal:
            raise Failed(str(refusal)) from None
        except EOFError as cut:  # click would take it for a person who ends the input, and say only "Aborted!"
            raise Failed(f"what was read ends too early ({cut or 'end of file'}). Run it again") from None
        except OutsideError as trouble:
            raise Failed(without_retries(str(trouble))) from None

    return run


def _no_answer(why: str) -> str:
    url = os.environ.get("DATABASE_URL", "")
    try:
        sockets = missing_sockets(url)
    except psycopg.ProgrammingError:  # not an address of PostgreSQL
        sockets = ()
    if len(sockets) == 1 and makes_sockets_in(sockets[0].parent):
        return (
            f"no database is running: DATABASE_URL names {sockets[0].parent}, and the demo or server that made it has ended. "
            "Start that again, or correct DATABASE_URL"
        )
    tried = f" (there is no socket {' or '.join(map(str, sockets))})" if sockets else ""
    return f"the database does not answer: {why}{tried}. Check DATABASE_URL, or that it is running"


def _next_step(mistake: InvalidSettings | NoDatabase) -> str:
    """Where settings are missing: to load the file here that the environment has nothing of, or to make one."""
    named = _named_here()
    if named is None:
        is_set_up = any(os.environ.get(name, "").strip() for name in ALWAYS_WRITTEN)
        lacks_much = isinstance(mistake, NoDatabase) or any(name in str(mistake) for name in ALWAYS_WRITTEN)
        return f"Nothing is set up here. {INIT}" if lacks_much and not is_set_up else ""
    is_lacking = any(name in str(mistake) for name in named - os.environ.keys())
    return NOT_LOADED if is_lacking else not_loaded()


def not_loaded() -> str:
    """What to say where the environment has nothing of the settings in the file here; else empty."""
    named = _named_here()
    return "" if not named or named & os.environ.keys() else NOT_LOADED


def _named_here() -> set[str] | None:
    try:
        lines = ENV_FILE.read_text().splitlines()
    except (OSError, UnicodeError):
        return None
    return {name.removeprefix("export ") for name, _, value in (line.partition("=") for line in lines) if value}


def settings_for(*needs: Need) -> Settings:
    return read_settings(os.environ, frozenset(needs))


@contextmanager
def records_for() -> Iterator[StoreServices]:
    """Without the clients of MLflow, Slack and Jira, which take as long to load as all the rest. Raises WrongSchema."""
    from bot.database.schema import check_schema
    from bot.stores import database_url, store_services

    quieten_vendors()
    settings = settings_for()
    url = database_url(settings)
    check_schema(url)
    services = store_services(settings, url)
    try:
        yield services
    finally:
        services.store.engine.dispose()


@contextmanager
def services_for(*needs: Need, as_owner: bool = False) -> Iterator[Services]:
    """`as_owner`: as the owner of the tables, for what the bot's own role may not write. Raises WrongSchema."""
    from bot.assembly import build_services, database_url
    from bot.database.schema import check_schema

    quieten_vendors()
    settings = settings_for(*needs)
    url = owner_url(settings) if as_owner else database_url(settings)
    check_schema(url)
    services = build_services(settings, url)
    try:
        yield services
    finally:
        services.store.engine.dispose()


def owner_url(settings: Settings) -> str:
    """The address of the owner of the tables; with one role it is the bot's."""
    from bot.stores import database_url

    return settings.database_owner_url.get_secret_value() or database_url(settings)


def git_email_if_any() -> str:
    """The current user's e-mail, from git; empty when git has none."""
    git = shutil.which("git")
    found = subprocess.run([git, "config", "user.email"], capture_output=True, text=True, check=False) if git else None
    return found.stdout.strip() if found else ""


def git_email(option: str) -> str:
    """The current user's e-mail, from git. `option` is the command-line option that names another person."""
    email = git_email_if_any()
    if not email:
        raise click.UsageError(f"no one is named. Add {option} EMAIL, or set git's user.email")
    return email
