"""`countersign seal`: what is sealed, and whether the store still holds it.

Exit codes of `verify`: 0 all holds, 1 something differs, 3 something cannot be read now and nothing is known to differ.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bot.commands.context import Failed, as_json, services_for, telling_mistakes
from bot.commands.output.printing import print_json, print_rows, say
from bot.commands.output.progress import progress
from bot.domain.text import counted, format_utc

if TYPE_CHECKING:
    from handlers.sealing.verify import Checked, SealOnRecord

CANNOT_TELL = 3
MOST_SHOWN = 50
NONE_YET = "Nothing is sealed yet."


@click.group("seal")
def seal_group() -> None:
    """List and verify what was copied to the sealed store."""


@seal_group.command("list")
@as_json
@telling_mistakes
def list_seals(as_json: bool) -> None:
    """List what is sealed, the oldest first, by the ledger."""
    from handlers.sealing.verify import seals_on_record

    with services_for() as services:
        rows = [_row(seal) for seal in seals_on_record(services)]
    columns = ("version", "target", "sealed_at", "files", "size", "locked_until", "request")
    print_rows(rows, columns, as_json=as_json, empty=NONE_YET, below=("place",))


@seal_group.command("verify")
@as_json
@telling_mistakes
def verify(as_json: bool) -> None:
    """Compare the store with the ledger: reads every sealed object, and looks whether its lock still holds.

    Takes read access to the store, by the usual AWS environment. Ends with 1 when something differs, and with 3 when it cannot tell.
    """
    from handlers.sealing.verify import Verdict, verify_seals

    counts = dict.fromkeys(Verdict, 0)
    faults: list[Checked] = []
    with services_for() as services, progress("reading the ledger") as report:
        for one in verify_seals(services, report):
            counts[one.verdict] += 1
            if one.verdict is not Verdict.HOLDS and len(faults) < MOST_SHOWN:
                faults.append(one)
    differs, unknown = counts[Verdict.DIFFERS], counts[Verdict.UNKNOWN]
    if as_json:
        print_json(
            {
                "holds": not differs and not unknown,
                "objects": {str(verdict): count for verdict, count in counts.items()},
                "faults": [_fault(one) for one in faults],
            }
        )
    else:
        for one in faults:
            say(
                f"{one.verdict}: s3://{one.seal.at.bucket}/{one.key} (version {one.version}), of {_whose(one)}: {one.why}",
                err=True,
            )
        _say_sum(counts[Verdict.HOLDS], differs, unknown)
    sys.exit(1 if differs else CANNOT_TELL if unknown else 0)


def _say_sum(holding: int, differs: int, unknown: int) -> None:
    if differs:
        raise Failed(
            f"{differs:,} of {counted(holding + differs + unknown, 'object')} differ from what was sealed. Find out who can write to the "
            "store; the gate refuses what has other bytes"
        )
    if unknown:
        say(f"{counted(unknown, 'object')} cannot be read now; {holding:,} are as they were sealed.", err=True)
    else:
        say(f"OK: {counted(holding, 'object')}, each as it was sealed." if holding else NONE_YET)


def _row(seal: SealOnRecord) -> dict[str, object]:
    return {
        "version": str(seal.version),
        "target": str(seal.target),
        "sealed_at": seal.sealed_at,
        "files": seal.files,
        "size": seal.size,
        "locked_until": seal.lock.until if seal.lock else None,
        "request": seal.request_id[:8],
        "place": seal.at.uri,
    }


def _fault(one: Checked) -> dict[str, object]:
    return {
        "verdict": str(one.verdict),
        "version": str(one.seal.version),
        "target": str(one.seal.target),
        "request": one.seal.request_id,
        "object": f"s3://{one.seal.at.bucket}/{one.key}",
        "version_id": one.version,
        "why": one.why,
    }


def _whose(one: Checked) -> str:
    return f"{one.seal.version} for {one.seal.target}, sealed {format_utc(one.seal.sealed_at)}"
