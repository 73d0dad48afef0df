"""`countersign doctor`: prints the findings of `bot.doctor.sections`.

Exit codes: 0 nothing failed, 1 something did, 2 settings that cannot be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, telling_mistakes
from bot.commands.output import terminal
from bot.commands.output.colours import coloured, heading
from bot.commands.output.printing import print_json, say
from bot.commands.output.tables import GAP
from bot.commands.output.text import cells, padded, printable, wrapped

if TYPE_CHECKING:
    from bot.doctor.findings import Finding


STATUS = len("FAIL") + GAP  # columns
READABLE = 30  # columns; a sentence in fewer is hard to read


@click.command()
@click.option(
    "--register-webhook",
    is_flag=True,
    help="First create or fix MLflow's webhook to COUNTERSIGN_URL; any second one to the same address is deleted.",
)
@as_json
@telling_mistakes
def doctor(register_webhook: bool, as_json: bool) -> None:
    """Check every setting against the real systems, and say how to fix what is wrong.

    Changes nothing, unless --register-webhook is given. It asks MLflow for a test delivery of the webhook, tries writes that the guard must
    refuse, and begins an upload to each sealed store, which it takes back.
    """
    from bot.assembly import quieten_vendors
    from bot.doctor.sections import examine

    quieten_vendors()
    found = examine(os.environ, register_webhook=register_webhook)
    if as_json:
        print_json([finding.as_plain() for finding in found])
    else:
        _print(found)
    sys.exit(1 if _count("FAIL", found) else 0)


def _print(found: Sequence[Finding]) -> None:
    width, room = terminal.width(), max(cells(printable(finding.what)) for finding in found)
    for finding in found:
        for line in _on_terminal(finding, room, width) if width else [_in_a_line(finding, room)]:
            click.echo(line)
    skipped = _count("skip", found)
    more = f" {skipped} not tried." if skipped else ""
    say(
        f"{len(found) - skipped} checked: {_count('FAIL', found)} failed, {_count('warn', found)} with a warning.{more}"
    )


def _in_a_line(finding: Finding, room: int) -> str:
    fix = f"; {finding.fix}" if finding.fix else ""
    return printable(f"{finding.status:<4}  {finding.what:<{room}}  {finding.why.removesuffix('.')}{fix}.")


def _on_terminal(finding: Finding, room: int, width: int) -> Iterator[str]:
    """What was found beside its name, or below it where the terminal is narrow; how to fix it on a line of its own."""
    name = padded(printable(finding.what), room)
    indent = STATUS + room + GAP
    if width - indent < READABLE:
        indent = STATUS
    why = wrapped(printable(f"{finding.why.removesuffix('.')}."), width - indent)
    beside = indent > STATUS
    yield f"{coloured(str(finding.status))}{' ' * (STATUS - len(finding.status))}{name}{' ' * GAP}{why[0] if beside else ''}".rstrip()
    yield from (" " * indent + line for line in (why[1:] if beside else why))
    if finding.fix:
        fix = wrapped(printable(f"Fix: {finding.fix}."), width - indent)
        yield from (" " * indent + heading(line) for line in fix)


def _count(status: str, found: Sequence[Finding]) -> int:
    return sum(finding.status == status for finding in found)
