"""`countersign gate`. Exit codes, which scripts rely on: 0 allowed, 1 denied, 2 wrong usage, 3 cannot tell, which also refuses.

Imports no other command's module and nothing of the bot but the gate, because CI runs it on every build.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from bot.domain.attestation.gate import GateResult, NotAllowed
from bot.errors import Refused
from bot.gate.checks import check, proof_of
from bot.gate.keys import read_keys
from bot.gate.passkeys import read_passkeys
from bot.gate.reports import RENDER, Format, as_text
from bot.gate.sealed import with_sealed_place
from bot.language import capitalised

DENIED, UNDECIDED = 1, 3
AGE = re.compile(r"([1-9][0-9]{0,5})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

P = ParamSpec("P")
R = TypeVar("R")


class Age(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = AGE.fullmatch(str(value))
        if found is None:
            self.fail(f'"{value}" is no duration. Write one such as 30d or 12h.', param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


def asking(command: Callable[P, R]) -> Callable[P, R]:
    """The options that name a version, its target, and what the answer rests on."""
    options = (
        click.argument("uri"),
        click.option("--target", help="alias:NAME, stage:NAME or model:NAME. Default: the alias or stage in URI."),
        click.option(
            "--key",
            "keys",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="PEM file of a public key that the bot signs with. May be given several times.",
        ),
        click.option(
            "--bot", metavar="URL", help="Ask the bot there. Default: COUNTERSIGN_URL, where its token is set."
        ),
        click.option(
            "--max-age",
            type=Age(),
            help="Without the bot: the oldest approval that counts, such as 30d, unless a verdict has renewed it.",
        ),
        click.option(
            "--passkeys",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="List of passkeys, as `countersign passkeys list --json` prints it: only votes signed with these approve. Needs --key.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def gate() -> None:
    """Ask whether a version may ship: 0 allowed, 1 denied, 3 cannot tell."""


@gate.command("check")
@asking
@click.option("--format", "form", type=click.Choice([str(form) for form in Format]), default="text", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there, and print text.")
def check_version(
    uri: str,
    target: str | None,
    keys: Sequence[Path],
    bot: str | None,
    max_age: timedelta | None,
    passkeys: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Check that the version which URI names is approved for its target.

    URI is models:/NAME@ALIAS, models:/NAME/Stage or models:/NAME/VERSION. As text, standard output gets only the resolved version, and
    only if it is allowed, or the address where it is sealed if its rule seals; the reasons go to standard error.
    """
    result = with_sealed_place(_ask(uri, target, keys, bot, max_age, passkeys))
    report = RENDER[Format(form)](result)
    if out is not None:
        _write(out, report)
    if out is None and form != Format.TEXT:
        click.echo(report)
    else:
        _say(result)
    sys.exit(_code(result))


@gate.command("serve")
@asking
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where a new folder for the files is made. Default: the temporary directory.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve_version(
    uri: str,
    target: str | None,
    keys: Sequence[Path],
    bot: str | None,
    max_age: timedelta | None,
    passkeys: Path | None,
    folder: Path | None,
    arguments: Sequence[str],
) -> None:
    """Check the version, compare its files with those approved, and become `mlflow models serve`.

    Arguments after -- go to `mlflow models serve`, for example: -- --port 5000 --env-manager local.
    """
    from bot.gate.serving import check_arguments, checked_folder, serve, with_uncovered

    try:
        check_arguments(arguments)
        result = _ask(uri, target, keys, bot, max_age, passkeys)
        place = checked_folder(result, folder)
    except Refused as refusal:
        raise click.UsageError(_sentence(refusal)) from None
    except NotAllowed as refusal:
        _say(refusal.result)
        sys.exit(_code(refusal.result))
    _say(with_uncovered(result, place))
    serve(place, arguments)


def _ask(
    uri: str,
    target: str | None,
    keys: Sequence[Path],
    bot: str | None,
    max_age: timedelta | None,
    passkeys: Path | None,
) -> GateResult:
    try:
        pinned = read_passkeys(passkeys) if passkeys is not None else None
        proof = proof_of(os.environ, read_keys(keys), bot, max_age, pinned)
        return check(uri, target, proof, os.environ, datetime.now(UTC))
    except Refused as refusal:
        raise click.UsageError(_sentence(refusal)) from None


def _say(result: GateResult) -> None:
    """Scripts read the version on standard output with `$(...)`, so a denied version is never printed there."""
    click.echo(as_text(result), err=True)
    if result.allowed:
        click.echo(result.sealed.uri if result.sealed else result.uri)


def _write(file: Path, report: str) -> None:
    try:
        file.write_text(report + "\n", encoding="utf-8")
    except OSError as trouble:
        raise click.UsageError(f"--out {file} cannot be written: {trouble.strerror}. Name another file.") from None


def _sentence(refusal: Refused) -> str:
    return capitalised(str(refusal))


def _code(result: GateResult) -> int:
    if not result.decided:
        return UNDECIDED
    return 0 if result.allowed else DENIED
