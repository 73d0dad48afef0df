"""Starts the processes: web, worker, clock and socket, one by one or all with `serve`; and `migrate`, which must run first."""

from __future__ import annotations

import os
import socket as network
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from bot import tracing
from bot.commands.context import Mistake, owner_url, settings_for, telling_mistakes
from bot.commands.ports import check_ports
from bot.database import embedded
from bot.domain.text import counted
from bot.logs import FORMAT, write_logs
from config.policy import policy_text_of, read_policy
from config.settings import EXAMPLE_POLICY, Need, Process, Settings, needs_of
from config.settings.values import LOG_FORMATS, LOOPBACK

if TYPE_CHECKING:
    from bot.supervisor import Supervisor

log = structlog.get_logger()
# For `web` on a platform, whose router is another machine; COUNTERSIGN_HOST narrows it.
EVERYWHERE = "0.0.0.0"  # nosec B104


@click.command()
@telling_mistakes
def migrate() -> None:
    """Bring the database's schema up to date and put the policy file in force."""
    settings = settings_for()
    run_migrate(settings, owner_url(settings))


@click.command()
@click.option("--host", help=f"Address to listen on. Default: COUNTERSIGN_HOST, else {EVERYWHERE}.")
@telling_mistakes
def web(host: str | None) -> None:
    """Serve the HTTP doors: webhooks, Slack, the API and health; on METRICS_PORT also metrics."""
    settings = settings_for(*needs_of(Process.WEB, tickets=False))
    address = host or settings.host or EVERYWHERE
    _database_of(settings)
    check_ports(address, settings)
    from bot.commands.web_server import run_web

    run_web(settings, address)


@click.command()
@telling_mistakes
def worker() -> None:
    """Run the effects: cards, tickets, moves, sweeps. Any number of workers may run."""
    from bot.assembly import (
        build_services,
        check_checkpoint_key,
        check_keys_are_here,
        check_link_key,
        quieten_vendors,
        signer_of,
    )
    from bot.signatures import APPROVALS, LEDGER
    from handlers.effects import run_worker

    write_logs()
    quieten_vendors()
    settings = settings_for(*_needs_of_worker())
    url = _database_of(settings)
    check_keys_are_here(settings, url, APPROVALS, LEDGER)
    signer = signer_of(settings)
    check_checkpoint_key(settings, signer)
    check_link_key(settings)
    tracing.start(os.environ, "worker")
    code = run_worker(build_services(settings, url, signer))
    tracing.finish()
    sys.exit(code)


@click.command()
@telling_mistakes
def clock() -> None:
    """Defer the jobs that are due: sweeps and expiry. A second clock does no harm."""
    from bot.logs import quieten_vendors
    from bot.stores import store_services
    from handlers.doors.clock import run_clock

    write_logs()
    quieten_vendors()
    settings = settings_for(*needs_of(Process.CLOCK, tickets=False))
    run_clock(store_services(settings, _database_of(settings)))


@click.command()
@telling_mistakes
def socket() -> None:
    """Listen to Slack through Socket Mode, for a bot without a public address."""
    from bot.app import run_socket
    from bot.assembly import build_services, quieten_vendors

    write_logs()
    quieten_vendors()
    settings = settings_for(*needs_of(Process.SOCKET, tickets=False))
    tracing.start(os.environ, "socket")
    run_socket(build_services(settings, _database_of(settings)), settings)


@click.command()
@click.option("--host", help=f"Address that the web process listens on. Default: COUNTERSIGN_HOST, else {LOOPBACK}.")
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    help="Default: COUNTERSIGN_LOG_FORMAT, else text on a terminal and JSON lines otherwise.",
)
@telling_mistakes
def serve(host: str | None, log_format: str | None) -> None:
    """Run everything in one place: database (when DATABASE_URL is not set), migrate, web, worker, clock, socket."""
    from bot.supervisor import GRACE, only_one, tidying_up

    if log_format:
        os.environ[FORMAT] = log_format  # for the processes that are started too
    write_logs()
    settings = settings_for(*needs_of(Process.WEB, tickets=False), *_needs_of_worker())
    address = host or settings.host or LOOPBACK
    with (
        tidying_up(code=0),
        only_one(settings.home / "serve.lock", f"countersign serve runs in {settings.home}") as was_killed,
    ):
        if was_killed:
            log.warning("serve_was_killed", waits_for="what it left to end", at_most=f"{GRACE:g} s")
        check_ports(address, settings, patience=GRACE if was_killed else 0)
        _serve(settings, address)
    log.info("stopped")


def _serve(settings: Settings, host: str) -> None:
    from bot.assembly import absent_keys
    from bot.supervisor import GRACE, supervised

    absent = absent_keys(settings)
    key = "" if absent else _prepare_keys(settings)
    given = settings.database_url.get_secret_value()
    log.info(
        "starting", what="web, worker and clock" if given else f"PostgreSQL in {settings.home}, web, worker and clock"
    )
    try:
        url = given or embedded.start(settings.home)
        run_migrate(
            settings,
            settings.database_owner_url.get_secret_value() or url,
            lambda line: log.info("migrated", what=line),
        )
        _compare_keys(settings, url, absent, key)
        with supervised({"DATABASE_URL": url}) as supervisor:
            if not given:  # restarts the embedded database within a few seconds when it dies
                supervisor.housekeeping = partial(embedded.keep_running, settings.home)
            supervisor.start("web", "web", "--host", host)
            supervisor.start("worker", "worker")
            supervisor.start("clock", "clock")
            if settings.slack_app_token.get_secret_value():
                supervisor.start("socket", "socket")
            _say_that_it_listens(supervisor, host, settings)
            supervisor.watch()
            log.info("stopping", at_most=f"{GRACE:g} s")
    finally:
        if not given:
            embedded.stop(settings.home)


def _prepare_keys(settings: Settings) -> str:
    """Reports an unusable key once, here, and not every few seconds in the worker. Returns the id of the one that signs approvals."""
    from bot.assembly import check_checkpoint_key, check_link_key, make_missing_keys, signer_of

    make_missing_keys(settings)
    signer = signer_of(settings)
    check_checkpoint_key(settings, signer)
    check_link_key(settings)
    return signer.key.id


def _compare_keys(settings: Settings, url: str, absent: Mapping[str, Path], key: str) -> None:
    """With those that the ledger knows: a lost key is never replaced silently. Raises InvalidSettings."""
    from bot.assembly import check_keys_not_lost
    from bot.signatures import APPROVALS
    from bot.stores import store_services

    services = store_services(settings, url)
    try:
        check_keys_not_lost(absent, services)
        mine = key or _prepare_keys(settings)
        with services.store.transaction() as tx:
            known = [key.id for key in tx.keys.counting(APPROVALS)]
    finally:
        services.store.engine.dispose()
    if known and mine not in known:
        log.warning("signing_key_is_new", key=mine[:12], ledger=known[-1][:12])


def _say_that_it_listens(supervisor: Supervisor, host: str, settings: Settings) -> None:
    """Waits for the web process; until then the processes are started again when they end."""
    here = LOOPBACK if host == EVERYWHERE else host
    while not _answers(here, settings.port):
        if supervisor.stopping.wait(0.1):
            return
        supervisor.supervise()
    policy = read_policy(policy_text_of(settings.policy_path))
    database = "DATABASE_URL" if settings.database_url.get_secret_value() else "embedded"
    shown = f"[{here}]" if ":" in here else here
    log.info(
        "serving",
        host=host,
        port=settings.port,
        url=f"http://{shown}:{settings.port}",
        policy=str(settings.policy_path),
        rules=counted(len(policy.rules), "rule"),
        database=database,
    )


def _answers(host: str, port: int) -> bool:
    try:
        network.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def run_migrate(settings: Settings, url: str, say: Callable[[str], object] = click.echo) -> None:
    from bot.assembly import build_services, quieten_vendors
    from bot.database.backup import check_finished
    from bot.database.connect import migrate as migrate_schema
    from bot.database.schema import check_not_newer
    from bot.store.web.search import refill
    from handlers.ledger.old_records import list_old_records
    from handlers.policy.activation import activate_policy

    quieten_vendors()
    text = policy_text_of(settings.policy_path)
    check_finished(url)
    check_not_newer(url)
    migrate_schema(url)
    _keep_roles_apart(settings, say)
    services = build_services(settings, url)
    try:
        list_old_records(services)
        refill(services.store)
        with services.store.transaction() as tx:
            tx.passkeys.forget_unsigned_votes(services.clock.now())
        activated = activate_policy(text, str(settings.policy_path), services, is_example=settings.has_example_policy)
    finally:
        services.store.engine.dispose()
    say("schema: up to date")
    say(f"policy: {settings.policy_path} is {'now' if activated else 'already'} in force")
    if settings.has_example_policy and Path.cwd() != EXAMPLE_POLICY.parent.parent:
        click.echo(
            "policy: this is the example that ships with Countersign. Set COUNTERSIGN_POLICY to your own", err=True
        )


def _keep_roles_apart(settings: Settings, say: Callable[[str], object]) -> None:
    """With two URLs, takes away the bot role's right to change the ledger. With one URL there is one role, and `doctor` warns."""
    from bot.errors import RolesNotApart
    from bot.store.roles import keep_apart

    owner, url = (given.get_secret_value() for given in (settings.database_owner_url, settings.database_url))
    if not owner or not url or owner == url:
        return
    try:
        role = keep_apart(owner, url)
    except RolesNotApart as mistake:
        raise Mistake(f"{mistake}.") from None
    say(f'database: "{role}" can append to the ledger, and not change it')


def _database_of(settings: Settings) -> str:
    """The address that a process works with.

    Raises NoDatabase when there is none, or when a restore was cut short in it, and WrongSchema when another release has made it.

    One that does not answer yet is for the process to wait for.
    """
    from psycopg import OperationalError

    from bot.database.backup import check_finished
    from bot.database.schema import check_schema
    from bot.stores import database_url

    url = database_url(settings)
    try:
        check_finished(url)
        check_schema(url)
    except OperationalError as trouble:
        log.warning("database_does_not_answer", why=str(trouble))
    return url


def _needs_of_worker() -> frozenset[Need]:
    """Depends on whether the policy file opens tickets and sends mail."""
    from config.policy import opens_tickets, sends_mail

    path: Path = settings_for().policy_path
    policy = read_policy(policy_text_of(path), str(path))
    return needs_of(Process.WORKER, tickets=opens_tickets(policy), mail=sends_mail(policy))
