"""The fast track on the command line: the kill switch, and the report on how it and people agree.

The work is done in `handlers.policy.kill_switch` and `handlers.queries.fast_track_report`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from bot.commands.context import as_json, git_email, records_for, services_for, telling_mistakes
from bot.commands.durations import since_option
from bot.commands.output.consent import confirm, yes_option
from bot.commands.output.printing import print_rows, say
from bot.domain.text import AS_OPTION, duration_text

if TYPE_CHECKING:
    from handlers.queries.fast_track_report import RuleRecord


by_option = click.option("--by", default="", help="Who switches, by e-mail. Default: git's user.email.")


@click.group("fast-track")
def fast_track_group() -> None:
    """Switch the fast track on or off, for all rules at once."""


@fast_track_group.command("off")
@click.option("--reason", required=True, help="Why; it is announced and recorded in the ledger.")
@by_option
@telling_mistakes
def switch_off(reason: str, by: str) -> None:
    """Let people decide every request from now on, on all replicas. It never asks first."""
    _switch(False, by, reason)


@fast_track_group.command("on")
@click.option("--reason", default="", help="Why; it is announced and recorded in the ledger.")
@by_option
@yes_option
@telling_mistakes
def switch_on(reason: str, by: str, yes: bool) -> None:
    """Let versions that reach their rule's thresholds pass again, without people."""
    confirm("Versions that reach the thresholds of a rule with its fast track on will move without people.", yes=yes)
    _switch(True, by, reason)


def _switch(on: bool, by: str, reason: str) -> None:
    from handlers.policy.kill_switch import person_named, switch_fast_track

    email = by or git_email("--by")
    with services_for() as services:
        say(switch_fast_track(on, person_named(email, services), reason, services))


COLUMNS = ("rule", "mode", "judged", "passed", "undone", "agreed")
BELOW = ("without_people", "sampled", "false_passes", "false_holds", "median_with_people", "median_fast_track")
EXPLAINED = (
    "agreed: of the versions that people decided too; false pass: people rejected what the fast track would have let through, "
    "or rolled back what it did; "
    "false hold: the reverse. Times run from asking to the decision."
)


@fast_track_group.command("report")
@since_option
@as_json
@telling_mistakes
def report(since: timedelta, as_json: bool) -> None:
    """How often the fast track and people agree, rule by rule, and what waiting for people costs.

    "sampled" are versions that passed and were still sent to people; "undone" are its decisions that someone took back.
    """
    from handlers.queries.fast_track_report import report as records_since

    with records_for() as services:
        records = records_since(services.clock.now() - since, services)
    empty = f"No rule has a fast track, and none was judged in the last {duration_text(since, AS_OPTION)}."
    if as_json:
        print_rows([_as_plain(record) for record in records], (), as_json=True, empty=empty)
        return
    print_rows([_row(record) for record in records], COLUMNS, as_json=False, empty=empty, below=BELOW)
    if records:
        say(f"\nThe last {duration_text(since, AS_OPTION)}. {EXPLAINED}")


def _row(record: RuleRecord) -> dict[str, object]:
    rate = record.agreement.rate
    return {
        "rule": record.rule,
        "mode": str(record.mode) if record.mode else "no such rule now",
        "judged": record.judged,
        "passed": record.passed,
        "without_people": record.without_people,
        "sampled": record.sampled,
        "undone": record.undone,
        "agreed": f"{record.agreement.agreed} of {record.agreement.decided} ({rate:.0%})" if rate is not None else None,
        "false_passes": record.agreement.false_passes,
        "false_holds": record.agreement.false_holds,
        "median_with_people": duration_text(record.median_with_people, AS_OPTION)
        if record.median_with_people is not None
        else None,
        "median_fast_track": duration_text(record.median_fast_track, AS_OPTION)
        if record.median_fast_track is not None
        else None,
    }


def _as_plain(record: RuleRecord) -> dict[str, object]:
    return {
        "rule": record.rule,
        "mode": str(record.mode) if record.mode else None,
        "judged": record.judged,
        "passed": record.passed,
        "without_people": record.without_people,
        "sampled": record.sampled,
        "undone": record.undone,
        "agreed": record.agreement.agreed,
        "false_passes": record.agreement.false_passes,
        "false_holds": record.agreement.false_holds,
        "agreement_rate": record.agreement.rate,
        "median_seconds_with_people": _seconds(record.median_with_people),
        "median_seconds_fast_track": _seconds(record.median_fast_track),
    }


def _seconds(duration: timedelta | None) -> float | None:
    return duration.total_seconds() if duration is not None else None
