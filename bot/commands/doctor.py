"""`countersign doctor`: prints the findings of `bot.doctor.sections`.

Exit codes: 0 nothing failed, 1 something did, 2 settings that cannot be read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, telling_mistakes
from bot.commands.output.text import printable

if TYPE_CHECKING:
    from bot.doctor.findings import Finding


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

    Only reads, except for a test delivery of MLflow's webhook, unless --register-webhook is given.
    """
    from bot.app import quieten_vendors
    from bot.doctor.sections import examine

    quieten_vendors()
    found = examine(os.environ, register_webhook=register_webhook)
    if as_json:
        click.echo(json.dumps([finding.as_plain() for finding in found], indent=2))
    else:
        _print(found)
    sys.exit(1 if _count("FAIL", found) else 0)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.what) for finding in found)
    for finding in found:
        fix = f"; {finding.fix}" if finding.fix else ""
        click.echo(printable(f"{finding.status:<4}  {finding.what:<{width}}  {finding.why.removesuffix('.')}{fix}."))
    click.echo(f"{len(found)} checked: {_count('FAIL', found)} failed, {_count('warn', found)} with a warning.")


def _count(status: str, found: Sequence[Finding]) -> int:
    return sum(finding.status == status for finding in found)
