"""`countersign describe`: where a model version comes from, which versions held targets at a past time, and its data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, in_place, place_named, services_for, settings_for, telling_mistakes
from bot.commands.output.printing import print_json, say
from bot.commands.output.progress import progress
from bot.domain.ledger.chain import Plain, as_plain
from bot.domain.queries.description_text import holders_in_words, in_words
from bot.domain.registry.model_uri import ModelUri
from bot.domain.text import format_utc
from bot.domain.workspaces import in_workspace
from config.settings import Need

if TYPE_CHECKING:
    from handlers.queries.fetch_data import Brought


@click.command("describe")
@click.argument("uri", metavar="models:/NAME/VERSION")
@click.option(
    "--at",
    "moment",
    default="",
    help="Who held each target then: 2026-11-01 (its beginning) or 2026-11-01T12:00, in UTC.",
)
@click.option(
    "--fetch",
    "into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Bring its data back from DVC and from Delta tables, below here.",
)
@click.option(
    "--remote",
    default="",
    help="The DVC remote to fetch from. Default: the one that the git remote's .dvc/config names.",
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="DATA_SET=FOLDER",
    help="Where the Delta table of a data set is: a folder, or an address on S3. Default: where the run says, within artifact_stores.",
)
@in_place
@as_json
@telling_mistakes
def describe(
    uri: str, moment: str, into: Path | None, remote: str, tables: tuple[str, ...], as_json: bool, workspace: str
) -> None:
    """Describe a model version: run, commit, pipeline, data, votes, and whether the signatures hold.

    models:/NAME@ALIAS is understood as well.
    """
    uri = f"{uri}{in_workspace(place_named(workspace))}"
    if moment and into:
        raise click.UsageError("--at and --fetch are two questions; ask one of them")
    if remote and not into:
        raise click.UsageError("--remote says where --fetch finds the data; add --fetch DIR")
    if tables and not into:
        raise click.UsageError("--table says where --fetch finds a table; add --fetch DIR")
    if moment:
        _tell_past(uri, _moment_of(moment), as_json=as_json)
    elif into:
        _fetch(uri, into, remote, _places(tables), as_json=as_json)
    else:
        _tell(uri, as_json=as_json)


def _tell(uri: str, *, as_json: bool) -> None:
    from handlers.queries import describe as describing

    with services_for(Need.REGISTRY) as services:
        found = describing.describe(uri, services)
    _print(as_plain(found), in_words(found), as_json=as_json)


def _tell_past(uri: str, at: datetime, *, as_json: bool) -> None:
    from handlers.queries.past_holders import held_at

    with services_for() as services:
        named = ModelUri.parse(uri)
        past = held_at(named.model, at, services, named.workspace)
    _print(as_plain(past), holders_in_words(past.model, past.at, past.held, past.unknown), as_json=as_json)


def _places(said: tuple[str, ...]) -> dict[str, str]:
    """A data set's name may contain =, so the last one counts. A path is the caller's own, from the working directory."""
    places = {}
    for one in said:
        name, equals, place = one.rpartition("=")
        if not (name and equals and place):
            raise click.UsageError(f'--table "{one}" is no DATA_SET=FOLDER. Write for example rides=/srv/tables/rides')
        places[name] = place if ":" in place else str(Path(place).absolute())
    return places


def _fetch(uri: str, into: Path, remote: str, tables: dict[str, str], *, as_json: bool) -> None:
    from bot.clients.delta.tables import DeltaTables
    from bot.clients.dvc import DvcData
    from bot.clients.git import GitMirrors
    from handlers.queries.fetch_data import Places, Sources, fetch_data

    sources = Sources(DvcData(), DeltaTables(), GitMirrors(settings_for().home / "mirrors"))
    with services_for(Need.REGISTRY) as services, progress("looking up its files") as report:
        brought = fetch_data(uri, into, Places(remote, tables), sources, services, report)
    _print(as_plain({**asdict(brought), "is_good": brought.is_good}), _brought_in_words(brought, into), as_json=as_json)
    if not brought.is_good:
        raise click.exceptions.Exit(1)


def _brought_in_words(brought: Brought, into: Path) -> Iterable[str]:
    yield f"{brought.version}: its data below {into}"
    if brought.fetched or brought.in_git:
        yield "Files, every byte as dvc.lock names it:"
    for file in brought.fetched:
        yield f"  {file.path}  {file.size:,} bytes  md5 {file.md5}  sha256 {file.sha256}"
    for path in brought.in_git:
        yield f"  {path}  is in git, with the same md5"
    yield from _tables_in_words(brought)
    for one in brought.left:
        yield f"  {'NOT BROUGHT BACK' if one.is_fault else 'not there'}  {one.why}"
    if not brought.is_good:
        yield "Not all of it could be brought back and proven."


def _tables_in_words(brought: Brought) -> Iterable[str]:
    if brought.tables:
        yield "Delta tables; no hash of them was recorded, so only version, time and sizes were checked:"
    for one in brought.tables:
        written = f"written {format_utc(one.written_at)}" if one.written_at else "when it was written is not known"
        yield f"  {one.folder}  {', '.join(one.data_sets)}: version {one.table.version} of {one.place}, {written}"
        yield f"    {one.files.files} data files, {one.files.size:,} bytes, {one.files.digest}"
    if brought.tables and not brought.tables_are_frozen:
        yield "  nothing was frozen: these are the versions that MLflow names now"


def _print(found: Plain, lines: Iterable[str], *, as_json: bool) -> None:
    """Removes control characters: names and reasons are untrusted."""
    if as_json:
        print_json(found)
        return
    for line in lines:
        say(line)


def _moment_of(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f'"{text}" is no moment. Write 2026-11-01 or 2026-11-01T12:00') from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
