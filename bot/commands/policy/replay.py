"""`policy replay`: prints past requests under another policy. One request is replayed in `bot.domain.queries.policy_replay`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import click

from bot.commands.context import as_json, services_for, telling_mistakes
from bot.commands.durations import since_option
from bot.commands.output.many_rows import ManyRows, many_rows
from bot.commands.output.printing import print_json_with, print_table, say
from bot.commands.output.tables import Table
from bot.commands.policy.explain import IN_FORCE, file_option, policy_under
from bot.domain.queries.policy_replay import Comparison, Replayed, Summary, happened, summed_up
from bot.domain.text import AS_OPTION, duration_text

COLUMNS = ("id", "opened_at", "version", "target")
NO_TIME = duration_text(timedelta(), AS_OPTION)
BELOW = ("what_happened", "under_this_policy", "why")


@click.command("replay")
@since_option
@file_option
@as_json
@telling_mistakes
def replay(since: timedelta, file: Path | None, as_json: bool) -> None:
    """Say how past requests would have ended under a policy file. Default: the policy in force.

    Each is judged on its frozen evidence with the votes as they were cast. A vote counts for the groups recorded with it, so a group that
    the rule did not name then has no votes. Reads only the database; writes nothing.
    """
    from handlers.queries.policy import replay_since

    with many_rows() as rows:
        with services_for() as services:
            policy = policy_under(file, services)
            summary = summed_up(_adding(replay_since(services.clock.now() - since, policy, services), rows))
        source = str(file) if file else IN_FORCE
        if as_json:
            print_json_with({"policy": source, "summary": _as_plain(summary)}, "requests", rows)
            return
        if not summary.requests:
            say(f"No request was opened in the last {duration_text(since, AS_OPTION)}.")
            return
        print_table(Table(rows, COLUMNS, BELOW))
    for line in _summary_lines(summary, source, since):
        say(line)


def _adding(replayed: Iterable[Replayed], rows: ManyRows) -> Iterator[Replayed]:
    for one in replayed:
        rows.add(_row(one))
        yield one


def _row(one: Replayed) -> dict[str, object]:
    request = one.request
    return {
        "id": request.short_id,
        "opened_at": request.opened_at,
        "version": str(request.version),
        "target": str(request.target),
        "what_happened": happened(request),
        "under_this_policy": str(one.comparison),
        "why": one.why,
        "rule": one.rule.label if one.rule else None,
        "would_pass": one.judgement.passes if one.judgement else None,
        "waited_seconds": one.waited.total_seconds() if one.waited is not None else None,
        "request_id": request.id,
    }


def _summary_lines(summary: Summary, source: str, since: timedelta) -> Sequence[str]:
    requests = "1 request" if summary.requests == 1 else f"{summary.requests} requests"
    lines = ["", f"{requests} of the last {duration_text(since, AS_OPTION)} under {source}:"]
    lines += [
        f"{summary.counts[one]:>5}  {one}{_remark(one, summary)}" for one in Comparison if summary.counts.get(one)
    ]
    return lines


def saved_text(in_all: timedelta, median: timedelta) -> str:
    saved, of_half = duration_text(in_all, AS_OPTION), duration_text(median, AS_OPTION)
    if saved == NO_TIME:
        return "approvals would have waited as long as they did"
    less = "as long as it did" if of_half == NO_TIME else f"{of_half} less"
    return f"approvals would have waited {saved} less in all, the median one {less}"


def _remark(comparison: Comparison, summary: Summary) -> str:
    if comparison is not Comparison.PASSES:
        return ""
    remarks = []
    if summary.median_saved is not None:
        remarks.append(saved_text(summary.saved, summary.median_saved))
    if summary.passed_though_rejected:
        remarks.append(f"{summary.passed_though_rejected} of them people had rejected: look at these first")
    return "".join(f"; {remark}" for remark in remarks)


def _as_plain(summary: Summary) -> dict[str, object]:
    return {
        "requests": summary.requests,
        "counts": {str(one): summary.counts.get(one, 0) for one in Comparison},
        "hours_saved": summary.saved.total_seconds() / 3600,
        "median_hours_saved": summary.median_saved.total_seconds() / 3600 if summary.median_saved is not None else None,
        "passed_though_rejected": summary.passed_though_rejected,
    }
