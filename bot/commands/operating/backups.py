"""`countersign backup` and `restore`: the database in one file, and back without repeating or undoing what happened since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import sqlalchemy as sa

from bot.commands.context import Mistake, owner_url, settings_for, telling_mistakes
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import say
from bot.commands.output.progress import progress
from bot.database import backup as backups
from bot.database import embedded
from bot.database.backup import Manifest
from bot.database.connect import create_engine, migrate
from bot.domain.ledger.chain import first_fault
from bot.domain.ledger.checkpoint import origin_of
from bot.domain.text import counted
from bot.errors import InvalidSettings, NoDatabase, Refused
from bot.services import Services
from bot.store.attestations import KeyRows
from bot.store.ledger import LedgerRows
from config.settings import Settings

NEXT = (
    "Next: start Countersign. Then `countersign registry accept --dry-run` shows what has moved since the backup; nothing moves until you "
    "accept it."
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@telling_mistakes
def backup(file: Path) -> None:
    """Write the whole database to FILE, while everything goes on or after `serve` has ended: requests, votes, ledger, jobs.

    Keys and settings are not in it. Keep them elsewhere, so that who steals one has not the other.
    """
    if file.exists():
        raise click.UsageError(f"{file} is there already. Name a new file")
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {file.absolute().parent}. Make it first")
    settings = settings_for()
    with _database(settings) as url, progress("writing the backup"):
        written = _write(url, file.absolute())
    say(f"{file}: {_told(written)}, head {written.head[:16]}")
    say(f"Not in it: keys and settings. Keep {settings.home / 'keys'} and your environment elsewhere.")


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The embedded one of a `serve` that has ended is started for the backup: nothing can be recorded after it then.

    One backup at a time, since the first to end would stop the server of the others. Raises AlreadyRunning.
    """
    from bot.supervisor import only_one, tidying_up

    doing = f"countersign backup runs in {settings.home}"
    with tidying_up(), ExitStack() as held:
        if not settings.database_url.get_secret_value() and embedded.is_made(settings.home):
            held.enter_context(only_one(settings.home / "backup.lock", doing))
        try:
            url = owner_url(settings)
        except NoDatabase:
            if not embedded.is_made(settings.home):
                raise
            held.enter_context(only_one(settings.home / "serve.lock", doing))
            held.callback(embedded.stop, settings.home)
            url = embedded.start(settings.home)
        yield url


def _write(url: str, file: Path) -> Manifest:
    """The manifest and the dump are of one snapshot."""
    engine = create_engine(url, pooled=False).execution_options(isolation_level="REPEATABLE READ")
    with engine.begin() as connection:
        connection.execute(sa.text("set local idle_in_transaction_session_timeout = 0"))
        snapshot = str(connection.execute(sa.text("select pg_export_snapshot()")).scalar_one())
        ledger = LedgerRows(connection)
        entries = ledger.count()
        if not entries:
            raise Refused("the ledger is empty, so there is nothing to back up. Run `countersign migrate` first")
        manifest = Manifest(
            made_at=datetime.now(UTC),
            revision=str(connection.execute(sa.text("select version_num from alembic_version")).scalar_one()),
            entries=entries,
            head=ledger.get(entries).head.hex(),
            ledger=origin_of(ledger.get(1).leaf),
            keys=tuple(key.id for key in KeyRows(connection).all() if key.retired_seq is None),
        )
        return backups.write_backup(url, file, manifest, snapshot)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@yes_option
@telling_mistakes
def restore(file: Path, yes: bool) -> None:
    """Bring back what `backup` wrote, into an empty database: the embedded one, or that of DATABASE_URL.

    What was decided after the backup is not on record. So whatever waited then is ended and not carried out, and no target is moved or put
    back until you have seen what changed since and said `countersign registry accept --reason TEXT`.
    """
    from bot.supervisor import only_one, tidying_up

    settings, manifest = settings_for(), backups.read_manifest(file)
    lock = settings.home / "serve.lock"
    with tidying_up(), only_one(lock, f"countersign restore runs in {settings.home}"):
        _check_is_free(settings)
        confirm(_what_happens(settings, manifest), yes=yes)
        ended = _bring_back(file, manifest, settings)
    say(f"restored: {_told(manifest)}; the ledger verifies")
    if ended:
        say(f"Ended: {counted(ended, 'request')} that waited then. Ask again for what is still wanted.")
    say(_about_the_key(settings, manifest))
    say(NEXT)


def _bring_back(file: Path, manifest: Manifest, settings: Settings) -> int:
    """Returns how many requests that waited then were ended."""
    from handlers.ledger.old_records import list_old_records

    with (
        _empty_database(settings) as url,
        _services(settings, url) as services,  # first: settings that cannot be used are found before anything is loaded
        progress("loading the backup") as report,
    ):
        backups.load_backup(file, manifest, url)
        report("verifying the ledger")
        _check_is_whole(url, manifest)
        report("updating the schema")
        migrate(url)
        list_old_records(services)
        report("ending what waited then")
        ended = _begin_again(services, manifest)
        backups.finish(url)
    return ended


def _what_happens(settings: Settings, manifest: Manifest) -> str:
    place = (
        "the database of DATABASE_URL"
        if settings.database_url.get_secret_value()
        else f"a new database in {settings.home}"
    )
    return f"The backup ({_told(manifest)}) will be loaded into {place}. Requests that waited then end, and nothing is carried out."


def _check_is_free(settings: Settings) -> None:
    """Before anybody is asked to agree. Raises Mistake for an embedded database that is there."""
    place = settings.home / "postgres"
    if not settings.database_url.get_secret_value() and place.exists():
        raise Mistake(f"{place} is there already. Move it away, which keeps it as it is, then restore again")


@contextmanager
def _empty_database(settings: Settings) -> Iterator[str]:
    """A restore into the embedded database that fails leaves none, and may be tried again."""
    if settings.database_url.get_secret_value():
        yield owner_url(settings)
        return
    try:
        yield embedded.start(settings.home)
    except BaseException:  # also Ctrl-C: half a database would be taken for a whole one
        embedded.discard(settings.home)
        raise
    embedded.stop(settings.home)


def _check_is_whole(url: str, manifest: Manifest) -> None:
    with create_engine(url, pooled=False).begin() as connection:
        ledger = LedgerRows(connection)
        fault, entries = first_fault(ledger.entries()), ledger.count()
        head = ledger.get(entries).head.hex() if entries else ""
    if fault or (entries, head) != (manifest.entries, manifest.head):
        why = fault or f"it ends at entry {entries}"
        raise Refused(f"the restored ledger is not the one that was backed up: {why}. Use another backup")


@contextmanager
def _services(settings: Settings, url: str) -> Iterator[Services]:
    """Connects only when they are used. Raises InvalidSettings."""
    from bot.assembly import build_services

    services = build_services(settings, url)
    try:
        yield services
    finally:
        services.store.engine.dispose()


def _begin_again(services: Services, manifest: Manifest) -> int:
    from handlers.registry.restored import begin_again

    return begin_again(manifest.made_at, services)


def _about_the_key(settings: Settings, manifest: Manifest) -> str:
    from bot.assembly import signer_of

    try:
        key = signer_of(settings).key.id
    except InvalidSettings:
        return "Keys: none that signs approvals is here. Bring back yours; without it neither `countersign serve` nor `worker` starts."
    if key in manifest.keys:
        return f"Keys: approvals were signed with {key[:12]}, which is here."
    return f"Keys: {key[:12]} is here, and none of the backup's. Bring back yours, or hand out this one: countersign keys list."


def _told(manifest: Manifest) -> str:
    return f"{counted(manifest.entries, 'ledger entry')}, made {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"
