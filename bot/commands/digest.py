"""`countersign digest`: reprints a closed week, or previews the current one, on the terminal or into a directory.

A digest's sentences are in `bot.domain.digest.sentences`; which weeks can be printed is in `handlers.digest.reprint`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.output.text import printable
from bot.domain.digest.periods import period_of
from bot.errors import Refused
from config.settings import Need

if TYPE_CHECKING:
    from bot.domain.digest.figures import Digest
    from handlers.digest.reprint import Told, Written

DRY = "Dry run: nothing was stored or sent."


class Week(click.ParamType[str]):
    """An ISO week such as 2026-W47."""

    name = "week"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return period_of(str(value), "UTC").week
        except Refused:
            self.fail(f'"{value}" is no ISO week. Write one such as 2026-W47', param, ctx)


@click.command("digest")
@click.option(
    "--week", type=Week(), help="Such as 2026-W47. Default: the last closed one; with --dry-run the one that runs."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the report, its records, its chart and its figures into this directory; each file is complete or not there.",
)
@click.option("--dry-run", is_flag=True, help="Gather a week that is not closed, and store and send nothing.")
@as_json
@telling_mistakes
def digest(week: str | None, out: Path | None, dry_run: bool, as_json: bool) -> None:
    """Print a week again from the figures frozen when it was closed: the same bytes as were delivered then."""
    from handlers.digest.reprint import look_at_week, tell_again, write_report

    needs = [Need.REGISTRY] if dry_run else []  # a closed week's figures include its pipelines
    with services_for(*needs) as services:
        told = look_at_week(week, services) if dry_run else tell_again(week, services)
        written = write_report(told, out, services) if out else ()
    if dry_run:
        click.echo(DRY, err=True)
    if out:
        _say_written(written, out, as_json=as_json)
    elif as_json:
        click.echo(told.row.figures)
    else:
        _say(told)


def _say(told: Told) -> None:
    from bot.domain.digest.overview import overview
    from bot.domain.digest.sentences import period_text, title

    click.echo(f"{printable(title(told.digest))}\n{printable(period_text(told.digest.period))}\n")
    for name, said in overview(told.digest):
        click.echo(f"{name}: {printable(said)}")
    if told.signed:
        click.echo(f"Sign-off: {printable(told.signed)}")
    for line in _matters(told.digest):
        click.echo(line)
    click.echo("\nAdd --out DIR for the whole report, or --json for the figures.")


def _matters(digest: Digest) -> Iterable[str]:
    """What needs attention, the most serious first."""
    if digest.attention.shown:
        yield ""
    yield from (f"- {printable(one.sentence)}" for one in digest.attention.shown)
    more = digest.attention.total - len(digest.attention.shown)
    if more:
        yield f"- and {more} more"


def _say_written(written: Iterable[Written], out: Path, *, as_json: bool) -> None:
    """In the format of `sha256sum`, which can check the files."""
    if as_json:
        click.echo(json.dumps([asdict(file) for file in written], indent=2))
    else:
        for file in written:
            click.echo(f"{file.sha256}  {out / file.name}")
    changed = [file.name for file in written if not file.is_as_delivered]
    if changed:
        why = "the templates, or Countersign itself, have changed since the week was closed"
        raise click.ClickException(f"{', '.join(changed)}: not what was delivered, for {why}")
